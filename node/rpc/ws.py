"""JSON-RPC over WebSocket (spec 03 section 4.3): one message a frame sequence, answers as text frames.

Deliberately unknown here: how a call is run.

aiohttp is imported when a server starts. Known difference: it does not check that client frames are masked, so an
unmasked one is served instead of being answered with close code 1002.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable, Collection, Iterable
from typing import TYPE_CHECKING, Protocol, Self

from node.rpc.http import MAX_REQUEST_BYTES, HTTPTimeouts
from node.rpc.ipc import MAX_UNSENT_BYTES, WRITE_DEADLINE_S
from node.rpc.listener import Listener, plain_text
from node.rpc.origins import websocket_origin_allowed
from node.rpc.registry import Registry
from node.rpc.session import Session
from node.rpc.stream import read_first
from node.rpc.syntax import JSONSyntaxError, TruncatedJSON

if TYPE_CHECKING:
    from aiohttp import web

REASONS = {400: "Bad Request", 403: "Forbidden", 405: "Method Not Allowed"}
"""Bodies of refused handshakes."""


class TextSocket(Protocol):
    """What a WebSocket of aiohttp, server's or client's, has in common."""

    async def send_str(self, data: str) -> None:
        """Send one text frame."""


class FrameOutlet:
    """The `Outlet` of a WebSocket: a queue, and a task that sends it frame by frame.

    Args:
        socket: where frames go.
        cut: closes the connection at once, without a close frame.
    """

    def __init__(
        self, socket: TextSocket, cut: Callable[[], object], *, write_deadline_s: float = WRITE_DEADLINE_S
    ) -> None:
        self._socket, self._cut = socket, cut
        self._write_deadline_s = write_deadline_s
        self._queue: deque[str] = deque()
        self._queued_chars = 0
        self._finishing = False
        self._wake = asyncio.Event()

    def send(self, messages: list[str]) -> None:
        """See `Outlet`. A client that does not read is cut off."""
        if self._queued_chars > MAX_UNSENT_BYTES:
            self._cut()
            return
        self._queue.extend(messages)
        self._queued_chars += sum(map(len, messages))
        self._wake.set()

    def finish(self) -> None:
        """See `Outlet`."""
        self._finishing = True
        self._wake.set()

    async def run(self) -> None:
        """Send until `finish` or until the connection fails; then cut it."""
        try:
            while self._queue or not self._finishing:
                if not self._queue:
                    self._wake.clear()
                    await self._wake.wait()
                    continue
                text = self._queue.popleft()
                self._queued_chars -= len(text)
                async with asyncio.timeout(self._write_deadline_s):
                    await self._socket.send_str(text + "\n")
        except (TimeoutError, ConnectionError, RuntimeError):
            pass  # the reader sees the end of the connection, too
        finally:
            self._cut()


class WSServer:
    """A listening WebSocket endpoint. `start`, then `close`; or `async with`.

    Args:
        registry: what may be called.
        host, port: where to listen; port 0 takes a free one, see `port` after `start`.
        modules: namespaces that are offered; None offers all.
        origins: origins that may connect; `*` is all, empty is this machine's own names.
    """

    def __init__(
        self,
        registry: Registry,
        *,
        host: str,
        port: int,
        modules: Iterable[str] | None = None,
        origins: Collection[str] = (),
    ) -> None:
        self.host, self.port = host, port
        self._registry = registry.restricted(modules)
        self._origins = tuple(origins)
        self._sessions: set[Session] = set()
        self._refusing = False
        self._listener = Listener(self._handle, idle_s=HTTPTimeouts().idle_s)

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self.close()

    async def start(self) -> None:
        """Bind and listen.

        Raises:
            ConfigError: the address cannot be bound.
        """
        self.port = await self._listener.start(self.host, self.port)

    async def refuse(self) -> None:
        """Stop listening and read no further messages; the connections end when their running calls are answered."""
        self._refusing = True
        await self._listener.refuse()
        for session in list(self._sessions):
            session.receive_eof()

    async def drain(self) -> None:
        """After `refuse`: until all connections have ended."""
        await self._listener.wait_idle()

    async def close(self) -> None:
        """Stop listening, cut all connections without close frames and wait for their calls to end."""
        await self._listener.close()

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        from aiohttp import web

        status = self._refusal(request)
        if status is not None:
            response = plain_text(status, REASONS[status])
            response.headers["Sec-Websocket-Version"] = "13"
            return response
        # aiohttp refuses a frame that reaches the size it is given, hence one more
        socket = web.WebSocketResponse(max_msg_size=MAX_REQUEST_BYTES + 1, compress=False)
        await socket.prepare(request)
        transport = request.transport
        if transport is None:
            return socket
        outlet = FrameOutlet(socket, transport.close)
        session = Session(self._registry, outlet)
        if self._refusing:  # it was being set up meanwhile
            session.receive_eof()
        self._sessions.add(session)
        async with asyncio.TaskGroup() as tasks:
            writer = tasks.create_task(outlet.run())
            try:
                await serve_frames(socket, session)
            finally:
                self._sessions.discard(session)
                transport.close()
                writer.cancel()
                session.abort()
                await session.wait_closed()
        return socket

    def _refusal(self, request: web.BaseRequest) -> int | None:
        headers = request.headers
        upgrade = {token.strip().lower() for token in headers.get("Upgrade", "").split(",")}
        connection = {token.strip().lower() for token in headers.get("Connection", "").split(",")}
        if "upgrade" not in connection or "websocket" not in upgrade:
            return 400
        if request.method != "GET":
            return 405
        if headers.get("Sec-WebSocket-Version") != "13":
            return 400
        if not websocket_origin_allowed(headers.get("Origin"), self._origins):
            return 403
        return 400 if not headers.get("Sec-WebSocket-Key") else None


async def serve_frames(socket: object, session: Session) -> Exception | None:
    """Feed the messages of an aiohttp WebSocket to a session until the connection ends.

    Only the first JSON value of a message counts. Malformed JSON is answered and ends the connection without a close
    frame; an empty or truncated message ends it without an answer.

    Returns:
        What was wrong with the other end's frames, such as one that is too long; None at any other end.
    """
    from aiohttp import ClientWebSocketResponse, WSMsgType, web

    assert isinstance(socket, (web.WebSocketResponse, ClientWebSocketResponse))
    failure: Exception | None = None
    with contextlib.suppress(ConnectionError):
        async for message in socket:
            if message.type is WSMsgType.ERROR:
                failure = message.data
            if message.type not in (WSMsgType.TEXT, WSMsgType.BINARY):
                continue
            data = message.data.encode("utf-8", "replace") if message.type is WSMsgType.TEXT else message.data
            try:
                item = read_first(data)
            except TruncatedJSON:
                item = None
            except JSONSyntaxError as error:
                session.fail(str(error))
                continue  # until running calls are answered; the outlet then cuts the connection
            if item is None:
                session.receive_eof()
                continue
            session.receive_value(item)
    return failure
