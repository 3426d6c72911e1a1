"""What a test waits for: each helper has a deadline, and fails with the node's last events.

:func:`message` and :func:`no_message` watch a block, because a message is only seen by who listens already::

    with expect.message(lab, "bob", "chat", b"hi", within=5):
        ...  # what makes somebody send it

The others look at what is, or was, and wait if need be. A node that does not answer may be starting just now, so it is
asked again until the time is up. Times are in seconds.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import grpc

from node.control.client import ControlError
from node.events import NodeEvent
from orchestrator.lab import Lab
from orchestrator.node_handle import NodeHandle
from orchestrator.testing.expect_message import ExpectMessage, fail
from orchestrator.testing.since import counts
from orchestrator.testing.streams import Ended, StreamReader

WITHIN_S = 5.0
DURING_S = 1.0
POLL_S = 0.05


def message(
    lab: Lab, node: str, topic: str | bytes, payload: bytes | str | None = None, *, within: float = WITHIN_S
) -> ExpectMessage:
    """A pss message arrives at a node: during the block, or at most `within` seconds after it.

    Args:
        topic: its name, or the 4 bytes themselves.
        payload: what it says; None takes any.

    Returns:
        A context manager; after the block its `received` is the message.
    """
    return ExpectMessage(lab[node], topic, _bytes(payload), within, wanted=True)


def no_message(
    lab: Lab, node: str, topic: str | bytes, payload: bytes | str | None = None, *, during: float = DURING_S
) -> ExpectMessage:
    """No such message arrives during the block and for `during` seconds after it.

    Nothing can prove that it would not have come later: choose `during` well above what a message takes. Where you can,
    expect another message in the same block that is sent after the one that must not come.
    """
    return ExpectMessage(lab[node], topic, _bytes(payload), during, wanted=False)


def event(
    node: NodeHandle,
    kind: str,
    *,
    within: float = WITHIN_S,
    where: Callable[[NodeEvent], bool] = lambda event: True,
    **fields: object,
) -> NodeEvent:
    """Something happened in a node, or happens within that time.

    Args:
        kind: such as "kad.on" or "pss.delivered"; see docs/reference/events.md.
        where: what else must be true of the event.
        fields: values that attributes of the event must have: `peer=`, `protocol=`, `reason=`, ...; a node stands
            for its id.

    Returns:
        The first such event that the node remembers, or that comes. In a lab that tests share, what happened before
        this test is forgotten.
    """
    __tracebackhide__ = True
    wanted = {name: value.id.hex() if isinstance(value, NodeHandle) else value for name, value in fields.items()}
    deadline = time.monotonic() + within
    while True:
        try:
            found = _next_event(
                node,
                str(kind),
                lambda event: (
                    counts(node, event)
                    and all(getattr(event, name) == value for name, value in wanted.items())
                    and where(event)
                ),
                deadline,
            )
        except ControlError as error:
            if error.code is grpc.StatusCode.UNIMPLEMENTED:  # it has none, and never will
                raise
            found, why = None, f"; {error}"
        else:
            why = ""
        if found is not None:
            return found
        if time.monotonic() >= deadline:
            what = " ".join([str(kind), *(f"{name}={value}" for name, value in wanted.items())])
            fail(node, f"no event {what} in {node.name} within {within:g} s{why}")
        time.sleep(POLL_S)


def connected(a: NodeHandle, b: NodeHandle, *, within: float = WITHIN_S) -> None:
    """Two nodes are connected, and each has the other in its table, or that comes about within that time."""
    __tracebackhide__ = True
    deadline = time.monotonic() + within
    for one, other in ((a, b), (b, a)):
        _await_connection(one, other, deadline, within)


def disconnected(node: NodeHandle, other: NodeHandle, *, within: float = WITHIN_S) -> None:
    """A node is not connected with another, which may be down, or that comes about within that time."""
    __tracebackhide__ = True
    _until(
        node,
        lambda: not _has(node, other),
        time.monotonic() + within,
        f"{node.name} is disconnected from {other.name}",
        lambda: f"{node.name} is still connected with {other.name} after {within:g} s",
    )


def answer(node: NodeHandle, method: str, *params: object, gives: Any, within: float = WITHIN_S) -> Any:
    """A JSON-RPC method of a node gives a value, or does so within that time: it is asked again and again.

    Args:
        gives: the value, or a function that is true of it.

    Returns:
        The value.

    Raises:
        RPCError: the method answers with an error.
    """
    __tracebackhide__ = True
    value: Any = None
    wanted = "what is expected" if callable(gives) else repr(gives)

    def holds() -> bool:
        nonlocal value
        value = node.rpc(method, *params)
        return bool(gives(value) if callable(gives) else value == gives)

    _until(
        node,
        holds,
        time.monotonic() + within,
        f"{method} of {node.name} gives {wanted}",
        lambda: f"{method} of {node.name} does not give {wanted} within {within:g} s, but {value!r}",
    )
    return value


# -- inside


def _bytes(payload: bytes | str | None) -> bytes | None:
    return payload.encode() if isinstance(payload, str) else payload


def _has(node: NodeHandle, other: NodeHandle) -> bool:
    return any(peer.node_id == other.id and peer.overlay for peer in node.control.peers())


def _await_connection(node: NodeHandle, other: NodeHandle, deadline: float, within: float) -> None:
    __tracebackhide__ = True
    _until(
        node,
        lambda: _has(node, other),
        deadline,
        f"{node.name} is connected with {other.name}",
        lambda: f"{node.name} is not connected with {other.name} within {within:g} s",
    )


def _next_event(node: NodeHandle, kind: str, is_it: Callable[[NodeEvent], bool], deadline: float) -> NodeEvent | None:
    """The first such event, of the past too; None if the stream ends or the time passes first.

    Raises:
        ControlError: the node does not answer, or went away.
    """
    with node.events(kind, history=True) as events:
        reader = StreamReader(events, f"events of {node.name}")
        try:
            while (event := reader.next(deadline)) is not None:
                if is_it(event):
                    return event
        except Ended:
            return None
    return None


def _until(
    node: NodeHandle, holds: Callable[[], bool], deadline: float, claim: str, otherwise: Callable[[], str]
) -> None:
    """Look until something holds.

    Args:
        claim: what that is.
        otherwise: what is said if it does not.
    """
    __tracebackhide__ = True
    while True:
        error: ControlError | None = None
        try:
            if holds():
                return
        except ControlError as failure:
            error = failure
        if time.monotonic() >= deadline:
            fail(node, f"it is not known whether {claim}: {error}" if error else otherwise())
        time.sleep(POLL_S)
