"""The bare HTTP server: one handler, and an end that leaves no request running."""

from __future__ import annotations

import asyncio

import pytest
from aiohttp import web

from node.errors import ConfigError
from node.rpc.listener import Listener, plain_text


async def test_every_path_goes_to_the_handler() -> None:
    async def handler(request: web.BaseRequest) -> web.StreamResponse:
        return plain_text(404, request.path)

    listener = Listener(handler, idle_s=10)
    port = await listener.start("127.0.0.1", 0)
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"GET /some/path HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    answer = await reader.read()
    assert answer.startswith(b"HTTP/1.1 404 ")
    assert answer.endswith(b"/some/path\n")
    writer.close()
    await writer.wait_closed()
    with pytest.raises(ConfigError, match=f"listen tcp 127.0.0.1:{port}: "):
        await Listener(handler, idle_s=10).start("127.0.0.1", port)
    await listener.close()
    await listener.close()
    with pytest.raises(OSError):
        await asyncio.open_connection("127.0.0.1", port)


async def test_closing_ends_running_requests() -> None:
    entered, ended = asyncio.Event(), asyncio.Event()

    async def handler(request: web.BaseRequest) -> web.StreamResponse:
        entered.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()
        raise AssertionError

    listener = Listener(handler, idle_s=10)
    port = await listener.start("127.0.0.1", 0)
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    await entered.wait()
    await listener.close()
    assert ended.is_set()
    assert await reader.read() == b""
    writer.close()
    await writer.wait_closed()


async def test_a_close_that_is_cancelled_goes_on() -> None:
    entered, cleaning, cleaned = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def handler(request: web.BaseRequest) -> web.StreamResponse:
        if request.path == "/idle":
            return plain_text(200, "")
        entered.set()
        try:
            await asyncio.Event().wait()
        finally:
            cleaning.set()
            await cleaned.wait()
        raise AssertionError

    listener = Listener(handler, idle_s=60)
    port = await listener.start("127.0.0.1", 0)
    idle, running = [await asyncio.open_connection("127.0.0.1", port) for _ in range(2)]
    idle[1].write(b"GET /idle HTTP/1.1\r\nHost: x\r\n\r\n")
    assert (await idle[0].readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200 ")
    running[1].write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    await entered.wait()
    closing = asyncio.create_task(listener.close())
    await cleaning.wait()
    closing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await closing
    again = asyncio.create_task(listener.close())
    cleaned.set()
    async with asyncio.timeout(5):
        await again
        for reader, writer in (idle, running):
            await reader.read()
            writer.close()
            await writer.wait_closed()
    with pytest.raises(OSError):
        await asyncio.open_connection("127.0.0.1", port)


async def test_after_a_close_it_can_start_again() -> None:
    async def handler(request: web.BaseRequest) -> web.StreamResponse:
        return plain_text(200, "")

    listener = Listener(handler, idle_s=10)
    for _ in range(2):
        port = await listener.start("127.0.0.1", 0)
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        await asyncio.gather(listener.close(), listener.close())
        writer.close()
        await writer.wait_closed()
        with pytest.raises(OSError):
            await asyncio.open_connection("127.0.0.1", port)
