"""orchestrator.lab on processes: the whole life of a lab without an engine."""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from node.control.client import ControlError
from node.events import Kind
from orchestrator.errors import DeliveryFailed, LabFileError, LabNotFound, LabNotReady, UnknownNode
from orchestrator.lab import Lab
from orchestrator.process_runtime import ProcessRuntime, find_lab_processes
from orchestrator.runtime import NodeState
from orchestrator.topology import make_spec


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "labs"


@pytest.fixture
def lab(root: Path) -> Iterator[Lab]:
    with Lab.up(make_spec("three", kind="line", n=3, seed=1), runtime="process", state_root=root) as lab:
        yield lab


def test_it_comes_up_relays_and_leaves_nothing(root: Path) -> None:
    steps: list[str] = []
    lab = Lab.up(
        make_spec("five", kind="line", n=5, seed=2),
        runtime="process",
        state_root=root,
        progress=lambda step, done, of: steps.append(f"{step} {done}/{of}"),
    )
    assert "starting nodes 5/5" in steps
    assert steps[-1] == "waiting for tables 5/5"
    delivery = lab.send("alice", "bob", b"hello")
    assert delivery.payload == b"hello"
    assert [hop.receiver for hop in delivery.journey.path_to("bob")] == ["n01", "n02", "n03", "bob"]
    assert delivery.journey.relays == ["n01", "n02", "n03"]
    sockets = Path(lab.runtime.control_address(lab["alice"].spec).address.removeprefix("unix:")).parent
    assert sockets.exists()
    removed = lab.down()
    assert sorted(removed) == [f"process {name}" for name in ("alice", "bob", "n01", "n02", "n03")]
    assert find_lab_processes(lab.state.lab_id) == {}
    assert not root.exists()
    assert not sockets.exists()
    assert lab.down() == []


def test_a_second_up_takes_the_running_lab(lab: Lab, root: Path) -> None:
    again = Lab.up(lab.spec, runtime="process", state_root=root)
    assert again.adopted
    assert again["alice"].info.pid == lab["alice"].info.pid
    again.close()
    with pytest.raises(LabFileError, match="other nodes, keys or links"):
        Lab.up(make_spec("three", kind="ring", n=3, seed=1), runtime="process", state_root=root)


def test_a_second_up_starts_what_stopped(lab: Lab, root: Path) -> None:
    lab.kill("n01")
    again = Lab.up(lab.spec, runtime="process", state_root=root)
    assert again.runtime.node_states()["n01"] is NodeState.RUNNING
    assert again.send("alice", "bob", b"x").payload == b"x"
    again.close()


def test_opening_by_name(lab: Lab, root: Path) -> None:
    with Lab.open("three", state_root=root) as other:
        assert [node.name for node in other.nodes] == ["alice", "n01", "bob"]
        assert other.send("bob", "alice", b"x").payload == b"x"
    assert lab.runtime.node_states()["alice"] is NodeState.RUNNING
    with pytest.raises(LabNotFound):
        Lab.open("other", state_root=root)


def test_names_that_are_not_there(lab: Lab) -> None:
    with pytest.raises(UnknownNode, match="'carol'"):
        lab.send("alice", "carol", b"x")
    with pytest.raises(LabFileError, match="no mode"):
        lab.send("alice", "bob", b"x", mode="loud")


def test_a_node_comes_back_where_it_was(lab: Lab) -> None:
    before = lab["n01"].info
    lab.stop("n01")
    assert lab.runtime.node_states()["n01"] is NodeState.STOPPED
    assert [status.reasons for status in lab.status() if status.name == "n01"] == [["n01 is stopped"]]
    lab.start("n01")
    lab.wait_ready()
    after = lab["n01"].info
    assert (after.enode, after.node_id) == (before.enode, before.node_id)
    assert after.pid != before.pid


def test_disconnect_and_connect(lab: Lab) -> None:
    lab.disconnect("alice", "n01")
    with pytest.raises(LabNotReady, match="alice is not connected with n01"):
        lab.wait_ready(timeout_s=0.1)
    with pytest.raises(DeliveryFailed) as failed:
        lab.send("alice", "bob", b"x", timeout_s=0.5)
    assert "lab trace" in failed.value.hint
    lab.connect("alice", "n01")
    lab.wait_ready()


