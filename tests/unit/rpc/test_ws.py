"""The WebSocket endpoint, with aiohttp's client and in raw bytes."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator

import aiohttp
import pytest

from node.rpc.http import MAX_REQUEST_BYTES
from node.rpc.ws import FrameOutlet, WSServer
from tests.unit.rpc.rpc_fixtures import FooAPI, serve

HELLO = '{"jsonrpc":"2.0","id":1,"method":"foo_helloWorld"}'
ANSWER = '{"jsonrpc":"2.0","id":1,"result":"foobar"}\n'
HANDSHAKE = {
    "Host": "x",
    "Connection": "keep-alive, Upgrade",
    "Upgrade": "websocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==",
}


@pytest.fixture
async def api() -> FooAPI:
    return FooAPI()


@pytest.fixture
async def server(api: FooAPI) -> AsyncIterator[WSServer]:
    async with WSServer(serve(api), host="127.0.0.1", port=0, modules=["foo"]) as server:
        yield server


@pytest.fixture
async def socket(server: WSServer) -> AsyncIterator[aiohttp.ClientWebSocketResponse]:
    async with (
        aiohttp.ClientSession() as http,
        http.ws_connect(f"ws://127.0.0.1:{server.port}/any/path", compress=15, max_msg_size=0) as socket,
    ):
        yield socket


async def handshake(server: WSServer, method: str = "GET", **changes: str | None) -> tuple[int, str, str]:
    headers = HANDSHAKE | {name.replace("_", "-"): value for name, value in changes.items()}
    lines = [f"{method} / HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items() if value is not None)]
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(("\r\n".join(lines) + "\r\n\r\n").encode())
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    status = int(head.split()[1])
    length = next((int(line[16:]) for line in head.split("\r\n") if line.startswith("Content-Length: ")), 0)
    body = (await reader.readexactly(length)).decode() if status != 101 else ""
    writer.close()
    await writer.wait_closed()
    return status, body, head


async def test_handshakes(server: WSServer) -> None:
    assert (await handshake(server))[0] == 101
    assert (await handshake(server, Origin="http://localhost"))[0] == 101
    for status, body, changes in (
        (400, "Bad Request\n", {"Upgrade": None}),
        (400, "Bad Request\n", {"Connection": "close"}),
        (400, "Bad Request\n", {"Sec_WebSocket_Version": "12"}),
        (400, "Bad Request\n", {"Sec_WebSocket_Key": None}),
        (403, "Forbidden\n", {"Origin": "http://localhost:8546"}),
    ):
        found = await handshake(server, **changes)
        assert found[:2] == (status, body)
        assert "Sec-Websocket-Version: 13" in found[2]
        assert "text/plain; charset=utf-8" in found[2]
    assert (await handshake(server, "POST"))[:2] == (405, "Method Not Allowed\n")


async def test_text_and_binary_in_text_out(socket: aiohttp.ClientWebSocketResponse) -> None:
    assert socket.compress == 0
    await socket.send_str(HELLO + "{ignored")
    assert await socket.receive_str() == ANSWER
    await socket.send_bytes(HELLO.encode())
    assert await socket.receive_str() == ANSWER
    await socket.send_str('{"id":1,"method":"bar_helloWorld"}')
    assert "does not exist" in await socket.receive_str()
    await socket.ping(b"x")
    await socket.send_str(HELLO)
    assert await socket.receive_str() == ANSWER


async def test_every_message_has_its_frame(socket: aiohttp.ClientWebSocketResponse, api: FooAPI) -> None:
    await socket.send_str('{"id":1,"method":"foo_subscribe","params":["ticks",3]}')
    answer, *events = [json.loads(await socket.receive_str()) for _ in range(4)]
    assert [event["params"]["subscription"] for event in events] == [answer["result"]] * 3
    ended = asyncio.Event()
    api.notifiers[0].on_close(ended.set)
    await socket.close()
    await ended.wait()


async def test_malformed_message_is_answered_and_ends_without_close_frame(
    socket: aiohttp.ClientWebSocketResponse, api: FooAPI
) -> None:
    await socket.send_str('{"id":1,"method":"foo_slow","params":["x"]}')
    await api.entered.wait()
    await socket.send_str("{bad}")
    assert json.loads(await socket.receive_str())["error"]["code"] == -32700
    api.release.set()
    assert json.loads(await socket.receive_str())["result"] == "x"
    assert (await socket.receive()).type is aiohttp.WSMsgType.CLOSED
    assert socket.close_code == aiohttp.WSCloseCode.ABNORMAL_CLOSURE


@pytest.mark.parametrize("message", ["", " ", '{"id":1'])
async def test_empty_and_truncated_messages_end_without_answer(
    socket: aiohttp.ClientWebSocketResponse, message: str
) -> None:
    await socket.send_str(message)
    assert (await socket.receive()).type is aiohttp.WSMsgType.CLOSED


async def test_size_limit(socket: aiohttp.ClientWebSocketResponse) -> None:
    await socket.send_str(HELLO.ljust(MAX_REQUEST_BYTES))
    assert await socket.receive_str() == ANSWER
    await socket.send_str(HELLO.ljust(MAX_REQUEST_BYTES + 1))
    closed = await socket.receive()
    assert (closed.type, closed.data) == (aiohttp.WSMsgType.CLOSE, aiohttp.WSCloseCode.MESSAGE_TOO_BIG)


async def test_closing_the_server(server: WSServer, socket: aiohttp.ClientWebSocketResponse, api: FooAPI) -> None:
    await socket.send_str('{"id":1,"method":"foo_slow","params":["x"]}')
    await api.entered.wait()
    await server.close()
    await server.close()
    assert api.cancelled.is_set()
    assert (await socket.receive()).type is aiohttp.WSMsgType.CLOSED


class StuckSocket:
    async def send_str(self, data: str) -> None:
        await asyncio.Event().wait()


async def test_write_deadline_cuts() -> None:
    cut = asyncio.Event()
    outlet = FrameOutlet(StuckSocket(), cut.set, write_deadline_s=0.01)
    outlet.send(["x"])
    await outlet.run()
    assert cut.is_set()
