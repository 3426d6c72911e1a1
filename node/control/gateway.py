"""One port for the control interfaces of all nodes of a lab: an HTTP CONNECT proxy (RFC 9110 section 9.3.6).

It runs next to the nodes, with the lab's only published port, and connects callers through by node name. gRPC and
WebSocket clients know how to use such a proxy; what they say stays between them and the node. Callers present the lab's
token, and nothing but the control port of names without dots can be reached: it is no way into other networks. A node
that has no control port, only a JSON-RPC WebSocket, is named, and reached at that port alone.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import contextlib
import hmac
import logging
import os
import re
import signal
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from node.log import set_up_logging
from node.tasks import TaskOwner

log = logging.getLogger(__name__)

TOKEN_VARIABLE = "PSS_CONTROL_TOKEN"  # noqa: S105  -- its name, not its value
USER = "lab"
"""User name of the proxy credentials; the token is the password."""
DEFAULT_PORT = 7000
MAX_REQUEST_BYTES = 8192
"""Request line and headers."""
REQUEST_TIMEOUT_S = 5.0
CONNECT_TIMEOUT_S = 5.0
RETRY_S = 0.05
"""Between two attempts to reach a node that does not listen yet."""
MAX_CONNECTIONS = 4096
"""Ours: four for each node of a thousand, and the file descriptors they take."""
CHUNK_BYTES = 65536

CHALLENGE = 'Proxy-Authenticate: Basic realm="lab"\r\n'
"""RFC 9110 wants it with 407; elsewhere it does no harm."""

_REQUEST = re.compile(rb"CONNECT ([a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?):(\d{1,5}) HTTP/1\.[01]\r\n")
_CREDENTIALS = re.compile(rb"\r\nproxy-authorization: *basic +([a-z0-9+/=]+) *\r\n", re.IGNORECASE)


class Gateway:
    """Connects callers to nodes."""

    def __init__(self, token: str, *, ports: Sequence[int], only: Iterable[tuple[str, int]] = ()) -> None:
        """
        Args:
            token: what callers must present.
            ports: of nodes, that may be reached.
            only: names of nodes that have another port instead of those, and which.
        """
        self._expected = base64.b64encode(f"{USER}:{token}".encode())
        self._ports = frozenset(ports)
        self._only = dict(only)
        self._slots = asyncio.Semaphore(MAX_CONNECTIONS)
        self._callers = TaskOwner()

    async def serve(self, host: str, port: int, stop: asyncio.Event) -> None:
        """Listen until `stop` is set."""
        server = await asyncio.start_server(self._called, host, port, limit=MAX_REQUEST_BYTES)
        log.info("gateway on %s", server.sockets[0].getsockname()[:2])
        await stop.wait()
        server.close()
        await self._callers.aclose()

    def _called(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._callers.spawn(self._caller(reader, writer), name="gateway caller")

    async def _caller(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async with self._slots:
            with contextlib.closing(writer), contextlib.suppress(OSError):
                status = await self._connect(reader, writer)
                if status is not None:
                    writer.write(f"HTTP/1.1 {status}\r\n{CHALLENGE}Content-Length: 0\r\n\r\n".encode())
                    await writer.drain()

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> str | None:
        """Serve one caller; what to answer if it does not come to a connection."""
        try:
            async with asyncio.timeout(REQUEST_TIMEOUT_S):
                request = await reader.readuntil(b"\r\n\r\n")
        except (asyncio.LimitOverrunError, asyncio.IncompleteReadError, TimeoutError):
            return "400 Bad Request"
        target = _REQUEST.match(request)
        credentials = _CREDENTIALS.search(request)
        if credentials is None or not hmac.compare_digest(credentials[1], self._expected):
            return "407 Proxy Authentication Required"
        if target is None or not self._may_reach(target[1].decode(), int(target[2])):
            return "403 Forbidden"
        try:
            node_reader, node_writer = await _reach(target[1].decode(), int(target[2]))
        except TimeoutError as error:
            log.info("%s", error)
            return "502 Bad Gateway"
        with contextlib.closing(node_writer):
            writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
            await _splice((reader, writer), (node_reader, node_writer))
        return None

    def _may_reach(self, name: str, port: int) -> bool:
        return port == self._only[name] if name in self._only else port in self._ports


async def _reach(host: str, port: int) -> Stream:
    """Connect to a node; one that is just starting is given CONNECT_TIMEOUT_S to listen.

    Raises:
        TimeoutError: it does not, with the last reason.
    """
    why = "no answer"
    try:
        async with asyncio.timeout(CONNECT_TIMEOUT_S):
            while True:
                try:
                    return await asyncio.open_connection(host, port)
                except OSError as error:
                    why = str(error)
                await asyncio.sleep(RETRY_S)
    except TimeoutError:
        raise TimeoutError(f"{host}:{port}: {why}") from None


Stream = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def _splice(a: Stream, b: Stream) -> None:
    """Pass bytes both ways until either side ends."""
    copies = [asyncio.create_task(_copy(a[0], b[1])), asyncio.create_task(_copy(b[0], a[1]))]
    try:
        await asyncio.wait(copies, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for copy in copies:
            copy.cancel()
        await asyncio.gather(*copies, return_exceptions=True)


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(CHUNK_BYTES):
        writer.write(data)
        await writer.drain()


def main(argv: Sequence[str] | None = None) -> int:
    """``python -m node.control.gateway``: serve until SIGTERM."""
    parser = argparse.ArgumentParser(prog="node.control.gateway", description=__doc__)
    parser.add_argument("--host", default="0.0.0.0", help="interface to listen on")  # noqa: S104  -- inside a container
    parser.add_argument("--port", type=int, default=DEFAULT_PORT)
    parser.add_argument("--token-file", type=Path, help=f"default: the variable {TOKEN_VARIABLE}")
    parser.add_argument(
        "--allow", type=int, action="append", required=True, metavar="PORT", help="port of nodes to reach"
    )
    parser.add_argument(
        "--only",
        type=_node_and_port,
        action="append",
        default=[],
        metavar="NODE:PORT",
        help="a node that is reached at this port instead",
    )
    flags = parser.parse_args(argv)
    set_up_logging(3, name="gateway")
    asyncio.run(_run(flags))
    return 0


def _node_and_port(text: str) -> tuple[str, int]:
    name, _, port = text.rpartition(":")
    if not name or not port.isascii() or not port.isdigit():
        raise argparse.ArgumentTypeError(f"expected NODE:PORT, got {text!r}")
    return name, int(port)


async def _run(flags: argparse.Namespace) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    token = flags.token_file.read_text().strip() if flags.token_file else os.environ[TOKEN_VARIABLE]
    await Gateway(token, ports=flags.allow, only=flags.only).serve(flags.host, flags.port, stop)


if __name__ == "__main__":
    sys.exit(main())
