"""What the client test does not reach: credentials, and a large answer over a WebSocket."""

from __future__ import annotations

import asyncio
import base64

import pytest

from node.errors import DialFailed
from node.rpc import RPCClient, WSServer
from tests.unit.rpc.rpc_fixtures import FooAPI, serve


async def test_credentials_and_headers_of_the_handshake() -> None:
    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head.set_result((await reader.readuntil(b"\r\n\r\n")).decode())
        writer.write(b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        writer.close()

    head: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    server = await asyncio.start_server(refuse, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    with pytest.raises(DialFailed, match=r"HTTP status 401"):
        await RPCClient.connect(f"ws://user:pass@127.0.0.1:{port}")
    server.close()
    assert f"Authorization: Basic {base64.b64encode(b'user:pass').decode()}" in await head
    assert "Origin" not in await head


async def test_answers_of_any_size_over_websocket() -> None:
    async with (
        WSServer(serve(FooAPI()), host="127.0.0.1", port=0) as server,
        await RPCClient.connect(f"ws://127.0.0.1:{server.port}") as client,
    ):
        assert len(await client.call("foo_big", 10_000_000)) == 10_000_000
