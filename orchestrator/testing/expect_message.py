"""Watching a block for a message: it has to arrive, or must not; see :mod:`orchestrator.testing.expect`."""

from __future__ import annotations

import time
import warnings
from contextlib import AbstractContextManager, ExitStack
from typing import NoReturn, Self

from node.control.client import ControlError
from node.control.gen import control_pb2 as pb
from orchestrator.node_handle import NodeHandle
from orchestrator.testing.report import last_events
from orchestrator.testing.streams import Ended, StreamReader

MAX_SHOWN = 5
"""Of other messages that came."""


class ExpectMessage(AbstractContextManager["ExpectMessage"]):
    """What `expect.message` and `expect.no_message` give.

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
        __tracebackhide__ = True
        self._entered = True
        try:
            topic = self._topic if isinstance(self._topic, bytes) else self._node.topic(self._topic)
            stream = self._undo.enter_context(self._node.control.subscribe(topic, raw=True))
        except ControlError as error:
            fail(self._node, f"{self._node.name} does not listen for messages: {error}")
        self._reader = StreamReader(stream, f"messages of {self._node.name}")
        return self

    def __exit__(self, failed: type[BaseException] | None, *_: object) -> None:
        __tracebackhide__ = True
        gone: Exception | None = None
        with self._undo:
            if failed is None:
                try:
                    self.received = self._look()
                except (Ended, ControlError) as error:
                    gone = error
        if failed is not None:
            return
        name, about = self._node.name, f"on topic {self._topic!r}"
        if self._payload is not None:
            about += f" with {self._payload!r}"
        if gone is not None:
            # Somebody who is not there gets no message either: that proves nothing.
            when = f"before a message {about} arrived" if self._wanted else f"while nothing was to arrive {about}"
            fail(self._node, f"{name} went away {when}: {gone}")
        if self._wanted and self.received is None:
            others = f"; others that came: {self._others[:MAX_SHOWN]}" if self._others else ""
            fail(self._node, f"no message {about} reached {name} within {self._seconds:g} s{others}")
        if not self._wanted and self.received is not None:
            fail(self._node, f"a message {about} reached {name}, which must not be: {self.received.payload!r}")

    def _look(self) -> pb.PssMessage | None:
        """The message, or None if the time passes first.

        Raises:
            Ended, ControlError: the node went away before either.
        """
        deadline = time.monotonic() + self._seconds
        while (received := self._reader.next(deadline)) is not None:
            if self._payload in (None, received.payload):
                return received
            self._others.append(received.payload)
        return None

    def __del__(self) -> None:
        if not self._entered:
            warnings.warn(
                "expect.message and expect.no_message do nothing without 'with'", RuntimeWarning, stacklevel=2
            )


def fail(node: NodeHandle, text: str) -> NoReturn:
    """Fail the test, with the last events of a node."""
    __tracebackhide__ = True
    raise AssertionError(f"{text}\nlast events of {node.name}:\n{last_events(node)}")
