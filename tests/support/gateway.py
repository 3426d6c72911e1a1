"""The gateway of a lab in this process, something to reach through it, and callers that speak its HTTP by hand."""

from __future__ import annotations

import asyncio
import base64
import contextlib
from collections.abc import AsyncIterator

from node.control.gateway import Gateway
from tests.support.control import TOKEN, free_port
from tests.support.waiting import DEADLINE_S, until


class Target:
    """Stands for a node: repeats what it is sent, in upper case, until the other side has said all."""

    def __init__(self) -> None:
        self.port = 0
        self.received: list[bytes] = []
        self.open = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.open += 1
        try:
            with contextlib.suppress(ConnectionError):
                while data := await reader.read(1000):
                    self.received.append(data)
                    if data == b"bye":
                        break
                    writer.write(data.upper())
                    await writer.drain()
        finally:
            self.open -= 1
            writer.close()


@contextlib.asynccontextmanager
async def running_target() -> AsyncIterator[Target]:
    target = Target()
    server = await asyncio.start_server(target.serve, "127.0.0.1", 0)
    target.port = server.sockets[0].getsockname()[1]
    try:
        yield target
    finally:
        server.close()
        await until(lambda: not target.open)


@contextlib.asynccontextmanager
async def running_gateway(*ports: int) -> AsyncIterator[int]:
    """A gateway to some ports; its own port."""
    port, stop = free_port(), asyncio.Event()
    serving = asyncio.create_task(Gateway(TOKEN, ports=ports).serve("127.0.0.1", port, stop))
    try:
        await listening(port)
        yield port
    finally:
        stop.set()
        async with asyncio.timeout(DEADLINE_S):
            await serving
    assert not any(task.get_name() == "gateway caller" for task in asyncio.all_tasks())


async def listening(port: int) -> None:
    async with asyncio.timeout(DEADLINE_S):
        while True:
            with contextlib.suppress(ConnectionRefusedError):
                _, writer = await asyncio.open_connection("127.0.0.1", port)
                writer.close()
                return
            await asyncio.sleep(0.01)


def credentials(token: str = TOKEN, user: str = "lab") -> str:
    return "Proxy-Authorization: Basic " + base64.b64encode(f"{user}:{token}".encode()).decode()


def request(target: str, *headers: str, method: str = "CONNECT", version: str = "1.1") -> bytes:
    return "".join(f"{line}\r\n" for line in (f"{method} {target} HTTP/{version}", *headers, "")).encode()


@contextlib.asynccontextmanager
async def caller(port: int) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        async with asyncio.timeout(DEADLINE_S):
            yield reader, writer
    finally:
        writer.transport.abort()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


async def answer(port: int, data: bytes, *, eof: bool = False) -> str:
    """The status line that a request gets."""
    async with caller(port) as (reader, writer):
        writer.write(data)
        if eof:
            writer.write_eof()
        response = await reader.readuntil(b"\r\n\r\n")
        return response.split(b"\r\n")[0].decode()
