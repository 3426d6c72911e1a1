"""A bare aiohttp server, as the HTTP and WebSocket endpoints use it: every path goes to one handler.

It owns the tasks of requests that are being handled: closing cancels them and waits until they are over. Who wants
them answered calls `refuse` and `wait_idle` first.
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

MAX_PORT = 65535
"""Highest TCP port."""


class Listener:
    """A listening TCP endpoint.

    Args:
        handler: gets every request.
        idle_s: how long a connection may wait for its next request, in seconds.
    """

    def __init__(self, handler: Handler, *, idle_s: float) -> None:
        self._handler, self._idle_s = handler, idle_s
        self._runner: web.ServerRunner | None = None
        self._closing: asyncio.Task[None] | None = None
        self._running: set[asyncio.Task[object]] = set()
        self._idle = asyncio.Event()
        self._idle.set()

    async def start(self, host: str, port: int) -> int:
        """Bind and listen; the port, which matters when 0 was asked for.

        Raises:
            ConfigError: the address cannot be bound.
        """
        from aiohttp import web

        if not 0 <= port <= MAX_PORT:
            raise ConfigError(f"listen tcp: address {port}: invalid port")
        server = web.Server(self._handle, access_log=None, keepalive_timeout=self._idle_s, lingering_time=LINGER_S)
        runner = web.ServerRunner(server, shutdown_timeout=SHUTDOWN_S)
        await runner.setup()
        try:
            await web.TCPSite(runner, host, port).start()
        except BaseException as error:
            await runner.cleanup()
            if isinstance(error, (OSError, ValueError)):  # the second is for a host that no name can be
                raise ConfigError(f"listen tcp {host}:{port}: {getattr(error, 'strerror', None) or error}") from error
            raise
        self._runner = runner
        return int(runner.addresses[0][1])

    async def refuse(self) -> None:
        """Stop listening; the connections there are go on until `close`."""
        if self._runner is not None:
            for site in list(self._runner.sites):
                await site.stop()

    async def wait_idle(self) -> None:
        """Until no request is being handled."""
        await self._idle.wait()

    async def close(self) -> None:
        """Stop listening, cut all connections. Cancelled, it goes on without its caller; another call waits for it."""
        if self._runner is None:
            return
        if self._closing is None or self._closing.done():  # done without success
            self._closing = asyncio.create_task(self._close(self._runner), name="close a listener")
        await asyncio.shield(self._closing)

    async def _close(self, runner: web.ServerRunner) -> None:
        for site in list(runner.sites):
            await site.stop()
        running = list(self._running)
        for task in running:
            task.cancel()
        if running:
            await asyncio.wait(running)
        await runner.cleanup()
        self._runner = self._closing = None

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        task = asyncio.current_task()
        assert task is not None
        self._running.add(task)
        self._idle.clear()
        try:
            return await self._handler(request)
        finally:
            self._running.discard(task)
            if not self._running:
                self._idle.set()


def plain_text(status: int, text: str) -> web.Response:
    """An error response like the reference's: text, newline, and no guessing of its type."""
    from aiohttp import web

    headers = {"Content-Type": "text/plain; charset=utf-8", "X-Content-Type-Options": "nosniff"}
    return web.Response(status=status, body=f"{text}\n".encode(), headers=headers)
