"""`lab events`."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from collections.abc import Callable

import grpc
import pytest

from node.control.client import ControlError
from node.events import Kind, NodeEvent
from orchestrator.runtime import NodeState
from tests.unit.orchestrator_cli.conftest import Run
from tests.unit.orchestrator_cli.fakes import FakeLab, FakeLabs

START_S = 1_700_000_000.0


def event(seq: int, at_s: float, kind: Kind, **fields: object) -> NodeEvent:
    return NodeEvent(seq=seq, wall_s=START_S + at_s, mono_s=at_s, kind=kind, **fields)  # type: ignore[arg-type]


@pytest.fixture
def lab(labs: FakeLabs) -> FakeLab:
    lab = labs.labs["default"]
    n01 = lab.spec.node("n01").id.hex()
    lab.events = {
        "alice": [
            event(1, 0.1, Kind.DIAL, peer=n01, control=True),
            event(2, 0.3, Kind.PSS_FORWARDED, peer=n01, protocol="pss", digest="ab" * 32, data={"po": 3}),
            event(3, 0.5, Kind.MSG_SEND, peer=n01, protocol="bzz", code=1, size=7),
        ],
        "n01": [event(1, 0.2, Kind.ADD, peer="cd" * 32), event(2, 0.4, Kind.DROP, reason="quitting")],
    }
    return lab


@pytest.mark.usefixtures("lab")
def test_events_in_the_order_of_time(run: Run) -> None:
    result = run("events")
    assert result.exit_code == 0
    rows = [line.split()[1:] for line in result.stdout.splitlines()]
    assert rows == [
        ["alice", "control", "dial", "->", "n01"],
        ["n01", "live", "add", "->", "cdcdcdcd…"],
        ["alice", "live", "pss.forwarded", "->", "n01", "pss", "message", "abababab…", "po=3"],
        ["n01", "live", "drop", "quitting"],
        ["alice", "live", "msgsend", "->", "n01", "bzz:1", "7", "B"],
    ]


@pytest.mark.usefixtures("lab")
@pytest.mark.parametrize(
    ("arguments", "kinds"),
    [
        (["--kind", "add", "--kind", "drop"], ["add", "drop"]),
        (["--kind", "pss"], ["pss.forwarded"]),
        (["--filter", "pss"], ["pss.forwarded"]),
        (["--filter", "pss:0"], ["pss.forwarded"]),
        (["--filter", "pss:1"], []),
        (["--filter", "bzz:0,1", "--filter", "pss:*"], ["pss.forwarded", "msgsend"]),
        (["--nodes", "n0*"], ["add", "drop"]),
        (["--tail", "2"], ["drop", "msgsend"]),
        (["--tail", "0"], []),
        (["--tail", "1", "--kind", "add,dial"], ["add"]),
    ],
)
def test_some_events(run: Run, arguments: list[str], kinds: list[str]) -> None:
    result = run("events", "--json", *arguments)
    assert [json.loads(line)["kind"] for line in result.stdout.splitlines()] == kinds


@pytest.mark.usefixtures("lab")
def test_events_as_json_lines(run: Run) -> None:
    first = json.loads(run("events", "--json").stdout.splitlines()[0])
    assert (first["node"], first["kind"], first["peer_name"], first["control"]) == ("alice", "dial", "n01", True)
    assert first["wall_s"] == START_S + 0.1


def test_what_is_so_now(run: Run, lab: FakeLab) -> None:
    lab.runtime.states["bob"] = NodeState.STOPPED
    rows = [line.split() for line in run("events", "--current", "--tail", "0").stdout.splitlines()]
    assert rows == [
        ["now", "alice", "current", "node", "state=running", "depth=1"],
        ["now", "n01", "current", "node", "state=running", "depth=1"],
        ["now", "bob", "current", "node", "state=stopped"],
        ["now", "alice", "current", "conn", "--", "n01"],
        ["now", "bob", "current", "conn", "--", "n01"],
    ]
    first = json.loads(run("events", "--current", "--tail", "0", "--json").stdout.splitlines()[0])
    assert first["current"] is True
    assert first["data"] == {"state": "running", "depth": 1}


def test_the_engine_is_asked_once_for_the_states(run: Run, lab: FakeLab, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[None] = []
    states = lab.runtime.node_states
    monkeypatch.setattr(lab.runtime, "node_states", lambda: asked.append(None) or states())
    assert run("events", "--current", "--tail", "0").exit_code == 0
    assert len(asked) == 1


def test_nodes_are_asked_for_no_more_than_is_shown(run: Run, lab: FakeLab) -> None:
    run("events", "--tail", "0")
    assert not [call for call in lab.calls if call[0] == "recall"]
    run("events", "--tail", "2")
    assert sorted(call for call in lab.calls if call[0] == "recall") == [
        ("recall", "alice", 2),
        ("recall", "bob", 2),
        ("recall", "n01", 2),
    ]


@pytest.mark.parametrize(
    ("state", "says"),
    [
        (NodeState.PAUSED, "n01 is paused: its events are missing"),
        (NodeState.STOPPED, "n01 is stopped: its events are missing"),
        (NodeState.MISSING, "n01 is missing: its events are missing"),
    ],
)
def test_whose_events_are_missing(run: Run, lab: FakeLab, state: NodeState, says: str) -> None:
    lab.runtime.states["n01"] = state
    result = run("events", "--kind", "add,dial")
    assert result.exit_code == 0
    assert [line.split()[1] for line in result.stdout.splitlines()] == ["alice"]
    assert result.stderr.splitlines() == [says]
    assert run("events", "--nodes", "alice").stderr == ""


def test_a_node_that_runs_and_does_not_answer(run: Run, lab: FakeLab, monkeypatch: pytest.MonkeyPatch) -> None:
    ask = lab.ask
    monkeypatch.setattr(lab, "ask", lambda question, names=None: ask(question, set(names or lab.running) - {"n01"}))
    assert run("events").stderr.splitlines() == ["n01 does not answer: its events are missing"]


@pytest.mark.usefixtures("lab")
@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--filter", "hive:0"], True),
        (["--filter", "bzz:0,1"], True),
        (["--filter", "pss:0"], True),
        (["--kind", "msgrecv"], True),
        (["--filter", "foo"], True),
        (["--filter", "pss"], False),
        (["--filter", "pss:0", "--kind", "pss"], False),
        (["--kind", "add"], False),
        ([], False),
    ],
)
def test_that_messages_are_not_remembered(run: Run, arguments: list[str], said: bool) -> None:
    assert ("messages are not remembered" in run("events", *arguments).stderr) is said


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--kind", "ad"], "did you mean 'add'?"),
        (["--filter", "pss:x"], "expected PROTOCOL or PROTOCOL:CODES"),
        (["--filter", ":1"], "expected PROTOCOL or PROTOCOL:CODES"),
        (["--filter", "p2p:1"], "connections that begin and end: --kind add,drop"),
        (["--nodes", "alise"], "did you mean 'alice'?"),
    ],
)
def test_events_of_nothing(run: Run, arguments: list[str], says: str) -> None:
    result = run("events", *arguments)
    assert result.exit_code == 2
    assert says in result.stderr


def interrupt_when(condition: Callable[[], bool]) -> threading.Thread:
    """Press Ctrl-C as soon as something is so."""

    def wait() -> None:
        deadline = time.monotonic() + 10
        while not condition() and time.monotonic() < deadline:
            time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=wait)
    thread.start()
    return thread


def test_following_ends_with_ctrl_c(run: Run, lab: FakeLab, monkeypatch: pytest.MonkeyPatch) -> None:
    lab.later = {"bob": [event(9, 1.0, Kind.ADD)], "alice": [event(4, 0.9, Kind.DROP)]}
    shown: list[str] = []
    monkeypatch.setattr("orchestrator.cli.events._Printer.told", lambda self, told: shown.append(told.event.kind.value))
    thread = interrupt_when(lambda: len(shown) == 3)
    result = run("events", "--follow", "--tail", "1")
    thread.join()
    assert result.exit_code == 130
    assert "following 3 nodes; Ctrl-C ends it\n" in result.stderr
    # The last that was remembered, then what happened, by time and not by node.
    assert shown == ["msgsend", "drop", "add"]
    assert lab.calls[-1] == ("close",)
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("events of")]


def test_a_protocol_that_nobody_speaks_is_named(run: Run, lab: FakeLab, monkeypatch: pytest.MonkeyPatch) -> None:
    lab.later = {"bob": [event(9, 1.0, Kind.PSS_QUEUED, protocol="pss")]}
    shown: list[str] = []
    monkeypatch.setattr("orchestrator.cli.events._Printer.told", lambda self, told: shown.append(told.event.kind.value))
    thread = interrupt_when(lambda: bool(shown))
    result = run("events", "--follow", "--filter", "bz:0", "--filter", "pss:0")
    thread.join()
    assert "no connection has a protocol 'bz'; there are: bzz, pss\n" in result.stderr
    assert "'pss'" not in result.stderr
    assert shown == ["pss.queued"]


def test_following_with_a_wrong_token(run: Run, lab: FakeLab) -> None:
    lab.raises = ControlError("bob", grpc.StatusCode.UNAUTHENTICATED, "wrong token")
    result = run("events", "--follow")
    assert result.exit_code == 1
    assert "token file does not match" in result.stderr
