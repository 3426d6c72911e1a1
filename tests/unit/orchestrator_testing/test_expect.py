"""What becomes of an expectation when a node goes away; the helpers on nodes that run are in the plugin's tests."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any, cast

import grpc
import pytest

from node.control.client import ControlError
from node.control.gen import control_pb2 as pb
from node.errors import RPCError
from node.events import NodeEvent
from orchestrator.lab import Lab
from orchestrator.node_handle import NodeHandle
from orchestrator.testing import expect
from orchestrator.testing.expect_message import ExpectMessage

LONG_S = 60.0
"""Whoever waits for that long fails by the test's own timeout."""
TOPIC = b"chat"


def gone(code: grpc.StatusCode = grpc.StatusCode.UNAVAILABLE) -> ControlError:
    return ControlError("bob", code, "gone")


class FakeNode:
    """A node that is its own control: what it gives on a stream, how the stream ends, and its answers in turn."""

    name = "bob"

    def __init__(self, *stream: bytes | NodeEvent, end: Exception | None = None, answers: tuple[Any, ...] = ()) -> None:
        self.control = self
        self._stream, self._end, self._answers = stream, end, list(answers)

    @contextlib.contextmanager
    def subscribe(self, topic: bytes, *, raw: bool) -> Iterator[Iterator[pb.PssMessage]]:
        yield (pb.PssMessage(payload=cast(bytes, item)) for item in self._given())

    def _given(self) -> Iterator[bytes | NodeEvent]:
        yield from self._stream
        if self._end is not None:
            raise self._end

    def rpc(self, method: str, *params: object) -> Any:
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer

    @contextlib.contextmanager
    def events(self, *kinds: str, history: bool = False) -> Iterator[Iterator[NodeEvent]]:
        self.rpc("events")
        yield cast(Iterator[NodeEvent], self._given())

    def history(self) -> list[NodeEvent]:
        raise gone()


def handle(node: FakeNode) -> NodeHandle:
    return cast(NodeHandle, node)


def watch(helper: Callable[..., ExpectMessage], node: FakeNode, payload: bytes | None = None) -> ExpectMessage:
    how_long = {"within" if helper is expect.message else "during": LONG_S}
    with helper(cast(Lab, {"bob": node}), "bob", TOPIC, payload, **how_long) as watching:
        pass
    return watching


ENDS = pytest.mark.parametrize("end", [gone(), None], ids=["broken", "ended"])


@ENDS
def test_what_came_before_the_end_came(end: Exception | None) -> None:
    received = watch(expect.message, FakeNode(b"other", b"hi", end=end), b"hi").received
    assert received is not None
    assert received.payload == b"hi"
    with pytest.raises(AssertionError, match="a message on topic b'chat' reached bob, which must not be: b'hi'"):
        watch(expect.no_message, FakeNode(b"hi", end=end))


@ENDS
def test_a_node_that_went_away_fails_either(end: Exception | None) -> None:
    why = "bob: gone" if end else "its stream ended"
    with pytest.raises(AssertionError, match=rf"bob went away before a message on topic b'chat' with b'hi' .*: {why}"):
        watch(expect.message, FakeNode(b"other", end=end), b"hi")
    with pytest.raises(AssertionError, match=rf"bob went away while nothing was to arrive on topic b'chat' .*: {why}"):
        watch(expect.no_message, FakeNode(b"other", end=end), b"hi")


def test_an_answer_is_asked_for_until_there_is_one() -> None:
    node = handle(FakeNode(answers=(gone(), 1, gone(), 2)))
    assert expect.answer(node, "x_y", gives=2, within=LONG_S) == 2


def test_the_last_failure_is_shown() -> None:
    with pytest.raises(
        AssertionError, match=r"it is not known whether x_y of bob gives 2: bob: gone\nlast events of bob"
    ):
        expect.answer(handle(FakeNode(answers=(1, gone()))), "x_y", gives=2, within=0.1)
    with pytest.raises(AssertionError, match=r"x_y of bob does not give 2 within 0\.1 s, but 1"):
        expect.answer(handle(FakeNode(answers=(gone(), 1))), "x_y", gives=2, within=0.1)


def test_what_a_method_says_is_no_reason_to_ask_again() -> None:
    with pytest.raises(RPCError, match="no such method"):
        expect.answer(handle(FakeNode(answers=(RPCError(-32601, "no such method"),))), "x_y", gives=2, within=LONG_S)


def test_a_node_that_has_no_events_is_not_asked_again() -> None:
    with pytest.raises(ControlError):
        expect.event(handle(FakeNode(answers=(gone(grpc.StatusCode.UNIMPLEMENTED),))), "kad.on", within=LONG_S)
