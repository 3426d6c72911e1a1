"""What a test waits for: each helper has a deadline, and fails with the node's last events.

:func:`message` and :func:`no_message` watch a block, because a message is only seen by who listens already::

    with expect.message(lab, "bob", "chat", b"hi", within=5):
        ...  # what makes somebody send it

The others look at what is, or was, and wait if need be. Times are in seconds.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack
from typing import Any, NoReturn, Self

from node.control.client import ControlError
from node.control.gen import control_pb2 as pb
from node.events import Kind, NodeEvent
from orchestrator.lab import Lab
from orchestrator.node_handle import NodeHandle
from orchestrator.testing.report import last_events
from orchestrator.testing.streams import Ended, StreamReader

WITHIN_S = 5.0
DURING_S = 1.0
POLL_S = 0.05
MAX_SHOWN = 5


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
        The first such event that the node remembers, or that comes.
    """
    __tracebackhide__ = True
    wanted = {name: value.id.hex() if isinstance(value, NodeHandle) else value for name, value in fields.items()}
    found = _await_event(
        node,
        (str(kind),),
        lambda event: all(getattr(event, name) == value for name, value in wanted.items()) and where(event),
        within,
    )
    if found is None:
        what = " ".join([str(kind), *(f"{name}={value}" for name, value in wanted.items())])
        _fail(node, f"no event {what} in {node.name} within {within:g} s")
    return found


def connected(a: NodeHandle, b: NodeHandle, *, within: float = WITHIN_S) -> None:
    """Two nodes are connected, and each has the other in its table, or that comes about within that time."""
    __tracebackhide__ = True
    deadline = time.monotonic() + within
    for one, other in ((a, b), (b, a)):
        if not _await_state(one, (Kind.KAD_ON,), lambda one=one, other=other: _has(one, other), deadline):  # type: ignore[misc]
            _fail(one, f"{one.name} is not connected with {other.name} within {within:g} s")


def disconnected(node: NodeHandle, other: NodeHandle, *, within: float = WITHIN_S) -> None:
    """A node is not connected with another, which may be down, or that comes about within that time."""
    __tracebackhide__ = True
    deadline = time.monotonic() + within
    if not _await_state(node, (Kind.DROP, Kind.KAD_OFF), lambda: not _has(node, other), deadline):
        _fail(node, f"{node.name} is still connected with {other.name} after {within:g} s")


def answer(node: NodeHandle, method: str, *params: object, gives: Any, within: float = WITHIN_S) -> Any:
    """A JSON-RPC method of a node gives a value, or does so within that time: it is asked again and again.

    Args:
        gives: the value, or a function that is true of it.

    Returns:
        The value.
    """
    __tracebackhide__ = True
    deadline = time.monotonic() + within
    while True:
        value = node.rpc(method, *params)
        if gives(value) if callable(gives) else value == gives:
            return value
        if time.monotonic() >= deadline:
            wanted = "what is expected" if callable(gives) else repr(gives)
            _fail(node, f"{method} of {node.name} does not give {wanted} within {within:g} s, but {value!r}")
        time.sleep(POLL_S)


class ExpectMessage(AbstractContextManager["ExpectMessage"]):
    """What :func:`message` and :func:`no_message` give.

    Attributes:
        received: the message that was wanted, after the block.
    """

    def __init__(
        self, node: NodeHandle, topic: str | bytes, payload: bytes | None, seconds: float, *, wanted: bool
    ) -> None:
        self.received: pb.PssMessage | None = None
        self._node, self._topic, self._payload = node, topic, payload
        self._seconds, self._wanted = seconds, wanted
        self._entered = False
        self._undo = ExitStack()
        self._others: list[bytes] = []
        self._reader: StreamReader[pb.PssMessage]

    def __enter__(self) -> Self:
        self._entered = True
        topic = self._topic if isinstance(self._topic, bytes) else self._node.topic(self._topic)
        stream = self._undo.enter_context(self._node.control.subscribe(topic, raw=True))
        self._reader = StreamReader(stream, f"messages of {self._node.name}")
        return self

    def __exit__(self, failed: type[BaseException] | None, *_: object) -> None:
        __tracebackhide__ = True
        with self._undo:
            if failed is None:
                self.received = self._look()
        if failed is not None:
            return
        name, about = self._node.name, f"on topic {self._topic!r}"
        if self._payload is not None:
            about += f" with {self._payload!r}"
        if self._wanted and self.received is None:
            others = f"; others that came: {self._others[:MAX_SHOWN]}" if self._others else ""
            _fail(self._node, f"no message {about} reached {name} within {self._seconds:g} s{others}")
        if not self._wanted and self.received is not None:
            _fail(self._node, f"a message {about} reached {name}, which must not be: {self.received.payload!r}")

    def _look(self) -> pb.PssMessage | None:
        received: pb.PssMessage
        for received in _until(self._reader, time.monotonic() + self._seconds):
            if self._payload in (None, received.payload):
                return received
            self._others.append(received.payload)
        return None

    def __del__(self) -> None:
        if not self._entered:
            warnings.warn(
                "expect.message and expect.no_message do nothing without 'with'", RuntimeWarning, stacklevel=2
            )


# -- inside


def _bytes(payload: bytes | str | None) -> bytes | None:
    return payload.encode() if isinstance(payload, str) else payload


def _has(node: NodeHandle, other: NodeHandle) -> bool:
    return any(peer.node_id == other.id and peer.overlay for peer in node.control.peers())


def _await_event(
    node: NodeHandle, kinds: tuple[str, ...], is_it: Callable[[NodeEvent], bool], within: float
) -> NodeEvent | None:
    deadline = time.monotonic() + within
    with node.events(*kinds, history=True) as events:
        return next(filter(is_it, _until(StreamReader(events, f"events of {node.name}"), deadline)), None)


def _await_state(node: NodeHandle, kinds: tuple[str, ...], holds: Callable[[], bool], deadline: float) -> bool:
    """Look, and look again whenever one of these events comes."""
    with node.events(*kinds) as events:
        reader = StreamReader(events, f"events of {node.name}")
        if holds():
            return True
        return any(holds() for _ in _until(reader, deadline)) or holds()


def _until(reader: StreamReader[Any], deadline: float) -> Iterator[Any]:
    """What a stream brings before the deadline; a node that ends has nothing more to say."""
    try:
        while (item := reader.next(deadline)) is not None:
            yield item
    except (Ended, ControlError):
        return


def _fail(node: NodeHandle, text: str) -> NoReturn:
    __tracebackhide__ = True
    raise AssertionError(f"{text}\nlast events of {node.name}:\n{last_events(node)}")
