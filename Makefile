# One target per daily job; `make` lists them. Needs GNU make 4, Python >= 3.11 and, for containers, a Docker engine.
# Everything runs from .venv, which is made from the hash-pinned requirements.lock when needed.

SHELL := /bin/sh
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory

VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.stamp
GEN := node/control/gen

# More arguments for the command behind a target: make lab-up ARGS="--nodes 8", make e2e ARGS="-k ring -x"
ARGS ?=

##@ The lab
.PHONY: lab-up lab-down lab-status image
lab-up: $(STAMP)  ## start the default lab, wait until it is ready, relay one encrypted message
	@$(BIN)/lab up $(ARGS)

lab-down: $(STAMP)  ## stop it and leave nothing behind
	@$(BIN)/lab down $(ARGS)

lab-status: $(STAMP)  ## what runs, and how it is
	@$(BIN)/lab status $(ARGS)

image: $(STAMP)  ## find or build the node image (ARGS=--rebuild builds every layer again)
	@$(BIN)/python -m orchestrator.image $(ARGS)

##@ Checks
.PHONY: test e2e lint types
test: lint types  ## lint, types, then every test
	@$(BIN)/pytest tests $(ARGS)

e2e: $(STAMP)  ## only the end-to-end tests
	@$(BIN)/pytest tests/e2e $(ARGS)

lint: $(STAMP)  ## ruff: rules and layout
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .

types: $(STAMP)  ## mypy --strict on the packages, the examples and the solutions
	@$(BIN)/mypy
	@MYPYPATH=examples $(BIN)/mypy examples/*.py examples/own/*.py
	@MYPYPATH=examples:examples/exercises $(BIN)/mypy examples/exercises/*.py

##@ Measurements, see bench/README.md
.PHONY: bench bench-micro bench-overlay soak
bench: $(STAMP)  ## three nodes in a line: rate, latency, CPU, memory
	@$(BIN)/python -m bench.run $(ARGS)

bench-micro: $(STAMP)  ## time per operation of the hot paths
	@$(BIN)/python -m bench.micro $(ARGS)

bench-overlay: $(STAMP)  ## 64 nodes that know one bootnode, 2,000 messages
	@$(BIN)/python -m bench.overlay $(ARGS)

soak: $(STAMP)  ## ten minutes of traffic, kills and restarts; every message accounted for
	@$(BIN)/python -m bench.soak $(ARGS)

##@ Documentation, see CONTRIBUTING.md
.PHONY: docs docs-serve docs-outputs handout
docs: $(STAMP)  ## build the site into site/; a warning is an error, and nothing is fetched
	@$(BIN)/python -m tools.docs.architecture
	@NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs --quiet build --strict --clean $(ARGS)
	@echo "site/index.html"

docs-serve: $(STAMP)  ## show the site on 127.0.0.1:8000 and follow changes
	@NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs serve --dev-addr 127.0.0.1:8000 $(ARGS)

docs-outputs: $(STAMP)  ## run what the tutorial shows, and write down again what changed (ARGS=docs/tutorial/a1.md)
	@$(BIN)/python -m tools.docs.outputs $(ARGS)

handout: $(STAMP)  ## the tutorial as one PDF, dist/pss-lab-tutorial.pdf
	@$(BIN)/python -m tools.docs.handout $(ARGS)

##@ Work on the code
.PHONY: format proto venv lock clean help
format: $(STAMP)  ## let ruff fix and lay out what it can
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

# The virtual path makes protoc write imports that are absolute inside the package.
proto: $(STAMP)  ## generate node/control/gen from node/control/control.proto
	@PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python -m grpc_tools.protoc -I $(GEN)=node/control \
	    --python_out=. --grpc_python_out=. --pyi_out=. $(GEN)/control.proto

venv: $(STAMP)  ## make or update .venv (PYTHON=... chooses the interpreter)
$(STAMP): requirements.lock pyproject.toml
	@PYTHON="$(PYTHON)" tools/make_venv.sh

# Pins stay as they are unless ARGS="--upgrade" or ARGS="--upgrade-package NAME". The "# via" notes are needed: the image's
# part of the lock is chosen by them. --no-emit-*: no index and no path of this machine may end up in the file.
lock: $(STAMP)  ## pin pyproject.toml's dependencies anew into requirements.lock
	@test -x $(BIN)/python || PYTHON="$(PYTHON)" tools/make_venv.sh
	@command -v $(BIN)/uv >/dev/null || { echo "installing uv into $(VENV)"; $(BIN)/python -m pip install --quiet uv; }
	@$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --all-extras \
	    --no-emit-index-url --no-emit-find-links --custom-compile-command "make lock" $(ARGS) \
	    pyproject.toml --output-file requirements.lock

clean:  ## remove .venv and all caches; running labs and images stay
	@rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache .hypothesis build dist site *.egg-info
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

help:  ## this list
	@awk 'BEGIN {FS = ":.*## "} \
	    /^##@/ {printf "\n%s\n", substr($$0, 5)} \
	    /^[a-z0-9-]+:.*## / {sub(/:.*/, "", $$1); printf "  make %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
