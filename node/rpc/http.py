"""JSON-RPC over HTTP (spec 03 section 4.2): one request body is one message or batch.

Deliberately unknown here: subscriptions (there are none over HTTP) and how a call is run.

aiohttp is imported when a server starts, so that whoever only needs IPC does not pay for it. It differs from the
reference in details that no client can rely on: it sends a `Server` header, answers 400 to more kinds of malformed
requests, and has no separate read timeout for request headers (idle connections are closed after the idle timeout).
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from node.rpc.listener import Listener, plain_text
from node.rpc.origins import host_allowed, origin_allowed, preflight_headers
from node.rpc.registry import Registry
from node.rpc.session import Session
from node.rpc.stream import read_first
from node.rpc.syntax import JSONSyntaxError

if TYPE_CHECKING:
    from aiohttp import web

MAX_REQUEST_BYTES = 5 * 1024 * 1024
"""Longest request body, and longest WebSocket message. Source: spec 03 sections 4.2 and 4.3."""

CONTENT_TYPES = ("application/json", "application/json-rpc", "application/jsonrequest")
"""Media types of a request. Source: spec 03 section 4.2."""

MIN_TIMEOUT_S = 1.0
"""Timeouts below this are replaced by the defaults, in seconds. Source: spec 03 section 4.2."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HTTPTimeouts:
    """In seconds; source: spec 03 section 4.2.

    Attributes:
        read_s: for the body of a request.
        write_s: for sending a response.
        idle_s: for the next request on a connection.
    """

    read_s: float = 30.0
    write_s: float = 30.0
    idle_s: float = 120.0

    def checked(self) -> HTTPTimeouts:
        """The same with values that are too small replaced."""
        default = HTTPTimeouts()
        return HTTPTimeouts(
            read_s=self.read_s if self.read_s >= MIN_TIMEOUT_S else default.read_s,
            write_s=self.write_s if self.write_s >= MIN_TIMEOUT_S else default.write_s,
            idle_s=self.idle_s if self.idle_s >= MIN_TIMEOUT_S else default.idle_s,
        )


class _OneShot:
    """The `Outlet` of a session that lives for one request."""

    def __init__(self) -> None:
        self.messages: list[str] = []
        self.finished = asyncio.get_running_loop().create_future()

    def send(self, messages: list[str]) -> None:
        self.messages += messages

    def finish(self) -> None:
        if not self.finished.done():
            self.finished.set_result(None)


async def answer_request(registry: Registry, body: bytes) -> str:
    """The response body for a request body, without newline; "" when there is nothing to answer."""
    outlet = _OneShot()
    session = Session(registry, outlet, notifications=False)
    try:
        try:
            item = read_first(body)
        except JSONSyntaxError:
            session.fail("parse error")
        else:
            if item is not None:
                session.receive_value(item)
        session.receive_eof()
        await outlet.finished
    finally:
        session.abort()
        await session.wait_closed()
    return "\n".join(outlet.messages)


class HTTPServer:
    """A listening HTTP endpoint. `start`, then `close`; or `async with`.

    Args:
        registry: what may be called.
        host, port: where to listen; port 0 takes a free one, see `port` after `start`.
        modules: namespaces that are offered; None offers all.
        cors: origins allowed to read answers; empty switches CORS off.
        vhosts: host names that are served besides IP addresses.
    """

    def __init__(
        self,
        registry: Registry,
        *,
        host: str,
        port: int,
        modules: Iterable[str] | None = None,
        cors: Collection[str] = (),
        vhosts: Collection[str] = ("localhost",),
        timeouts: HTTPTimeouts | None = None,
    ) -> None:
        self.host, self.port = host, port
        self._registry = registry.restricted(modules)
        self._cors, self._vhosts = tuple(cors), tuple(vhosts)
        self._timeouts = (timeouts or HTTPTimeouts()).checked()
        self._listener = Listener(self._handle, idle_s=self._timeouts.idle_s)
        self._stopped = False

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
        """Stop listening and answer no further requests on the connections there are."""
        self._stopped = True
        await self._listener.refuse()

    async def drain(self) -> None:
        """After `refuse`: until the requests that came before are answered."""
        await self._listener.wait_idle()

    async def close(self) -> None:
        """Stop listening, cut the connections and wait for their calls to end."""
        self._stopped = True
        await self._listener.close()

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        from aiohttp import web

        response: web.StreamResponse | None = None
        try:
            response = await self._respond(request)
            async with asyncio.timeout(self._timeouts.write_s):
                await response.prepare(request)
                await response.write_eof()
        except TimeoutError:  # of reading the body or of writing; a method's own is an answer already
            if request.transport is not None:
                request.transport.abort()
        return response or web.Response()

    async def _respond(self, request: web.BaseRequest) -> web.Response:
        from aiohttp import HttpVersion11, web

        host = request.headers.get("Host")
        if host is None and request.version >= HttpVersion11:
            return plain_text(400, "missing required Host header")
        if not host_allowed(host, self._vhosts):
            return plain_text(403, "invalid host specified")
        if not self._cors:
            return await self._serve(request)
        origin = request.headers.get("Origin")
        if request.method == "OPTIONS":
            response = web.Response()
            for name in ("Origin", "Access-Control-Request-Method", "Access-Control-Request-Headers"):
                response.headers.add("Vary", name)
            asked = request.headers
            response.headers.update(
                preflight_headers(
                    origin,
                    asked.get("Access-Control-Request-Method"),
                    asked.get("Access-Control-Request-Headers"),
                    self._cors,
                )
            )
            return response
        response = await self._serve(request)
        response.headers.add("Vary", "Origin")
        if origin and origin_allowed(origin, self._cors):
            response.headers["Access-Control-Allow-Origin"] = origin
        return response

    async def _serve(self, request: web.BaseRequest) -> web.Response:
        from aiohttp import web

        # a body of unknown length is not an empty one
        length = request.content_length if request.content_length is not None else -int(request.body_exists)
        if request.method == "GET" and length == 0 and not request.query_string:
            return web.Response()
        if request.method in ("PUT", "DELETE"):
            return plain_text(405, "method not allowed")
        if length > MAX_REQUEST_BYTES:
            response = plain_text(413, f"content length too large ({length}>{MAX_REQUEST_BYTES})")
            response.force_close()
            return response
        if request.method == "OPTIONS":
            return web.Response()
        media_type = request.headers.get("Content-Type", "").partition(";")[0].strip().lower()
        if media_type not in CONTENT_TYPES:
            return plain_text(415, "invalid content type, only application/json is supported")
        if self._stopped:
            return web.Response()
        body = bytearray()
        async with asyncio.timeout(self._timeouts.read_s):
            async for chunk in request.content.iter_any():
                body += chunk
                if len(body) >= MAX_REQUEST_BYTES:
                    break
        text = await answer_request(self._registry, bytes(body[:MAX_REQUEST_BYTES]))
        return web.Response(
            body=f"{text}\n".encode() if text else b"",
            headers={"Content-Type": "application/json"},
        )
