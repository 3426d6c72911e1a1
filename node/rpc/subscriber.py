"""The client's end of a subscription, and what can go wrong with a client (spec 03 section 4.4).

Deliberately unknown here: connections; a `Subscription` only knows whom to ask for its end.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Any, Protocol, Self

from node.errors import LabError

MAX_QUEUED_EVENTS = 20_000
"""Events of a subscription that may wait to be taken. Source: spec 03 section 4.4."""


class RPCClientClosed(LabError):
    """The client was used after `close`, or closed meanwhile."""

    def __init__(self) -> None:
        super().__init__("client is closed")


class RPCConnectionLost(LabError):
    """The connection ended before the answer came."""


class NoResult(LabError):
    """An answer with neither result nor error, or none at all."""

    def __init__(self) -> None:
        super().__init__("no result in JSON-RPC response")


class SubscriptionOverflow(LabError):
    """Events came faster than they were taken; the subscription is over."""

    def __init__(self) -> None:
        super().__init__("subscription queue overflow")


class _Unsubscriber(Protocol):
    async def unsubscribe(self, namespace: str, subscription_id: str) -> None: ...


class Subscription:
    """Events of one subscription, in order: iterate over it. Ends by `unsubscribe`, or as `async with` ends.

    Iteration raises `SubscriptionOverflow` or `RPCConnectionLost` after the events that came before.

    Attributes:
        id: as the server gave it.
        namespace: where it was made.
    """

    def __init__(self, client: _Unsubscriber, namespace: str) -> None:
        self.id = ""
        self._client, self.namespace = client, namespace
        self._events: deque[Any] = deque()
        self._changed = asyncio.Event()
        self._ended = False
        self._error: LabError | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        if not self._ended:
            await self.unsubscribe()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Any:
        while not self._events:
            if self._ended:
                if self._error is not None:
                    raise self._error
                raise StopAsyncIteration
            self._changed.clear()
            await self._changed.wait()
        return self._events.popleft()

    async def unsubscribe(self) -> None:
        """End the subscription here and at the server; events that wait can still be taken.

        Raises:
            RPCError: `subscription not found`.
        """
        if not self._ended:
            self.end(None)
            await self._client.unsubscribe(self.namespace, self.id)

    def deliver(self, event: Any) -> bool:
        """For the client: one event. False when there is no room for it."""
        if len(self._events) >= MAX_QUEUED_EVENTS:
            return False
        self._events.append(event)
        self._changed.set()
        return True

    def end(self, error: LabError | None) -> None:
        """For the client: no more events come."""
        if not self._ended:
            self._ended, self._error = True, error
            self._changed.set()
