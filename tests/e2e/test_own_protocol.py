"""A protocol of somebody's own, from their folder into the containers of a lab, and tested with the plugin."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from orchestrator import labels
from orchestrator.engine import Engine
from tests.e2e.conftest import in_containers
from tests.e2e.shell import Shell

EXAMPLE = Path(__file__).parents[2] / "examples" / "own"
MAX_PROTOCOL_LINES, MAX_TEST_LINES = 39, 29
"""What a protocol and its tests may take: "under 40", "under 30"."""
TIMEOUT_S = 120.0


def run_pytest(*arguments: str, cwd: Path) -> str:
    """As somebody types it beside their files."""
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-q", *arguments],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_example_is_short() -> None:
    assert len((EXAMPLE / "gossip.py").read_text().splitlines()) <= MAX_PROTOCOL_LINES
    assert len((EXAMPLE / "test_gossip.py").read_text().splitlines()) <= MAX_TEST_LINES


def test_its_tests_pass_on_five_nodes(default_runtime: str, request: pytest.FixtureRequest) -> None:
    if default_runtime == "docker":
        in_containers.add(request.node.nodeid)
    assert "2 passed" in run_pytest("--lab-runtime", default_runtime, "test_gossip.py", cwd=EXAMPLE)


def test_the_other_tests_of_the_page_pass() -> None:
    assert "4 passed" in run_pytest("--lab-runtime", "process", "test_lab.py", cwd=EXAMPLE)


def test_its_folder_is_mounted_read_only(shell: Shell, docker_engine: Engine) -> None:
    up = shell("up", str(EXAMPLE / "gossip.lab.yml"), "--name", "own-mount")
    assert up.returncode == 0, up.stderr
    container = docker_engine.client.containers.list(
        filters={"label": [f"{labels.LAB}=own-mount", f"{labels.NODE}=alice"]}
    )[0]
    (mount,) = container.attrs["Mounts"]
    assert (mount["Source"], mount["Destination"], mount["RW"]) == (str(EXAMPLE), "/own", False)
    host = container.attrs["HostConfig"]
    assert (host["CapAdd"], host["CapDrop"], host["Privileged"]) == (None, ["ALL"], False)
    written = shell("exec", "alice", "--", "sh", "-c", "echo x > /own/x")
    assert written.returncode != 0
    assert not (EXAMPLE / "x").exists()

    assert shell("rpc", "alice", "gossip_tell", '"by hand"').returncode == 0
    told = shell("rpc", "n01", "gossip_heardSoFar")
    assert json.loads(told.stdout) == ["by hand"], told.stderr


def test_a_module_that_is_wrong_is_said_at_once(shell: Shell) -> None:
    (shell.directory / "mine.py").write_text("PROTOCOL = 5\n")
    lab = (
        "apiVersion: lab/v1\nname: own-wrong\ntopology: {kind: line, n: 2}\ndefaults: {protocols: ['mine:PROTOCOL']}\n"
    )
    (shell.directory / "own.lab.yml").write_text(lab)
    shell.directory.chmod(0o755)
    up = shell("up")
    assert up.returncode == 6
    assert "--load mine:PROTOCOL: expected a Protocol (what typed_protocol returns)" in up.stderr
