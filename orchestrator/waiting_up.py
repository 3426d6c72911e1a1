"""Waiting for a node that was just started, without waiting for one that has ended already."""

from __future__ import annotations

import time
from collections.abc import Iterable

import grpc

from node.control.client import ControlError
from node.control.gen import control_pb2 as pb
from orchestrator.errors import LabNotReady
from orchestrator.node_handle import NodeHandle
from orchestrator.runtime import NodeState, Runtime

LOOK_S = 2.0
"""How long to wait for an answer before looking whether the node runs at all; a start takes less."""
LOG_LINES = 5
DOCTOR_HINT = "lab doctor tells whether this machine is too busy or too small"
LATE = (grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.UNAVAILABLE)
"""How a call fails that nobody answers; a node that answers something else is there."""


def wait_until_up(node: NodeHandle, runtime: Runtime, timeout_s: float) -> pb.NodeInfo:
    """The node's info as soon as it answers.

    Raises:
        LabNotReady: not in time, or it has ended; with what it last said.
    """
    deadline = time.monotonic() + timeout_s
    while True:
        left = deadline - time.monotonic()
        try:
            return node.control.wait_until_up(max(min(LOOK_S, left), 0.0))
        except ControlError as error:
            ended = runtime.node_states().get(node.name) is not NodeState.RUNNING
            if left > LOOK_S and not ended and error.code is grpc.StatusCode.DEADLINE_EXCEEDED:
                continue
            why = "it ended" if ended else error.details
            raise LabNotReady(
                f"node {node.name} does not come up: {why}; {_last_words(runtime.logs(node.spec, tail=LOG_LINES))}",
                # One that ended has said why.
                hint=DOCTOR_HINT if not ended and error.code in LATE else "",
            ) from None


def _last_words(lines: Iterable[str]) -> str:
    """Lines of a log in one, as errors are, with nothing in it that a terminal would obey."""
    shown = ["".join(sign if sign.isprintable() else " " for sign in line).strip() for line in lines]
    return f"it last said: {' | '.join(shown)}" if shown else "it said nothing"