def test_a_message_that_waits_is_delivered_when_the_way_is_back(lab: Lab) -> None:
    lab.disconnect("alice", "n01")
    alice, bob = lab["alice"], lab["bob"]
    topic = alice.topic("later")
    key_id = alice.control.set_peer_key(bob.spec.public_key, topic, bob.overlay)
    with bob.control.subscribe(topic) as messages:
        digest = alice.control.send(3, topic, b"later", key_id=key_id)
        assert [e.kind for e in alice.control.history(digest=digest.hex())] == [Kind.PSS_SENT, Kind.PSS_QUEUED]
        lab.connect("alice", "n01")
        assert next(messages).payload == b"later"


def test_logs_and_commands(lab: Lab) -> None:
    lines = list(lab.runtime.logs(lab["alice"].spec))
    assert any("node alice is up" in line for line in lines)
    secret = lab["alice"].spec.bzz_key.secret.hex()
    assert not any(secret in line for line in lines)
    code, said = lab.runtime.execute(lab["alice"].spec, ["sh", "-c", "echo $PSS_NAME; exit 3"])
    assert (code, said.strip()) == (3, "alice")


def test_keys_are_not_in_argv(lab: Lab) -> None:
    for pid in find_lab_processes(lab.state.lab_id):
        command = " ".join(psutil.Process(pid).cmdline())
        assert not any(node.spec.bzz_key.secret.hex() in command for node in lab.nodes)


def test_a_node_that_does_not_come_up_is_an_error_and_nothing_stays(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = ProcessRuntime._environment

    def environment(self: ProcessRuntime, spec: object, node: object, port: int) -> dict[str, str]:
        return {**broken(self, spec, node, port), "PSS_NAT": "nowhere"}  # type: ignore[arg-type]

    monkeypatch.setattr(ProcessRuntime, "_environment", environment)
    monkeypatch.setattr("orchestrator.lab.NODE_UP_TIMEOUT_S", 2.0)
    with pytest.raises(LabNotReady, match="--nat"):
        Lab.up(make_spec("broken", kind="line", n=2, seed=1), runtime="process", state_root=root)
    assert not root.exists()


def test_what_lost_its_directory_is_found_by_its_environment(lab: Lab) -> None:
    assert len(find_lab_processes(lab.state.lab_id)) == 3
    (lab.state.directory / "processes.json").unlink()
    assert len(lab.runtime.down()) == 3
    assert find_lab_processes(lab.state.lab_id) == {}
    with pytest.raises(ControlError):
        lab["alice"].control.peers()


def test_up_after_an_up_that_was_killed_starts_anew(lab: Lab, root: Path) -> None:
    saved = lab.state.load()
    assert saved is not None
    assert saved.complete
    lab.state.save(dataclasses.replace(saved, complete=False))
    # As if it had been killed before it noted what it had started.
    (lab.state.directory / "processes.json").unlink()
    before = set(find_lab_processes(lab.state.lab_id))
    said: list[str] = []
    again = Lab.up(lab.spec, runtime="process", state_root=root, report=said.append)
    assert said == ["removing what an interrupted lab up left"]
    assert not again.adopted
    assert len(find_lab_processes(lab.state.lab_id)) == 3
    assert not before & set(find_lab_processes(lab.state.lab_id))
    assert again.send("alice", "bob", b"x").payload == b"x"
    again.close()


def test_up_after_the_state_directory_was_deleted_starts_anew(lab: Lab, root: Path) -> None:
    before = set(find_lab_processes(lab.state.lab_id))
    shutil.rmtree(root)
    said: list[str] = []
    again = Lab.up(lab.spec, runtime="process", state_root=root, report=said.append)
    assert len(said) == 1
    assert "removed what was left of an earlier lab three: process " in said[0]
    assert not before & set(find_lab_processes(lab.state.lab_id))
    assert again.send("alice", "bob", b"x").payload == b"x"
    again.close()


def test_a_port_means_nothing_for_processes(root: Path) -> None:
    said: list[str] = []
    spec = make_spec("two", kind="line", n=2, seed=1)
    with Lab.up(spec, runtime="process", state_root=root, port=5555, report=said.append):
        assert said == ["--port means nothing for processes"]


def test_connections_beyond_the_plan_are_no_lack(lab: Lab) -> None:
    lab.connect("alice", "bob")
    lab.wait_ready()
    assert all(not status.reasons for status in lab.status())
    lab.disconnect("alice", "n01")
    assert {status.name for status in lab.status() if status.reasons} == {"alice", "n01"}
