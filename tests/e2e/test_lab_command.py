"""The `lab` command as somebody types it: up, down, wrong input, interruption, no engine."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from orchestrator import labels
from orchestrator.engine import Engine
from orchestrator.process_runtime import find_lab_processes
from tests.e2e.shell import COMMAND_TIMEOUT_S, Shell, objects_of

GOOD = """\
apiVersion: lab/v1
name: typed
nodes: {alice: {}, n01: {}, bob: {}}
links: [alice-n01, n01-bob]
"""


def test_up_twice_and_down_twice(shell: Shell) -> None:
    first = shell("up", "line3")
    assert first.returncode == 0, first.stderr
    assert "alice and bob are NOT connected" in first.stdout
    assert "alice -> n01" in first.stdout
    second = shell("up", "line3")
    assert second.returncode == 0, second.stderr
    assert "runs already" in second.stdout
    status = json.loads(shell("status", "--json").stdout)
    assert [node["name"] for node in status["nodes"]] == ["alice", "n01", "bob"]
    assert all(node["ready"] for node in status["nodes"])
    sent = json.loads(shell("send", "bob", "alice", "back", "--json").stdout)
    assert [hop["receiver"] for hop in sent["journey"]["hops"]] == ["n01", "alice"]
    assert shell("down").returncode == 0
    again = shell("down")
    assert again.returncode == 0
    assert "nothing" in again.stdout + again.stderr
    assert not (shell.directory / ".lab").exists()


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (("nodes:", "node:"), "typed.lab.yml:3:1"),
        (("n01-bob", "n01-bop"), "'bop'"),
        (("n01: {}", "N_01: {}"), "N_01"),
        (("nodes: {alice: {}, n01: {}, bob: {}}\nlinks: [alice-n01, n01-bob]", "topology: {kind: line, n: 1}"), "1"),
        (("name: typed", "name: Not A Name"), "Not A Name"),
    ],
    ids=["unknown key", "undefined node", "name", "one node", "lab name"],
)
def test_a_wrong_lab_file_is_refused_before_anything_starts(tmp_path: Path, change: tuple[str, str], says: str) -> None:
    text = GOOD.replace(*change)
    assert text != GOOD
    (tmp_path / "typed.lab.yml").write_text(text)
    result = Shell(tmp_path)("up")
    assert result.returncode == 2
    assert says in result.stderr
    assert "Traceback" not in result.stderr
    assert not (tmp_path / ".lab").exists()


def test_wrong_input_to_a_running_lab(shell: Shell) -> None:
    (shell.directory / "typed.lab.yml").write_text(GOOD)
    assert shell("up").returncode == 0
    try:
        unknown = shell("send", "alice", "bobb", "hi")
        assert unknown.returncode == 2
        assert "'bobb'" in unknown.stderr
        assert "bob" in unknown.stderr.partition("hint")[2]
        bad_key = shell("rpc", "alice", "admin_addPeer", "enode://00@127.0.0.1:30303")
        assert bad_key.returncode == 1
        assert "invalid public key" in bad_key.stderr
        other = GOOD.replace("n01-bob", "n01-bob, alice-bob")
        (shell.directory / "typed.lab.yml").write_text(other)
        changed = shell("up")
        assert changed.returncode == 2
        assert "runs already" in changed.stderr
    finally:
        assert shell("down", "typed").returncode == 0


def test_a_wrong_token_is_refused(shell: Shell, docker_engine: Engine) -> None:
    assert shell("up", "line3").returncode == 0
    token = shell.directory / ".lab" / "line3" / "token"
    kept = token.read_text()
    try:
        token.write_text("not-the-token")
        result = shell("status")
        assert result.returncode == 6
        assert "token file does not match" in result.stdout
        for command in (("send", "alice", "bob", "hi"), ("up", "line3")):
            result = shell(*command)
            assert result.returncode in (1, 6)
            assert "hint: the lab's token file does not match: lab down, then lab up" in result.stderr
        # An editor's newline is no other token.
        token.write_text(kept + "\n")
        assert shell("status").returncode == 0
    finally:
        token.write_text(kept)
        assert shell("down").returncode == 0


def test_a_port_in_use(shell: Shell, docker_engine: Engine) -> None:
    with socket.create_server(("127.0.0.1", 0)) as busy:
        port = busy.getsockname()[1]
        result = shell("up", "line3", "--port", str(port))
        assert result.returncode == 4
        assert str(port) in result.stderr
    assert objects_of(docker_engine, "line3") == []


def test_ctrl_c_during_up_leaves_nothing(shell: Shell, docker_engine: Engine) -> None:
    process = shell.start("up", "ring8")
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith("starting nodes"):
            break
        if "networks and gateway" in line:
            # Interrupt in the middle: some nodes exist, others are being made.
            wait_until(lambda: len(objects_of(docker_engine, "ring8")) > 4)
            break
    process.send_signal(signal.SIGINT)
    said, _ = process.communicate(timeout=COMMAND_TIMEOUT_S)
    assert process.returncode == 130, said
    assert objects_of(docker_engine, "ring8") == []
    assert not (shell.directory / ".lab").exists()


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + COMMAND_TIMEOUT_S
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_down_when_the_creator_was_killed_and_all_files_are_gone(shell: Shell, docker_engine: Engine) -> None:
    process = shell.start("up", "ring8")
    wait_until(lambda: len(objects_of(docker_engine, "ring8")) > 4)
    process.kill()
    process.wait()
    assert process.stdout is not None
    process.stdout.close()
    subprocess.run(["rm", "-r", str(shell.directory / ".lab")], check=True)
    result = shell("down", "ring8")
    assert result.returncode == 0, result.stderr
    assert objects_of(docker_engine, "ring8") == []


@pytest.mark.parametrize("objects", [1, 3, 7, 11])
def test_up_after_an_up_that_was_killed(shell: Shell, docker_engine: Engine, objects: int) -> None:
    process = shell.start("up", "ring8")
    wait_until(lambda: len(objects_of(docker_engine, "ring8")) >= objects)
    process.kill()
    process.communicate()
    again = shell("up", "ring8")
    assert again.returncode == 0, again.stderr
    if objects < 11:  # with all there are, it may have come up before it was killed
        assert "removing what an interrupted lab up left" in again.stderr
    assert shell("status").returncode == 0
    assert shell("down").returncode == 0
    assert objects_of(docker_engine, "ring8") == []


def test_up_when_the_state_directory_is_gone(shell: Shell, docker_engine: Engine) -> None:
    assert shell("up", "line3").returncode == 0
    subprocess.run(["rm", "-r", str(shell.directory / ".lab")], check=True)
    again = shell("up", "line3")
    assert again.returncode == 0, again.stderr
    assert "removed what was left of an earlier lab line3" in again.stderr
    assert shell("down").returncode == 0
    assert objects_of(docker_engine, "line3") == []


@pytest.mark.parametrize("remove", [False, True], ids=["stopped", "removed"])
def test_up_mends_a_lab_after_its_containers_stopped(shell: Shell, docker_engine: Engine, remove: bool) -> None:
    assert shell("up", "line3").returncode == 0
    mark = {"label": f"{labels.LAB}=line3"}
    for container in docker_engine.client.containers.list(filters=mark):
        container.kill()
        if remove and container.labels[labels.KIND] == labels.KIND_GATEWAY:
            container.remove()
    broken = shell("status")
    assert broken.returncode == 6
    assert "gateway" in broken.stderr
    again = shell("up", "line3")
    assert again.returncode == 0, again.stderr
    assert shell("status").returncode == 0
    assert shell("send", "alice", "bob", "hi").returncode == 0
    assert shell("down").returncode == 0


def test_limits_of_memory_are_not_evaded_by_swapping(shell: Shell, docker_engine: Engine) -> None:
    assert shell("up", "line3", "--no-send").returncode == 0
    containers = docker_engine.client.containers.list(filters={"label": f"{labels.LAB}=line3"})
    assert len(containers) == 4
    for container in containers:
        limits = container.attrs["HostConfig"]
        assert limits["Memory"] == limits["MemorySwap"] > 0
        assert limits["NanoCpus"] > 0


def test_without_an_engine_the_lab_runs_as_processes_and_says_so(tmp_path: Path) -> None:
    shell = Shell(tmp_path, DOCKER_HOST="unix:///nonexistent/docker.sock", LAB_REQUIRE_DOCKER="")
    result = shell("up", "line3")
    assert result.returncode == 0, result.stderr
    assert "local processes" in result.stderr
    assert "start Docker" in result.stderr
    assert "n01   -> bob" in result.stdout
    running = len(find_lab_processes())
    assert running >= 3
    assert shell("down").returncode == 0
    assert len(find_lab_processes()) == running - 3


def test_where_containers_are_required_a_missing_engine_is_an_error(tmp_path: Path) -> None:
    shell = Shell(tmp_path, DOCKER_HOST="unix:///nonexistent/docker.sock", LAB_REQUIRE_DOCKER="1")
    result = shell("up", "line3")
    assert result.returncode == 7
    assert "no Docker engine" in result.stderr
    assert not (tmp_path / ".lab").exists()
