"""What waits for a protocol to be read: the receiving half of every pipe."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import NamedTuple

from node.errors import PeerDisconnected
from node.events import EventBus

Handler = Callable[[int, bytes], None]
"""Takes (code, payload) of one message; runs to its end before the next one is looked at."""


_NOBODY_ASKS = EventBus()


class Message(NamedTuple):
    """A message as a protocol sees it."""

    code: int
    """Relative to the protocol."""
    payload: bytes


class Inbox:
    """Messages in the order they came, for one reader.

    A protocol either reads them one by one, or has them handed to a function without a task in between.
    """

    def __init__(
        self, on_taken: Callable[[Message], None] = lambda message: None, *, events: EventBus = _NOBODY_ASKS
    ) -> None:
        """`on_taken` is told of each message as the protocol gets it, while somebody asks `events` for messages."""
        self.size_bytes = 0
        """Payloads of those that wait."""
        self.ended: PeerDisconnected | None = None
        """Why no more come."""
        self._on_taken, self._events = on_taken, events
        self._waiting: deque[Message] = deque()
        self._wakeup = asyncio.Event()
        self._handler: Handler | None = None
        self._failure: Exception | None = None

    def __len__(self) -> int:
        return len(self._waiting)

    # -- the protocol's side

    async def read(self) -> Message:
        """The next message.

        Raises:
            PeerDisconnected: no more messages come.
        """
        while not self._waiting:
            if self.ended is not None:
                raise self.ended
            self._wakeup.clear()
            await self._wakeup.wait()
        message = self._waiting.popleft()
        self.size_bytes -= len(message.payload)
        if self._events.messages:
            self._on_taken(message)
        return message

    async def serve(self, handler: Handler) -> None:
        """Call `handler` with every message until no more come.

        Raises:
            Exception: whatever `handler` raised first.
        """
        while self._waiting:
            message = await self.read()
            handler(message.code, message.payload)
        self._handler = handler
        try:
            while self.ended is None and self._failure is None:
                self._wakeup.clear()
                await self._wakeup.wait()
        finally:
            self._handler = None
        if self._failure is not None:
            raise self._failure

    # -- the side where they come from

    def hand_over(self, message: Message) -> bool:
        """Give a message to the handler that :meth:`serve` has in place; False if there is none."""
        if self._handler is None:
            return False
        if self._failure is None:
            if self._events.messages:
                self._on_taken(message)
            try:
                self._handler(message.code, message.payload)
            except Exception as error:  # whatever a protocol raises ends its run, in serve()
                self._failure = error
                self._wakeup.set()
        return True

    def put(self, message: Message) -> None:
        """Let a message wait. How many may is up to the caller."""
        self._waiting.append(message)
        self.size_bytes += len(message.payload)
        self._wakeup.set()

    def end(self, why: PeerDisconnected, *, drop: bool) -> None:
        """No more messages come; `drop` also forgets those that wait. A second time does nothing."""
        if self.ended is not None:
            return
        self.ended = why
        if drop:
            self._waiting.clear()
            self.size_bytes = 0
        self._wakeup.set()
