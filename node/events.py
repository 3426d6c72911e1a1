"""What happens in a node, as data: one schema for the node, the orchestrator, tests, traces and dashboards.

A superset of the reference's PeerEvent (spec 02 section 8). Emitting costs one attribute look-up while nobody listens.
Events name messages by their digest; they never carry plaintext or keys.

Messages of connections (:data:`MESSAGE_KINDS`) are many, so they are another matter: unless a node is set up to tell
them to everybody, as with the reference's EnableMsgEvents, they are told only to those who ask for them, and not
remembered.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

HISTORY_EVENTS = 8192
"""How many events a node keeps for those who ask later (`lab trace`); about 4 MB."""
QUEUE_EVENTS = 65536
"""Backlog of one slow listener; when it is full the oldest go, and :attr:`EventStream.lost` counts them."""


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


MESSAGE_KINDS = frozenset({Kind.MSG_SEND, Kind.MSG_RECV})
"""A message of a protocol left or was taken."""
PSS_KINDS = frozenset(kind for kind in Kind if kind.startswith("pss."))
PSS_CODE = 0
"""pss has no other message (spec 06 section 1), so events of pss are about this code, though they do not say so."""


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


@dataclass(frozen=True, slots=True, kw_only=True)
class EventFilter:
    """Which events somebody wants; without any condition all but messages.

    Attributes:
        kinds: of events; empty for all, and messages too if `protocols` are given.
        protocols: message codes by protocol, empty for all. None stands for all of a protocol, also without a code.
        digest: only events of this pss message, 64 hex digits.
    """

    kinds: frozenset[Kind] = frozenset()
    protocols: Mapping[str, frozenset[int] | None] = field(default_factory=dict)
    digest: str = ""

    @property
    def wants_messages(self) -> bool:
        """Whether it asks for messages, as opposed to: would let them pass."""
        return not self.digest and bool(self.kinds & MESSAGE_KINDS if self.kinds else self.protocols)

    def passes(self, event: NodeEvent) -> bool:
        if self.digest and event.digest != self.digest:
            return False
        code = PSS_CODE if event.code is None and event.kind in PSS_KINDS else event.code
        return self.passes_message(event.kind, event.protocol, code)

    def passes_message(self, kind: Kind, protocol: str, code: int | None) -> bool:
        """The same of a message, before there is an event of it."""
        if self.kinds and kind not in self.kinds:
            return False
        if not self.protocols:
            return True
        codes = self.protocols.get(protocol, frozenset())
        return codes is None or code in codes


class EventStream:
    """The events that a listener has not looked at yet; iterate over it for those that happen, without end.

    Attributes:
        lost: how many of them went because the listener was too slow.
    """

    def __init__(self) -> None:
        self.lost = 0
        self._backlog: deque[NodeEvent] = deque(maxlen=QUEUE_EVENTS)
        self._ready = asyncio.Event()

    def put(self, event: NodeEvent) -> None:
        """Add the next one."""
        if len(self._backlog) == self._backlog.maxlen:
            self.lost += 1
        self._backlog.append(event)
        self._ready.set()

    def __aiter__(self) -> EventStream:
        return self

    async def __anext__(self) -> NodeEvent:
        while not self._backlog:
            self._ready.clear()
            await self._ready.wait()
        return self._backlog.popleft()


class EventBus:
    """Hands each event to every listener, in order, at once.

    Attributes:
        active: whether anybody listens. Hot paths look here before they gather the fields of an event.
        messages: whether anybody asks for messages. Those who send and take them look here.
        last_seq: of the last event, 0 before the first.
        started_wall_s: Unix time since when events have been remembered; 0 as long as they are not.
    """

    def __init__(self) -> None:
        self.active = False
        self.messages = False
        self.last_seq = 0
        self.started_wall_s = 0.0
        self._listeners: list[Listener] = []
        self._askers: list[tuple[EventFilter, Listener]] = []
        self._messages_for_all = False
        self._history: deque[NodeEvent] | None = None
        self._not_remembered = 0
        """Of the sequence numbers up to the last."""

    # -- what is remembered

    def keep_history(self, limit: int = HISTORY_EVENTS) -> None:
        """From now on remember the last `limit` events."""
        self._history = deque(maxlen=limit)
        self._not_remembered = self.last_seq
        self.started_wall_s = time.time()
        self.active = True

    @property
    def history(self) -> list[NodeEvent]:
        """What is remembered, oldest first."""
        return list(self._history or ())

    @property
    def oldest_wall_s(self) -> float | None:
        """When older events are forgotten: Unix time of the oldest that is remembered."""
        return self._history[0].wall_s if self._history and self.forgotten_after(0) else None

    def forgotten_after(self, seq: int) -> int:
        """How many later events are forgotten: at most so many, for messages may have been among them."""
        if not self._history:
            return 0
        forgotten = self.last_seq - self._not_remembered - len(self._history)
        return max(0, min(forgotten, self._history[0].seq - seq - 1))

    # -- what happens

    def emit(self, kind: Kind, **fields: Any) -> None:
        """Tell all listeners; see :class:`NodeEvent` for the fields."""
        if not self.active:
            return
        event = self._next(kind, fields)
        if self._history is not None:
            self._history.append(event)
        for listener in tuple(self._listeners):
            listener(event)

    def emit_message(self, kind: Kind, *, protocol: str, code: int, **fields: Any) -> None:
        """Tell of a message those who asked for it, or all."""
        if self._messages_for_all:
            self.emit(kind, protocol=protocol, code=code, **fields)
            return
        listeners = [listener for only, listener in self._askers if only.passes_message(kind, protocol, code)]
        if not listeners:
            return
        event = self._next(kind, {"protocol": protocol, "code": code, **fields})
        self._not_remembered += 1
        for listener in listeners:
            listener(event)

    def _next(self, kind: Kind, fields: dict[str, Any]) -> NodeEvent:
        self.last_seq = seq = self.last_seq + 1
        return NodeEvent(seq=seq, wall_s=time.time(), mono_s=time.monotonic(), kind=kind, **fields)

    # -- who listens

    def tell_messages(self) -> None:
        """From now on messages are events like all others: every listener gets them, and they are remembered."""
        self.messages = self._messages_for_all = True

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

    @contextlib.contextmanager
    def _asking(self, only: EventFilter, listener: Listener) -> Iterator[None]:
        """Call `listener` with every message that passes `only` while the block runs."""
        asker = (only, listener)
        self._askers.append(asker)
        self.messages = True
        try:
            yield
        finally:
            self._askers.remove(asker)
            self.messages = bool(self._askers) or self._messages_for_all

    @contextlib.asynccontextmanager
    async def stream(self, *kinds: Kind, only: EventFilter | None = None) -> AsyncIterator[EventStream]:
        """Events of `kinds`, or that pass `only`, as they happen; of neither: all but messages that nobody asks for::

        async with bus.stream(Kind.ADD) as events:
            async for event in events: ...
        """
        wanted = only or EventFilter(kinds=frozenset(kinds))
        events = EventStream()

        def take(event: NodeEvent) -> None:
            if wanted.passes(event):
                events.put(event)

        with contextlib.ExitStack() as stack:
            stack.enter_context(self.listening(take))
            if wanted.wants_messages:
                stack.enter_context(self._asking(wanted, events.put))
            yield events
