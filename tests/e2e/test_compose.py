"""The committed Compose files run on an engine without the orchestrator."""

from __future__ import annotations

import json
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from node.errors import LabError
from orchestrator.compose import export_compose
from orchestrator.engine import Engine
from orchestrator.image import ensure_image
from orchestrator.stock import list_stock, load_stock
from tests.e2e.conftest import in_containers

FOLDER = Path(__file__).parents[2] / "compose"
COMMAND_TIMEOUT_S = 120.0
READY_TIMEOUT_S = 60.0
TOPIC = "0x2c26b46b"


def compose_tool() -> list[str]:
    """`docker compose` where there is one, else `docker-compose`."""
    plugin = ["docker", "compose"]
    if subprocess.run([*plugin, "version"], capture_output=True, check=False).returncode == 0:
        return plugin
    old = shutil.which("docker-compose")
    if old is None:
        pytest.fail("neither `docker compose` nor docker-compose is installed")
    return [old]


class Project:
    """One Compose file, up."""

    def __init__(self, file: Path) -> None:
        self.base = [*compose_tool(), "-p", f"test-{file.stem}", "-f", str(file)]

    def __call__(self, *arguments: str) -> str:
        done = subprocess.run(
            [*self.base, *arguments], capture_output=True, text=True, timeout=COMMAND_TIMEOUT_S, check=False
        )
        if done.returncode:
            raise LabError(done.stderr or done.stdout)
        return done.stdout

    def rpc(self, node: str, method: str, *params: object) -> object:
        words = [param if isinstance(param, str) else json.dumps(param) for param in params]
        out = self("exec", "-T", node, "python3", "-m", "node.rpc", method, *words).strip()
        try:
            return json.loads(out)
        except ValueError:
            return out


@pytest.fixture(params=["line3", "ring8"])
def project(request: pytest.FixtureRequest, docker_engine: Engine) -> Iterator[Project]:
    in_containers.add(request.node.nodeid)
    ensure_image(docker_engine.client, report=print)
    project = Project(FOLDER / f"{request.param}.yml")
    try:
        project("up", "-d")
        yield project
    finally:
        project("down", "-v")


@pytest.mark.parametrize("name", list_stock())
def test_the_committed_file_is_what_export_writes(name: str) -> None:
    assert (FOLDER / f"{name}.yml").read_text() == export_compose(load_stock(name))


def test_a_message_is_relayed(project: Project) -> None:
    """Asked over each node's own JSON-RPC socket, from inside its container."""
    deadline = time.monotonic() + READY_TIMEOUT_S
    while True:
        try:
            alice, bob = (project.rpc(name, "hive_kademliaInfo") for name in ("alice", "bob"))
            assert isinstance(alice, dict)
            assert isinstance(bob, dict)
            if alice["total_connections"] and bob["total_connections"]:
                break
        except LabError:
            pass  # still starting
        assert time.monotonic() < deadline
    key, address = project.rpc("bob", "pss_getPublicKey"), project.rpc("bob", "pss_baseAddr")
    listener = subprocess.Popen(
        [*project.base, "exec", "-T", "bob", "python3", "-m", "node.rpc", "--receive", TOPIC],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert listener.stdout is not None
    with listener:
        assert listener.stdout.readline().strip() == "listening"
        project.rpc("alice", "pss_setPeerPublicKey", key, TOPIC, address)
        project.rpc("alice", "pss_sendAsym", key, TOPIC, "0x" + b"by compose".hex())
        received = json.loads(listener.stdout.readline())
        assert bytes.fromhex(received["Msg"][2:]) == b"by compose"
        listener.terminate()
