"""A WebSocket to a node of a lab, through the CONNECT proxy that is the lab's one port (node.control.gateway).

aiohttp uses CONNECT for TLS only, so the connection is made here and handed over to it.
"""

from __future__ import annotations

import asyncio
import base64
import re
import socket
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import aiohttp

from node.errors import DialFailed
from node.rpc.links import WSLink, connect_websocket

if TYPE_CHECKING:
    from node.rpc.session import Responses

DIAL_TIMEOUT_S = 10.0
"""For the gateway's answer and the handshake; the gateway itself gives a node that just starts five seconds."""
MAX_ANSWER_BYTES = 8192
"""Of the gateway, headers included; it says less than 200."""
_STATUS = re.compile(rb"HTTP/1\.[01] (\d{3}) ([^\r\n]*)\r\n")


class GatewayRefused(DialFailed):
    """The gateway answered, but made no connection.

    Attributes:
        status: of HTTP; 407 for a token that is not the lab's, 403 for a place it does not go to, 502 for a node
            that does not answer.
    """

    def __init__(self, target: str, status: int, why: str) -> None:
        super().__init__(target, why)
        self.status = status


class _GatewayConnector(aiohttp.BaseConnector):
    """Makes aiohttp's connections; `_create_connection` is what its documentation says to override for that."""

    def __init__(self, proxy: str) -> None:
        super().__init__(force_close=True)
        self._proxy = proxy

    async def _create_connection(
        self, req: aiohttp.ClientRequest, traces: object, timeout: object
    ) -> aiohttp.client_proto.ResponseHandler:
        assert req.url.host is not None
        connection = await connect_through(self._proxy, f"{req.url.host}:{req.url.port}")
        _, protocol = await asyncio.get_running_loop().create_connection(self._factory, sock=connection)
        return protocol


async def dial_ws_through(proxy: str, target: str, responses: Responses) -> WSLink:
    """Connect to the WebSocket server of a node.

    Args:
        proxy: ``http://user:password@host:port`` of the gateway.
        target: ``node:port``.
        responses: what comes in goes there.

    Raises:
        DialFailed: no connection came about; a :class:`GatewayRefused` if it is the gateway that says so.
    """
    http = aiohttp.ClientSession(connector=_GatewayConnector(proxy))
    try:
        async with asyncio.timeout(DIAL_TIMEOUT_S):
            connection = await connect_websocket(http, f"ws://{target}/")
    except aiohttp.WSServerHandshakeError as error:
        await http.close()
        raise DialFailed(target, f"{error.message} (HTTP status {error.status})") from error
    except (OSError, TimeoutError, aiohttp.ClientError) as error:
        await http.close()
        raise DialFailed(target, str(error) or "no answer in time") from error
    except BaseException:
        await http.close()
        raise
    return WSLink(http, connection, responses)


async def connect_through(proxy: str, target: str) -> socket.socket:
    """A connection to ``host:port``, made by the gateway.

    Raises:
        GatewayRefused: it made none.
        OSError: the gateway cannot be reached, or ended the connection.
    """
    where = urlsplit(proxy)
    assert where.hostname is not None
    credentials = base64.b64encode(f"{where.username or ''}:{where.password or ''}".encode()).decode()
    request = f"CONNECT {target} HTTP/1.1\r\nHost: {target}\r\nProxy-Authorization: Basic {credentials}\r\n\r\n"
    loop = asyncio.get_running_loop()
    connection = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        connection.setblocking(False)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        await loop.sock_connect(connection, (where.hostname, where.port))
        await loop.sock_sendall(connection, request.encode())
        answer = b""
        # A WebSocket server says nothing before it is asked, so nothing of it can be behind these headers.
        while not answer.endswith(b"\r\n\r\n"):
            data = await loop.sock_recv(connection, MAX_ANSWER_BYTES)
            answer += data
            if not data or len(answer) > MAX_ANSWER_BYTES:
                raise ConnectionError("the gateway does not answer as one")
        status = _STATUS.match(answer)
        if status is None or status[1] != b"200":
            code = int(status[1]) if status else 0
            raise GatewayRefused(
                target, code, f"the gateway says {status[2].decode(errors='replace') if status else '?'}"
            )
    except BaseException:
        connection.close()
        raise
    return connection
