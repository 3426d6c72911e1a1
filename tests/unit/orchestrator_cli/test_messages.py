"""`lab send` and `lab trace`."""

from __future__ import annotations

import json

import grpc
import pytest

from node.control.client import ControlError
from node.events import Kind, NodeEvent
from orchestrator.errors import DeliveryFailed
from orchestrator.runtime import NodeState
from tests.unit.orchestrator_cli.conftest import Run
from tests.unit.orchestrator_cli.fakes import DIGEST, FakeLabs


def test_send_prints_delivery_and_path(run: Run, labs: FakeLabs) -> None:
    result = run("send", "alice", "bob", "hi")
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert lines[0] == "bob got 2 bytes from alice (asym) after 4.2 ms"
    assert [line.split() for line in lines[1:]] == [
        ["alice", "->", "n01", "1.0", "ms"],
        ["n01", "->", "bob", "1.0", "ms"],
    ]
    assert labs.labs["default"].calls[0] == ("send", "alice", "bob", b"hi", {"mode": "asym", "timeout_s": 10.0})


def test_send_without_path(run: Run) -> None:
    assert "->" not in run("send", "alice", "bob", "hi", "--no-trace").stdout


def test_send_with_the_whole_tree(run: Run) -> None:
    lines = run("send", "alice", "bob", "hi", "--trace").stdout.splitlines()
    assert lines[0] == "bob got 2 bytes from alice (asym) after 4.2 ms"
    assert lines[1:] == run("trace").stdout.splitlines()


def test_send_options(run: Run, labs: FakeLabs) -> None:
    run("send", "alice", "bob", "-", "--mode", "raw", "--timeout", "500ms", stdin=b"\x00\xff")
    assert labs.labs["default"].calls[0] == ("send", "alice", "bob", b"\x00\xff", {"mode": "raw", "timeout_s": 0.5})


def test_send_json(run: Run) -> None:
    document = json.loads(run("send", "alice", "bob", "hi", "--json").stdout)
    assert document["delivered"] is True
    assert (document["from"], document["to"], document["mode"], document["bytes"]) == ("alice", "bob", "asym", 2)
    assert document["digest"] == DIGEST.hex()
    assert [hop["receiver"] for hop in document["journey"]["hops"]] == ["n01", "bob"]


def test_a_message_that_does_not_arrive(run: Run, labs: FakeLabs) -> None:
    labs.labs["default"].raises = DeliveryFailed("bob did not get it", hint="lab trace 00")
    result = run("send", "alice", "bob", "hi")
    assert (result.exit_code, result.stdout) == (124, "")
    assert result.stderr == "error: bob did not get it\nhint: lab trace 00\n"
    assert labs.labs["default"].calls[-1] == ("close",)


def test_a_message_that_does_not_arrive_as_json(run: Run, labs: FakeLabs) -> None:
    labs.labs["default"].raises = DeliveryFailed("bob did not get it")
    result = run("send", "alice", "bob", "hi", "--json")
    assert result.exit_code == 124
    document = json.loads(result.stdout)
    assert (document["delivered"], document["error"]) == (False, "bob did not get it")


def test_to_oneself(run: Run, labs: FakeLabs) -> None:
    result = run("send", "alice", "alice", "hi")
    assert result.exit_code == 2
    assert result.stderr == "error: sender and receiver are the same node: alice\nhint: lab send --help\n"
    assert labs.labs["default"].calls == []


@pytest.mark.parametrize("pair", [("alise", "bob"), ("bob", "alise")])
def test_an_unknown_node_gets_a_suggestion(run: Run, pair: tuple[str, str]) -> None:
    result = run("send", *pair, "hi")
    assert result.exit_code == 2
    assert result.stderr == "error: lab default has no node 'alise'\nhint: did you mean 'alice'?\n"


def test_a_node_unlike_any(run: Run) -> None:
    assert "hint: nodes: alice, n01, bob\n" in run("send", "zzz", "bob", "hi").stderr


