"""A node that was started: it answers, it takes its time, or it has ended."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

import grpc
import pytest

from node.control.client import ControlError
from node.control.gen import control_pb2 as pb
from orchestrator import waiting_up
from orchestrator.errors import LabNotReady
from orchestrator.node_handle import NodeHandle
from orchestrator.runtime import NodeState, Runtime

LATE = ControlError("alice", grpc.StatusCode.DEADLINE_EXCEEDED, "Deadline Exceeded")
REFUSED = ControlError("alice", grpc.StatusCode.UNAUTHENTICATED, "wrong token")


class Fake:
    """The node, its control and its runtime; each call to it takes what it was given as timeout."""

    name = "alice"
    spec = None

    def __init__(self, monkeypatch: pytest.MonkeyPatch, answers: list[object], states: list[NodeState]) -> None:
        self.control, self.answers, self.states = self, answers, states
        self.said = ["my last", "  words\x1b[1m\t"]
        self.now, self.timeouts = 100.0, list[float]()
        monkeypatch.setattr("orchestrator.waiting_up.time.monotonic", lambda: self.now)

    def wait_until_up(self, timeout_s: float) -> object:
        self.timeouts.append(timeout_s)
        answer = self.answers.pop(0)
        if isinstance(answer, ControlError):
            if answer is LATE:
                self.now += timeout_s
            raise answer
        return answer

    def node_states(self) -> dict[str, NodeState]:
        return {self.name: self.states.pop(0)}

    def logs(self, node: Any, *, tail: int) -> Iterator[str]:
        yield from self.said

    def wait(self) -> object:
        return waiting_up.wait_until_up(cast(NodeHandle, self), cast(Runtime, self), 5.0)


def test_it_answers_late(monkeypatch: pytest.MonkeyPatch) -> None:
    info = pb.NodeInfo(name="alice")
    fake = Fake(monkeypatch, [LATE, LATE, info], [NodeState.RUNNING] * 2)
    assert fake.wait() is info
    assert fake.timeouts == [2, 2, 1]


@pytest.mark.parametrize(
    ("answers", "states", "text", "hint", "calls"),
    [
        ([LATE], [NodeState.STOPPED], "it ended", "", 1),
        ([LATE] * 3, [NodeState.RUNNING] * 3, "Deadline Exceeded", waiting_up.DOCTOR_HINT, 3),
        ([REFUSED], [NodeState.RUNNING], "wrong token", "", 1),
    ],
)
def test_it_does_not(
    monkeypatch: pytest.MonkeyPatch, answers: list[object], states: list[NodeState], text: str, hint: str, calls: int
) -> None:
    """Only where nothing better is known, the machine may be the cause."""
    fake = Fake(monkeypatch, answers, states)
    with pytest.raises(
        LabNotReady, match=rf"^node alice does not come up: {text}; it last said: my last \| words \[1m$"
    ) as failed:
        fake.wait()
    assert failed.value.hint == hint
    assert len(fake.timeouts) == calls


def test_one_that_said_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    fake = Fake(monkeypatch, [REFUSED], [NodeState.STOPPED])
    fake.said = []
    with pytest.raises(LabNotReady, match=r"alice does not come up: it ended; it said nothing$"):
        fake.wait()
