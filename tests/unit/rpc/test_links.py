"""What the client test does not reach: credentials, large answers and those that are too large, ends of connections."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import re
import tracemalloc
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from node.errors import DialFailed
from node.rpc import HTTPServer, IPCServer, RPCClient, RPCClientClosed, RPCConnectionLost, WSServer, links
from node.rpc.links import MAX_ANSWER_BYTES, WSLink
from tests.unit.rpc.rpc_fixtures import FooAPI, serve

DEADLINE_S = 20.0
WEBSOCKET_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
"""Source: RFC 6455 section 1.3."""


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


# -- servers that say too much, or hear nothing


class RawServer:
    """Answers HTTP requests, or a WebSocket handshake and its first message, with bytes of ours; hears nothing more."""

    def __init__(self, *parts: bytes) -> None:
        self.parts = parts
        self.received = 0
        self.asked, self.read_on, self.over = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            if writer.get_extra_info("peername"):  # TCP
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                if found := re.search(r"Sec-WebSocket-Key: (\S+)", head, re.IGNORECASE):
                    accept = base64.b64encode(hashlib.sha1(found[1].encode() + WEBSOCKET_GUID).digest())
                    writer.write(
                        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                        b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n"
                    )
            await reader.readexactly(2)
            self.asked.set()
            writer.transport.pause_reading()  # type: ignore[attr-defined]
            for part in self.parts:
                writer.write(part)
                await writer.drain()
            await self.read_on.wait()
            writer.transport.resume_reading()  # type: ignore[attr-defined]
            while data := await reader.read(1 << 20):
                self.received += len(data)
        self.over.set()
        writer.transport.abort()


@contextlib.asynccontextmanager
async def raw_server(scheme: str, directory: Path, *parts: bytes) -> AsyncIterator[tuple[RawServer, str]]:
    serve_raw = RawServer(*parts)
    if scheme == "ipc":
        endpoint = str(directory / "n.ipc")
        server = await asyncio.start_unix_server(serve_raw, endpoint)
    else:
        server = await asyncio.start_server(serve_raw, "127.0.0.1", 0)
        endpoint = f"{scheme}://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with asyncio.timeout(DEADLINE_S):
        try:
            yield serve_raw, endpoint
        finally:
            server.close()
            serve_raw.read_on.set()
            await serve_raw.over.wait()


def text_frame(length: int, *, fin: bool = True, opcode: int = 1) -> bytes:
    """The head of an unmasked frame."""
    return bytes([fin << 7 | opcode, 127]) + length.to_bytes(8, "big")


CHUNK = b"%x\r\n" % (1 << 20) + b"x" * (1 << 20) + b"\r\n"
HUGE = {
    # Nothing of the body is sent: its length alone is enough.
    "ws": [text_frame(1 << 40)],
    "ws just too long": [text_frame(MAX_ANSWER_BYTES + 1)],
    "ws in pieces": [text_frame(1 << 20, fin=False), b"x" * (1 << 20)]
    + [text_frame(1 << 20, fin=False, opcode=0), b"x" * (1 << 20)] * 40,
    "http": [b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000000\r\n\r\n"],
    "http in pieces": [b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", *[CHUNK] * 40],
    "http error": [b"HTTP/1.1 500 Broken\r\nContent-Length: 1000000000000\r\n\r\n"],
    "ipc": [b'{"id":1,"result":"', *[b"x" * (1 << 20)] * 40],
}


@pytest.mark.parametrize("kind", HUGE)
async def test_an_answer_that_is_too_long_is_cut_off_and_said(kind: str, tmp_path: Path) -> None:
    async with raw_server(kind.split()[0], tmp_path, *HUGE[kind]) as (_, endpoint):
        client = await RPCClient.connect(endpoint)
        tracemalloc.start()
        try:
            with pytest.raises(RPCConnectionLost, match=rf"connection lost: .*longer than {MAX_ANSWER_BYTES} "):
                await client.call("foo_helloWorld")
            # Twice: a whole message is joined from its parts.
            assert tracemalloc.get_traced_memory()[1] < 2.5 * MAX_ANSWER_BYTES
        finally:
            tracemalloc.stop()
            await client.close()


@pytest.mark.parametrize("scheme", ["ws", "http", "ipc"])
async def test_the_longest_answer(scheme: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(links, "MAX_ANSWER_BYTES", 200)
    head = b'{"jsonrpc":"2.0","id":%d,"result":"'

    async with (
        IPCServer(serve(FooAPI()), tmp_path / "n.ipc"),
        WSServer(serve(FooAPI()), host="127.0.0.1", port=0) as ws,
        HTTPServer(serve(FooAPI()), host="127.0.0.1", port=0) as http,
    ):
        places = {"ws": f"ws://127.0.0.1:{ws.port}", "http": f"http://127.0.0.1:{http.port}"}
        async with await RPCClient.connect(places.get(scheme, str(tmp_path / "n.ipc"))) as client:
            # Frames and bodies end with a newline, which is no part of a value in a stream.
            fits = 200 - len(head % 1) - len('"}') + 1 - (scheme != "ipc")
            assert len(await client.call("foo_big", fits - 1)) == fits - 1
            with pytest.raises(RPCConnectionLost, match="longer than 200 "):
                await client.call("foo_big", fits + 1)
            assert await client.call("foo_helloWorld") == "foobar"


async def test_closing_does_not_wait_for_a_server_that_does_not_read(tmp_path: Path) -> None:
    sent = 20_000_000
    async with raw_server("ws", tmp_path) as (server, endpoint):
        client = await RPCClient.connect(endpoint)
        link = client._link
        assert isinstance(link, WSLink)
        call = asyncio.create_task(client.call("foo_echo", "x" * sent))
        await server.asked.wait()
        await client.close()
        assert link.closed.done()
        assert isinstance(*await asyncio.gather(call, return_exceptions=True), RPCClientClosed)
        server.read_on.set()
        await server.over.wait()
        assert server.received < sent, "what was not sent went with the connection"


async def test_a_link_that_fails_says_so_and_closes(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def fail(socket: object, session: object) -> None:
        await asyncio.sleep(0.01)
        raise KeyError("a bug")

    monkeypatch.setattr(links, "serve_frames", fail)
    async with WSServer(serve(FooAPI()), host="127.0.0.1", port=0) as server, asyncio.timeout(DEADLINE_S):
        client = await RPCClient.connect(f"ws://127.0.0.1:{server.port}")
        link = client._link
        assert isinstance(link, WSLink)
        with pytest.raises(RPCConnectionLost, match="connection lost: KeyError: 'a bug'"):
            await client.call("foo_slow", "x")
        await link.wait_closed()
        await client.close()
    assert "a WebSocket broke off" in caplog.text


async def test_waiting_for_the_end_can_be_given_up() -> None:
    async with (
        WSServer(serve(FooAPI()), host="127.0.0.1", port=0) as server,
        await RPCClient.connect(f"ws://127.0.0.1:{server.port}") as client,
    ):
        assert client._link is not None
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await client._link.wait_closed()
        assert await client.call("foo_helloWorld") == "foobar"