def test_a_stopped_node(run: Run, labs: FakeLabs) -> None:
    labs.labs["default"].runtime.states["bob"] = NodeState.STOPPED
    result = run("send", "alice", "bob", "hi")
    assert result.exit_code == 6
    assert result.stderr == "error: node bob is stopped\nhint: lab node start bob\n"


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (grpc.StatusCode.UNAVAILABLE, 6),
        (grpc.StatusCode.DEADLINE_EXCEEDED, 124),
        (grpc.StatusCode.UNAUTHENTICATED, 1),
    ],
)
def test_control_errors(run: Run, labs: FakeLabs, status: grpc.StatusCode, code: int) -> None:
    labs.labs["default"].raises = ControlError("bob", status, "the details")
    result = run("send", "alice", "bob", "hi")
    assert result.exit_code == code
    assert result.stderr.splitlines()[0] == "error: bob: the details"
    assert ("token file does not match" in result.stderr) is (status is grpc.StatusCode.UNAUTHENTICATED)


def test_trace_of_the_last_message(run: Run, labs: FakeLabs) -> None:
    run("send", "alice", "bob", "hi")
    for arguments in (["trace"], ["trace", "last"], ["trace", DIGEST.hex()], ["trace", "0x" + DIGEST.hex().upper()]):
        result = run(*arguments)
        assert result.exit_code == 0
        assert "delivered to bob after 2 hops in 2.0 ms: alice -> n01 -> bob" in result.stdout


def test_trace_json(run: Run) -> None:
    document = json.loads(run("trace", DIGEST.hex(), "--json").stdout)
    assert (document["origin"], document["relays"]) == ("alice", ["n01"])


def test_trace_of_nothing(run: Run) -> None:
    result = run("trace")
    assert result.exit_code == 5
    assert result.stderr.startswith("error: no message was sent yet\nhint: ")


def test_trace_of_a_message_that_nobody_remembers(run: Run) -> None:
    result = run("trace", "ab" * 32)
    assert result.exit_code == 5
    assert "no node of lab default remembers message abab" in result.stderr


@pytest.mark.parametrize("digest", ["xyz", "ab", "abc…", "abcd..", "0x" + "ab" * 33, "g" * 64])
def test_trace_of_no_digest(run: Run, digest: str) -> None:
    result = run("trace", digest)
    assert result.exit_code == 2
    assert "expected 64 hex digits, or the first of them (4 at least), or last" in result.stderr


def event_of(digest: str, kind: Kind = Kind.PSS_RECEIVED) -> NodeEvent:
    return NodeEvent(seq=1, wall_s=1.0, mono_s=1.0, kind=kind, digest=digest)


@pytest.mark.parametrize("beginning", ["0001", "00010203…", "0x00010", DIGEST.hex()[:63], DIGEST.hex() + "…"])
def test_trace_of_a_digest_that_begins_so(run: Run, labs: FakeLabs, beginning: str) -> None:
    default = labs.labs["default"]
    default.events = {
        "alice": [event_of(DIGEST.hex(), Kind.PSS_SENT), event_of("ff" * 32, Kind.PSS_SENT)],
        "bob": [event_of(DIGEST.hex()), event_of("")],
    }
    result = run("trace", beginning)
    assert (result.exit_code, "alice -> n01 -> bob" in result.stdout) == (0, True), result.stderr
    assert default.calls == [("trace", DIGEST), ("close",)]


def test_trace_of_a_beginning_that_nobody_remembers(run: Run, labs: FakeLabs) -> None:
    default = labs.labs["default"]
    default.events = {"alice": [event_of("ff" * 32)]}
    result = run("trace", "0001")
    assert result.exit_code == 5
    assert result.stderr.startswith("error: no node of lab default remembers a message that begins with 0001\n")
    default.runtime.states["n01"] = NodeState.STOPPED
    assert run("trace", "0001").stderr.endswith("\nhint: n01 could not be asked\n")


def test_trace_of_a_beginning_that_several_have(run: Run, labs: FakeLabs) -> None:
    default = labs.labs["default"]
    known = [event_of(f"abcd{number}{'0' * 59}") for number in range(7)]
    default.events = {"n01": known[:2], "bob": known[1:2]}
    result = run("trace", "ABCD")
    assert result.exit_code == 2
    assert result.stderr == (
        "error: 2 messages begin with abcd: abcd00000000… and abcd10000000…\nhint: give more of its digits\n"
    )
    default.events["n01"] = known
    text = run("trace", "abcd").stderr
    assert "7 messages begin with abcd" in text
    assert (text.count("…"), "and 2 more" in text) == (5, True)
