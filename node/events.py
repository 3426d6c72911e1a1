"""What happens in a node, as data: one schema for the node, the orchestrator, tests, traces and dashboards.

A superset of the reference's PeerEvent (spec 02 section 8). Emitting costs one attribute look-up while nobody listens.
Events name messages by their digest; they never carry plaintext or keys.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

HISTORY_EVENTS = 8192
"""How many events a node keeps for those who ask later (`lab trace`); about 4 MB."""
QUEUE_EVENTS = 65536
"""Backlog of one slow listener; when it is full the oldest go, and the sequence numbers show the gap."""


class Kind(StrEnum):
    """What happened."""

    ADD = "add"
    DROP = "drop"
    MSG_SEND = "msgsend"
    MSG_RECV = "msgrecv"
    DIAL = "dial"
    DIAL_FAILED = "dialfailed"
    KAD_ON = "kad.on"
    KAD_OFF = "kad.off"
    PSS_SENT = "pss.sent"
    PSS_RECEIVED = "pss.received"
    PSS_FORWARDED = "pss.forwarded"
    PSS_DELIVERED = "pss.delivered"
    PSS_DROPPED = "pss.dropped"
    PSS_DUPLICATE = "pss.duplicate"
    PSS_QUEUED = "pss.queued"
    """Nobody to forward to just now; it waits in the outbox."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeEvent:
    """One thing that happened."""

    seq: int
    """Counts up by one in each node."""
    wall_s: float
    """Unix time in seconds."""
    mono_s: float
    """Monotonic clock of the node's machine in seconds: for differences."""
    kind: Kind
    peer: str = ""
    """Node ID of the other side, 64 hex digits."""
    protocol: str = ""
    code: int | None = None
    """Message code, relative to the protocol."""
    size: int | None = None
    """Uncompressed payload bytes."""
    digest: str = ""
    """Which pss message, 64 hex digits."""
    reason: str = ""
    control: bool = False
    """Somebody asked for it, as opposed to: it happened."""
    local: str = ""
    remote: str = ""
    """Socket ends, ``ip:port``."""
    data: dict[str, Any] = field(default_factory=dict)
    """What only this kind has, JSON types."""


Listener = Callable[[NodeEvent], None]


class EventBus:
    """Hands each event to every listener, in order, at once."""

    def __init__(self) -> None:
        self.active = False
        """Whether anybody listens. Hot paths look here before they gather the fields of an event."""
        self._listeners: list[Listener] = []
        self._history: deque[NodeEvent] | None = None
        self._seq = itertools.count(1)

    def keep_history(self, limit: int = HISTORY_EVENTS) -> None:
        """From now on remember the last `limit` events."""
        self._history = deque(maxlen=limit)
        self.active = True

    @property
    def history(self) -> list[NodeEvent]:
        """What is remembered, oldest first."""
        return list(self._history or ())

    def emit(self, kind: Kind, **fields: Any) -> None:
        """Tell all listeners; see :class:`NodeEvent` for the fields."""
        if not self.active:
            return
        event = NodeEvent(seq=next(self._seq), wall_s=time.time(), mono_s=time.monotonic(), kind=kind, **fields)
        if self._history is not None:
            self._history.append(event)
        for listener in tuple(self._listeners):
            listener(event)

    def listen(self, listener: Listener) -> Callable[[], None]:
        """Call `listener` with every event from now on.

        Returns:
            What ends it; calling that a second time does nothing.
        """
        self._listeners.append(listener)
        self.active = True

        def stop() -> None:
            if listener in self._listeners:
                self._listeners.remove(listener)
                self.active = bool(self._listeners) or self._history is not None

        return stop

    @contextlib.contextmanager
    def listening(self, listener: Listener) -> Iterator[None]:
        """Call `listener` with every event while the block runs."""
        stop = self.listen(listener)
        try:
            yield
        finally:
            stop()

    @contextlib.asynccontextmanager
    async def stream(self, *kinds: Kind) -> AsyncIterator[AsyncIterator[NodeEvent]]:
        """Events of `kinds` (all, if none is named) as they happen::

        async with bus.stream(Kind.ADD) as events:
            async for event in events: ...
        """
        backlog: deque[NodeEvent] = deque(maxlen=QUEUE_EVENTS)
        ready = asyncio.Event()

        def take(event: NodeEvent) -> None:
            if not kinds or event.kind in kinds:
                backlog.append(event)
                ready.set()

        async def events() -> AsyncIterator[NodeEvent]:
            while True:
                await ready.wait()
                ready.clear()
                while backlog:
                    yield backlog.popleft()

        with self.listening(take):
            yield events()
