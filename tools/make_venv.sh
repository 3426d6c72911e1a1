#!/bin/sh
# Make .venv from requirements.lock with nothing but a Python >= 3.11, and say what is missing in one line otherwise.
# Used by `make venv`; POSIX sh. Indexes, proxies and mirrors are those of the user's own pip and apt configuration.
set -eu

venv=.venv
say() { echo "$*" >&2; }
fail() { say "error: $*"; exit 1; }

find_python() {
    for candidate in ${PYTHON:-} python3 python3.11 python3.12 python3.13 python3.14; do
        if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            echo "$candidate"
            return
        fi
    done
    return 1
}

# Debian splits ensurepip off into python3-venv.
ensure_venv_module() {
    "$python" -c 'import ensurepip, venv' 2>/dev/null && return
    package="python$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')-venv"
    install="apt-get install --no-install-recommends $package"
    command -v apt-get >/dev/null || fail "$python has no venv module; install the package of your system that has it"
    [ "$(id -u)" = 0 ] || fail "$python has no venv module; run \`sudo $install\` and try again"
    say "$python has no venv module; installing it: $install"
    export DEBIAN_FRONTEND=noninteractive
    # shellcheck disable=SC2086 # the words of $install are arguments
    { $install --yes -qq || { apt-get update -qq && $install --yes -qq; }; } >/dev/null \
        || fail "could not install $package; see \`$install\`"
}

if ! "$venv/bin/python" -c 'import pip, sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
    python=$(find_python) || fail "no Python >= 3.11 found; install one, or name it: make venv PYTHON=/path/to/python3"
    ensure_venv_module
    say "making $venv with $("$python" --version)"
    "$python" -m venv --clear "$venv" || fail "$python could not make $venv"
fi

say "installing the packages of requirements.lock into $venv, hashes checked; about a minute the first time"
pip="$venv/bin/python -m pip --disable-pip-version-check --quiet"
$pip install --require-hashes --requirement requirements.lock \
    || fail "pip could not install requirements.lock; check the network and \`pip config list\`"
$pip install --no-deps --no-build-isolation --editable . || fail "pip could not install this checkout into $venv"
touch "$venv/.stamp"
say "$venv is ready"
