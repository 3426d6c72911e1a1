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
