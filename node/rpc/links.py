"""How a client reaches a server: one link per transport (spec 03 section 4.4).

A link that stays open has a `Session`, because the server may call back over it. HTTP has exchanges instead.
Deliberately unknown here: ids and who waits for which answer (`client`).
"""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

from node.errors import ConfigError, DialFailed, LabError
from node.rpc.ipc import StreamConnection
from node.rpc.registry import Registry
from node.rpc.session import Responses, Session
from node.rpc.ws import FrameOutlet, serve_frames

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):")


class HTTPStatusError(LabError):
    """An HTTP server answered with a status that is no success; the text is the status line and the body."""

    def __init__(self, status: int, reason: str, body: str) -> None:
        super().__init__(f"{status} {reason} {body}")
        self.status, self.reason, self.body = status, reason, body


class Link(Protocol):
    """A connection that stays open.

    Attributes:
        session: sends and receives.
        closed: done when the connection is gone; never fails.
    """

    session: Session
    closed: asyncio.Future[None]

    def abort(self) -> None:
        """Close at once."""

    async def wait_closed(self) -> None:
        """Until nothing of the connection is left."""


Dialer = Callable[[Responses], Awaitable[Link]]
"""Opens a link; what comes in goes to the argument."""


def parse_scheme(endpoint: str) -> str:
    """`http`, `https`, `ws`, `wss`, or "" for the path of a Unix socket.

    Raises:
        ConfigError: `no known transport for URL scheme "x"`.
    """
    match = _SCHEME.match(endpoint)
    scheme = match.group(1).lower() if match else ""
    if scheme not in ("", "http", "https", "ws", "wss"):
        raise ConfigError(f'no known transport for URL scheme "{scheme}"')
    return scheme


async def dial_ipc(path: str, responses: Responses) -> Link:
    """Connect to a Unix socket. Raises DialFailed."""
    loop = asyncio.get_running_loop()
    try:
        _, connection = await loop.create_unix_connection(
            lambda: StreamConnection(Registry(builtin=False), responses=responses), path
        )
    except OSError as error:
        raise DialFailed(path, str(error)) from error
    return connection


class WSLink:
    """A WebSocket of ours, with the task that reads and writes it."""

    def __init__(self, http: Any, socket: Any, responses: Responses) -> None:
        self.closed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._http, self._socket = http, socket
        self._outlet = FrameOutlet(socket, self._cut)
        self.session = Session(Registry(builtin=False), self._outlet, responses=responses)
        self._task = asyncio.create_task(self._run())

    def _cut(self) -> None:
        self._socket._response.close()  # aiohttp has no public way to drop the connection without a close frame

    async def _run(self) -> None:
        try:
            async with asyncio.TaskGroup() as tasks:
                writer = tasks.create_task(self._outlet.run())
                try:
                    await serve_frames(self._socket, self.session)
                finally:
                    self.session.abort()
                    writer.cancel()
        finally:
            self._cut()
            await self.session.wait_closed()
            await self._http.close()
            if not self.closed.done():
                self.closed.set_result(None)

    def abort(self) -> None:
        """See `Link`."""
        self._task.cancel()

    async def wait_closed(self) -> None:
        """See `Link`."""
        with contextlib.suppress(asyncio.CancelledError):
            await self._task


async def dial_ws(url: str, responses: Responses) -> Link:
    """Connect to a WebSocket server; `user:pass@` in the URL becomes Basic authorization. Raises DialFailed."""
    import aiohttp

    http = aiohttp.ClientSession()
    try:
        socket = await http.ws_connect(url, max_msg_size=0, compress=0)
    except aiohttp.WSServerHandshakeError as error:
        await http.close()
        raise DialFailed(url, f"{error.message} (HTTP status {error.status})") from error
    except (OSError, aiohttp.ClientError, ValueError) as error:
        await http.close()
        raise DialFailed(url, str(error)) from error
    except BaseException:
        await http.close()
        raise
    return WSLink(http, socket, responses)


class _Pipe:
    """The `Outlet` of one end of a memory link: hands everything to the other end in the next turn of the loop."""

    def __init__(self, link: MemoryLink) -> None:
        self._link = link
        self.other: Session | None = None

    def send(self, messages: list[str]) -> None:
        if self.other is not None:
            data = ("\n".join(messages) + "\n").encode()
            asyncio.get_running_loop().call_soon(self.other.receive_data, data)

    def finish(self) -> None:
        asyncio.get_running_loop().call_soon(self._link.abort)


class MemoryLink:
    """Both ends of a connection inside one process."""

    def __init__(self, registry: Registry, responses: Responses) -> None:
        self.closed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        ours, theirs = _Pipe(self), _Pipe(self)
        self.session = Session(Registry(builtin=False), ours, responses=responses)
        self._server = Session(registry, theirs)
        ours.other, theirs.other = self._server, self.session

    def abort(self) -> None:
        """See `Link`."""
        self.session.abort()
        self._server.abort()
        if not self.closed.done():
            self.closed.set_result(None)

    async def wait_closed(self) -> None:
        """See `Link`."""
        await self.session.wait_closed()
        await self._server.wait_closed()


class HTTPLink:
    """Exchanges with an HTTP server; connections are kept between them."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._http: Any = None

    async def exchange(self, text: str) -> bytes:
        """Body of the response to `text`.

        Raises:
            HTTPStatusError: a status outside 2xx.
            DialFailed: the server cannot be reached, or the exchange broke off.
        """
        import aiohttp

        if self._http is None:
            self._http = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=None))
        headers = {"Content-Type": "application/json", "Accept": "application/json"}
        try:
            async with self._http.post(self._url, data=text.encode(), headers=headers) as response:
                body: bytes = await response.read()
                if not 200 <= response.status < 300:
                    reason = body.decode("utf-8", "replace")
                    raise HTTPStatusError(response.status, response.reason or "", reason)
                return body
        except (OSError, aiohttp.ClientError) as error:
            raise DialFailed(self._url, str(error)) from error

    async def close(self) -> None:
        """Let go of kept connections; the link can be used again."""
        http, self._http = self._http, None
        if http is not None:
            await http.close()
