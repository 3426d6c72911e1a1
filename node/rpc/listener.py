"""A bare aiohttp server, as the HTTP and WebSocket endpoints use it: every path goes to one handler.

It owns the tasks of requests that are being handled: closing cancels them and waits until they are over.
Deliberately unknown here: what is served. aiohttp is imported when it starts.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from node.errors import ConfigError

if TYPE_CHECKING:
    from aiohttp import web

    Handler = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]

LINGER_S = 0.5
"""How long the unread rest of a refused request is still read, so that the response gets through. Source: ours."""

SHUTDOWN_S = 0.1
"""What aiohttp may take to close connections that handle no request. Source: ours; to aiohttp 0 means for ever."""


class Listener:
    """A listening TCP endpoint.

    Args:
        handler: gets every request.
        idle_s: how long a connection may wait for its next request, in seconds.
    """

    def __init__(self, handler: Handler, *, idle_s: float) -> None:
        self._handler, self._idle_s = handler, idle_s
        self._runner: web.ServerRunner | None = None
        self._running: set[asyncio.Task[object]] = set()

    async def start(self, host: str, port: int) -> int:
        """Bind and listen; the port, which matters when 0 was asked for.

        Raises:
            ConfigError: the address cannot be bound.
        """
        from aiohttp import web

        server = web.Server(self._handle, access_log=None, keepalive_timeout=self._idle_s, lingering_time=LINGER_S)
        runner = web.ServerRunner(server, shutdown_timeout=SHUTDOWN_S)
        await runner.setup()
        try:
            await web.TCPSite(runner, host, port).start()
        except OSError as error:
            await runner.cleanup()
            raise ConfigError(f"listen tcp {host}:{port}: {error.strerror or error}") from error
        self._runner = runner
        return int(runner.addresses[0][1])

    async def close(self) -> None:
        """Stop listening, cut all connections."""
        if self._runner is None:
            return
        runner, self._runner = self._runner, None
        for site in list(runner.sites):
            await site.stop()
        running = list(self._running)
        for task in running:
            task.cancel()
        if running:
            await asyncio.wait(running)
        await runner.cleanup()

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        task = asyncio.current_task()
        assert task is not None
        self._running.add(task)
        try:
            return await self._handler(request)
        finally:
            self._running.discard(task)


def plain_text(status: int, text: str) -> web.Response:
    """An error response like the reference's: text, newline, and no guessing of its type."""
    from aiohttp import web

    headers = {"Content-Type": "text/plain; charset=utf-8", "X-Content-Type-Options": "nosniff"}
    return web.Response(status=status, body=f"{text}\n".encode(), headers=headers)
