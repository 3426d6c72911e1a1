"""Which Pong answers which Ping: a peer answers each one, in order (spec 02 section 5). No clock, no socket."""

from __future__ import annotations

import asyncio

from node.errors import PeerDisconnected


class RoundTrips:
    """The Pings of one connection, keepalives included, and who waits for the Pongs of some of them."""

    def __init__(self) -> None:
        self._pings = self._pongs = 0
        self.waiting: dict[int, asyncio.Future[float]] = {}
        """By the number of the Ping."""

    def ping_sent(self) -> int:
        """Count a Ping; its number."""
        self._pings += 1
        return self._pings

    def pong_read(self, now: float) -> None:
        """Give a Pong to whoever waits for it; one that nobody asked for is ignored."""
        if self._pongs == self._pings:
            return
        self._pongs += 1
        pong = self.waiting.get(self._pongs)
        if pong is not None and not pong.done():
            pong.set_result(now)

    def ended(self) -> None:
        """Tell everybody who waits that no Pong will come."""
        for pong in self.waiting.values():
            if not pong.done():
                pong.set_exception(PeerDisconnected("the connection ended", by_remote=False))
