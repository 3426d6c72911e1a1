"""Messages that no peer took yet, until one does or ten minutes have passed (spec 06 section 6).

The reference has 50 slots, blocks the caller when they are full, and tries again without a pause. Here the queue is
bounded, never blocks, and waits between tries; a new peer ends the wait. Knows nothing of peers: forwarding is a
callback. Nothing is kept on disk.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from dataclasses import dataclass, field

from node.errors import OutboxFull
from node.pss.message import PssMessage

MAX_MESSAGES = 1024
"""Ours. Without a peer the reference holds 50 and hangs; a program that sends before it is connected gets farther."""
MAX_BYTES = 64 * 1024 * 1024
"""Ours: what all waiting messages may occupy on the wire, so that 1024 of the largest do not take a gigabyte."""
MIN_RETRY_S = 0.1
MAX_RETRY_S = 0.5
"""Pause after the first and after every later failure; doubles in between (spec 06 section 6 suggests the range)."""
GIVE_UP_S = 600.0
"""A message that fails later than this after it was queued is dropped (spec 06 section 1)."""
MAX_TRIES_PER_RETRY = 128
"""Messages tried in one go, so that a full outbox does not hold up the event loop when a peer comes."""


@dataclass(order=True, slots=True)
class _Waiting:
    due: float
    order: int
    message: PssMessage = field(compare=False)
    size: int = field(compare=False)
    queued_at: float = field(compare=False)
    pause_s: float = field(compare=False)


class Outbox:
    """Bounded queue of messages with the time of their next try."""

    def __init__(self, *, max_messages: int = MAX_MESSAGES, max_bytes: int = MAX_BYTES) -> None:
        self._max_messages, self._max_bytes = max_messages, max_bytes
        self._heap: list[_Waiting] = []
        self._bytes = 0
        self._count = 0

    def put(self, message: PssMessage, *, now: float) -> None:
        """Keep a message that could not be forwarded just now; the next try is after a pause.

        Raises:
            OutboxFull: too many messages or bytes wait already. Nothing is dropped to make room.
        """
        size = len(message.encode())
        if len(self._heap) >= self._max_messages:
            raise OutboxFull(f"outbox is full: {len(self._heap)} messages wait for a peer")
        if self._bytes + size > self._max_bytes:
            raise OutboxFull(f"outbox is full: {self._bytes} + {size} > {self._max_bytes} bytes")
        self._bytes += size
        self._count += 1
        item = _Waiting(now + MIN_RETRY_S, self._count, message, size, queued_at=now, pause_s=MIN_RETRY_S)
        heapq.heappush(self._heap, item)

    def peer_added(self, *, now: float) -> None:
        """Make every message due: there is somebody new to ask."""
        for item in self._heap:
            item.due, item.pause_s = min(item.due, now), MIN_RETRY_S
        heapq.heapify(self._heap)

    def next_deadline(self) -> float | None:
        """When :meth:`retry` has something to do, on the caller's clock; None if nothing waits."""
        return self._heap[0].due if self._heap else None

    def retry(self, forward: Callable[[PssMessage], bool], *, now: float) -> list[PssMessage]:
        """Try what is due, oldest deadline first, at most MAX_TRIES_PER_RETRY messages.

        Args:
            forward: sends a message on; whether any peer took it.

        Returns:
            The messages that were given up.
        """
        given_up: list[PssMessage] = []
        for _ in range(MAX_TRIES_PER_RETRY):
            if not self._heap or self._heap[0].due > now:
                break
            item = heapq.heappop(self._heap)
            self._bytes -= item.size
            if forward(item.message):
                continue
            if now - item.queued_at > GIVE_UP_S:
                given_up.append(item.message)
                continue
            item.pause_s = min(2 * item.pause_s, MAX_RETRY_S)
            item.due = now + item.pause_s
            self._bytes += item.size
            heapq.heappush(self._heap, item)
        return given_up

    def __len__(self) -> int:
        return len(self._heap)
