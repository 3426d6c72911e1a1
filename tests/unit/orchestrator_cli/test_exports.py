"""export, validate, schema, image, version."""

from __future__ import annotations

import json
from pathlib import Path

from node import __version__
from orchestrator.errors import ImageError
from tests.unit.orchestrator_cli.conftest import Run
from tests.unit.orchestrator_cli.fakes import FakeLabs

BAD_FILE = "apiVersion: lab/v1\nname: x\nnodse: {}\n"
GOOD_FILE = "apiVersion: lab/v1\nname: x\nnodes: {a: {}, b: {}}\nlinks: [a-b]\n"


def test_compose_to_stdout_and_to_a_file(run: Run) -> None:
    text = run("export", "compose", "line3").stdout
    assert "alice" in text
    result = run("export", "compose", "line3", "-o", "out.yml")
    assert (result.stdout, result.stderr) == ("", "wrote out.yml\n")
    assert Path("out.yml").read_text() == text


def test_compose_to_nowhere(run: Run) -> None:
    result = run("export", "compose", "line3", "-o", "missing/out.yml")
    assert (result.exit_code, result.stderr) == (1, "error: missing/out.yml: No such file or directory\n")


def test_validate(run: Run) -> None:
    Path("x.lab.yml").write_text(GOOD_FILE)
    assert run("validate", "x.lab.yml").stdout == "x.lab.yml: lab x, 2 nodes, 1 links\n"
    assert run("validate", "-", stdin=GOOD_FILE.encode()).exit_code == 0
    assert json.loads(run("validate", "x.lab.yml", "--json").stdout)["valid"] is True


def test_validate_says_where(run: Run) -> None:
    Path("bad.lab.yml").write_text(BAD_FILE)
    result = run("validate", "bad.lab.yml")
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr == "error: bad.lab.yml:3:1: unknown key 'nodse'\nhint: did you mean 'nodes'?\n"


def test_schema(run: Run) -> None:
    assert "apiVersion" in json.loads(run("schema").stdout)["properties"]


def test_image(run: Run) -> None:
    result = run("image")
    assert (result.stdout, result.stderr) == ("pss-lab-node:abc  121 MB  was there already\n", "building\n")
    assert json.loads(run("image", "--rebuild", "--json").stdout)["built"] is True


def test_an_image_that_cannot_be_built(run: Run, labs: FakeLabs) -> None:
    labs.raises = ImageError("no base", hint="install mmdebstrap")
    result = run("image")
    assert (result.exit_code, result.stderr) == (7, "error: no base\nhint: install mmdebstrap\n")


def test_version(run: Run) -> None:
    assert run("version").stdout == f"pss-lab {__version__}\n"
    assert json.loads(run("version", "--json").stdout)["version"] == __version__
