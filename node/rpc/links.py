"""How a client reaches a server: one link per transport (spec 03 section 4.4).

A link that stays open has a `Session`, because the server may call back over it. HTTP has exchanges instead.
Deliberately unknown here: ids and who waits for which answer (`client`).
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

from node.errors import ConfigError, DialFailed, LabError
from node.rpc.ipc import StreamConnection
from node.rpc.registry import Registry
from node.rpc.session import Responses, Session
from node.rpc.subscriber import RPCConnectionLost
from node.rpc.ws import FrameOutlet, serve_frames

MAX_ANSWER_BYTES = 32 * 1024 * 1024
"""Longest message taken from a server, after decompression; over a Unix socket, in characters. Source: ours. The
largest answers there are, tables of thousands of peers, have a tenth of it; a server that says more is cut off before
it fills our memory."""

CLOSE_TIMEOUT_S = 2.0
"""For what is left of a connection that was cut. Source: ours; it takes a few turns of the event loop."""

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):")

logger = logging.getLogger(__name__)


class HTTPStatusError(LabError):
    """An HTTP server answered with a status that is no success; the text is the status line and the body."""

    def __init__(self, status: int, reason: str, body: str) -> None:
        super().__init__(f"{status} {reason} {body}")
        self.status, self.reason, self.body = status, reason, body


class Link(Protocol):
    """A connection that stays open.

    Attributes:
        session: sends and receives; its `failure` says why the connection was given up, if it was.
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
            lambda: StreamConnection(Registry(builtin=False), responses=responses, max_message_chars=MAX_ANSWER_BYTES),
            path,
        )
    except OSError as error:
        raise DialFailed(path, str(error)) from error
    return connection


class WSLink:
    """A WebSocket of ours, with the task that reads and writes it."""

    def __init__(self, http: Any, socket: Any, responses: Responses) -> None:
        self.closed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._http, self._socket = http, socket
        connection = socket._response.connection
        self._transport = None if connection is None else connection.transport  # None: it is gone already
        self._outlet = FrameOutlet(socket, self._cut)
        self.session = Session(Registry(builtin=False), self._outlet, responses=responses)
        self._begun = self._aborted = False
        self._task = asyncio.create_task(self._run())

    def _cut(self) -> None:
        self._socket._response.close()  # aiohttp has no public way to drop the connection without a close frame

    async def _run(self) -> None:
        self._begun = True
        try:
            if self._aborted:
                return
            async with asyncio.TaskGroup() as tasks:
                writer = tasks.create_task(self._outlet.run())
                try:
                    failure = await serve_frames(self._socket, self.session)
                    if failure is not None:
                        self.session.failure = _explain(failure)
                finally:
                    self.session.abort()
                    writer.cancel()
        except Exception as error:  # a bug of ours or of aiohttp's; `wait_closed` has nothing to do with it
            logger.exception("a WebSocket broke off")
            cause = error.exceptions[0] if isinstance(error, ExceptionGroup) else error
            self.session.failure = f"{type(cause).__name__}: {cause}"
        finally:
            self._cut()
            if self._transport is not None:
                self._transport.abort()  # what the other end does not read would keep it open for ever
            try:
                async with asyncio.timeout(CLOSE_TIMEOUT_S):
                    await self.session.wait_closed()
                    await self._http.close()
            except TimeoutError:
                logger.warning("a WebSocket was not closed within %g s", CLOSE_TIMEOUT_S)
            finally:
                if not self.closed.done():
                    self.closed.set_result(None)

    def abort(self) -> None:
        """See `Link`."""
        self._aborted = True
        if self._begun:  # cancelled before its first turn it would not clean up
            self._task.cancel()

    async def wait_closed(self) -> None:
        """See `Link`. Takes :data:`CLOSE_TIMEOUT_S` at most after `abort`."""
        await asyncio.wait([self._task])  # awaited by itself, it would be cancelled with us


def _explain(failure: Exception) -> str:
    from aiohttp import WebSocketError, WSCloseCode

    if isinstance(failure, WebSocketError) and failure.code == WSCloseCode.MESSAGE_TOO_BIG:
        return too_long()
    return str(failure) or type(failure).__name__


def too_long() -> str:
    """Why a connection was given up."""
    return f"a message of the server is longer than {MAX_ANSWER_BYTES} bytes"


async def connect_websocket(http: Any, url: str) -> Any:
    """The WebSocket at `url` through an aiohttp session, with our limit; it is checked before a payload is read."""
    # aiohttp refuses a message that reaches the size it is given, hence one more
    return await http.ws_connect(url, max_msg_size=MAX_ANSWER_BYTES + 1, compress=0)


async def dial_ws(url: str, responses: Responses) -> Link:
    """Connect to a WebSocket server; `user:pass@` in the URL becomes Basic authorization. Raises DialFailed."""
    import aiohttp

    http = aiohttp.ClientSession()
    try:
        socket = await connect_websocket(http, url)
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
            RPCConnectionLost: we broke it off, as the body is longer than :data:`MAX_ANSWER_BYTES`.
        """
        import aiohttp

        if self._http is None:
            self._http = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=None))
        headers = {"Content-Type": "application/json", "Accept": "application/json"}
        try:
            async with self._http.post(self._url, data=text.encode(), headers=headers) as response:
                body = await _body(response)
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


async def _body(response: Any) -> bytes:
    """The body of an aiohttp response.

    Raises:
        RPCConnectionLost: it is too long.
    """
    body = bytearray()
    length = response.content_length or 0
    if length <= MAX_ANSWER_BYTES:
        async for chunk in response.content.iter_any():
            length = len(body) + len(chunk)
            if length > MAX_ANSWER_BYTES:
                break
            body += chunk
    if length > MAX_ANSWER_BYTES:
        response.close()
        raise RPCConnectionLost(f"connection lost: {too_long()}")
    return bytes(body)
