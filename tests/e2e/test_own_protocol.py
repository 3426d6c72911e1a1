"""A protocol of somebody's own, from their folder into the containers of a lab, and tested with the plugin."""

from __future__ import annotations

import json
import os
import re
import runpy
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from node.errors import LabError, PeerDisconnected, RemoteProtocolError
from orchestrator import labels
from orchestrator.engine import Engine
from tests.e2e.conftest import in_containers
from tests.e2e.shell import Shell

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "own"
PAGE = ROOT / "docs" / "own-protocol.md"
FENCE = re.compile(r"```(python|yaml|sh)\n(.*?)```", re.DOTALL)
SAVED_AS = re.compile(r"this as `([\w.]+)`")
MAX_PROTOCOL_LINES, MAX_TEST_LINES = 39, 29
"""What a protocol and its tests may take: "under 40", "under 30"."""
TIMEOUT_S = 120.0
PAGE_TIMEOUT_S = 110.0
"""Four labs, one after another."""


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


class FakePeer:
    """Somebody to gossip with."""

    def __init__(self, failure: LabError | None = None) -> None:
        self.failure, self.got = failure, list[str]()

    async def send(self, rumour: Any) -> None:
        if self.failure is not None:
            raise self.failure
        self.got.append(rumour.text)

    async def run(self, handler: object) -> None:
        raise RemoteProtocolError("what it sent does not decode")


@pytest.fixture
def gossip() -> Any:
    """The example's service, as a node has it that is up."""
    service = runpy.run_path(str(EXAMPLE / "gossip.py"))["Gossip"]()
    service.protocols()
    return service


async def test_the_example_tells_the_others_though_one_left(gossip: Any) -> None:
    peers = [FakePeer(), FakePeer(PeerDisconnected("it left")), FakePeer()]
    gossip.peers.update(peers)
    await gossip.tell("it rains")
    assert [peer.got for peer in peers] == [["it rains"], [], ["it rains"]]
    assert await gossip.heard_so_far() == ["it rains"]


async def test_the_example_forgets_a_peer_that_broke_a_rule(gossip: Any) -> None:
    with pytest.raises(RemoteProtocolError):
        await gossip.run(FakePeer())
    assert gossip.peers == set()


def test_the_example_is_short() -> None:
    assert len((EXAMPLE / "gossip.py").read_text().splitlines()) <= MAX_PROTOCOL_LINES
    assert len((EXAMPLE / "test_gossip.py").read_text().splitlines()) <= MAX_TEST_LINES


def script_of(page: str) -> str:
    """What somebody does who follows a page: saves each file under the name that was last said, types each command."""
    lines = ["set -e"]
    for fence in FENCE.finditer(page):
        language, content = fence.groups()
        if language == "sh":
            lines += [line for line in content.splitlines() if not line.startswith("pss-node")]  # that one does not end
        else:
            name = SAVED_AS.findall(page[: fence.start()])[-1]
            lines.append(f"cat > {name} <<'END OF FILE'\n{content}END OF FILE")
    return "\n".join(lines)


def test_the_page_leads_from_an_empty_folder_to_a_test(
    tmp_path: Path, default_runtime: str, request: pytest.FixtureRequest
) -> None:
    if default_runtime == "docker":
        in_containers.add(request.node.nodeid)
    tmp_path.chmod(0o755)
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    done = subprocess.run(
        ["bash", "-c", script_of(PAGE.read_text())],
        cwd=tmp_path,
        # The run inside keeps its labs where the one outside looks for what is left.
        env=inherited
        | {"PATH": path, "NO_COLOR": "1", "LAB_UP_RUNTIME": default_runtime, "PYTEST_DEBUG_TEMPROOT": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=PAGE_TIMEOUT_S,
        check=False,
    )
    said = done.stdout
    assert done.returncode == 0, said + done.stderr
    what = "containers" if default_runtime == "docker" else "processes"
    assert f"lab gossip is ready: 5 {what}" in said
    assert re.search(r'\[\s*"it rains"\s*\]\s*\[\]', said), said  # and, started again, it has forgotten
    assert "2 passed" in said
    assert "heard: good day" in said
    for name, limit in (("gossip.py", MAX_PROTOCOL_LINES), ("test_gossip.py", MAX_TEST_LINES)):
        assert 0 < len((tmp_path / "gossip" / name).read_text().splitlines()) <= limit


def test_the_other_tests_of_the_page_pass() -> None:
    assert "6 passed" in run_pytest("--lab-runtime", "process", "test_lab.py", "test_one_lab.py", cwd=EXAMPLE)


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
