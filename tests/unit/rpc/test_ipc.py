"""The Unix socket: file, framing, half-close, clients that do not read."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
import stat
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from node.errors import ConfigError
from node.rpc import ipc
from node.rpc.ipc import MAX_SOCKET_PATH_BYTES, IPCServer, StreamConnection
from node.rpc.registry import Registry
from tests.unit.rpc.rpc_fixtures import FooAPI, serve

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@pytest.fixture
async def api() -> FooAPI:
    return FooAPI()


@pytest.fixture
async def server(tmp_path: Path, api: FooAPI) -> AsyncIterator[IPCServer]:
    async with IPCServer(serve(api), tmp_path / "n.ipc") as server:
        yield server


@pytest.fixture
async def streams(server: IPCServer) -> AsyncIterator[Streams]:
    reader, writer = await asyncio.open_unix_connection(str(server.path), limit=1 << 26)
    yield reader, writer
    writer.close()
    with contextlib.suppress(ConnectionError):
        await writer.wait_closed()


async def test_file_and_directories(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "n.ipc"
    old = os.umask(0)
    try:
        async with IPCServer(Registry(), path):
            assert stat.S_IMODE(path.stat().st_mode) == 0o600
            assert stat.S_IMODE(path.parent.stat().st_mode) == 0o751
            assert stat.S_IMODE(path.parent.parent.stat().st_mode) == 0o751
    finally:
        os.umask(old)
    assert not path.exists()


async def test_stale_socket_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "n.ipc"
    with socket.socket(socket.AF_UNIX) as stale:
        stale.bind(str(path))
    async with IPCServer(Registry(), path):
        _, writer = await asyncio.open_unix_connection(str(path))
        writer.close()
        await writer.wait_closed()


async def test_live_server_is_left_alone(server: IPCServer, streams: Streams) -> None:
    with pytest.raises(ConfigError, match="another server is listening"):
        await IPCServer(Registry(), server.path).start()
    reader, writer = streams
    writer.write(b'{"id":1,"method":"foo_helloWorld"}')
    assert b"foobar" in await reader.readline()


async def test_other_files_are_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("precious")
    with pytest.raises(ConfigError, match="no socket"):
        await IPCServer(Registry(), path).start()
    assert path.read_text() == "precious"
    with pytest.raises(ConfigError, match="cannot listen"):
        await IPCServer(Registry(), path / "below").start()


async def test_path_length(tmp_path: Path) -> None:
    fits = str(tmp_path / ("x" * (MAX_SOCKET_PATH_BYTES - len(str(tmp_path)) - 1)))
    assert len(fits) == MAX_SOCKET_PATH_BYTES
    async with IPCServer(Registry(), fits):
        pass
    with pytest.raises(ConfigError, match="IPC path is 108 bytes long, at most 107 are possible: "):
        await IPCServer(Registry(), fits + "x").start()


async def test_file_of_a_successor_is_not_removed(tmp_path: Path) -> None:
    path = tmp_path / "n.ipc"
    first = IPCServer(Registry(), path)
    await first.start()
    path.rename(tmp_path / "moved")
    async with IPCServer(Registry(), path):
        await first.close()
        await first.close()
        assert path.exists()


async def test_many_values_in_a_write_and_one_in_many(streams: Streams) -> None:
    reader, writer = streams
    for byte in b'{"id":1,"method":"foo_add","params":[1,2]}[{"id":2,"method":"foo_add","params":[3,4]}]':
        writer.write(bytes([byte]))
        await writer.drain()
    assert await reader.readline() == b'{"jsonrpc":"2.0","id":1,"result":3}\n'
    assert await reader.readline() == b'[{"jsonrpc":"2.0","id":2,"result":7}]\n'


async def test_half_close(streams: Streams, api: FooAPI) -> None:
    reader, writer = streams
    writer.write(b'{"id":1,"method":"foo_slow","params":["x"]}')
    writer.write_eof()
    await api.entered.wait()
    api.release.set()
    assert await reader.read() == b'{"jsonrpc":"2.0","id":1,"result":"x"}\n'


async def test_syntax_error_closes(streams: Streams) -> None:
    reader, writer = streams
    writer.write(b'{"id":1,"method":"foo_helloWorld"}]{"id":2,"method":"foo_helloWorld"}')
    first, second = (await reader.read()).splitlines()
    assert json.loads(first)["result"] == "foobar"
    assert json.loads(second)["error"]["code"] == -32700


async def test_large_answer_arrives_whole(streams: Streams) -> None:
    reader, writer = streams
    writer.write(b'{"id":1,"method":"foo_big","params":[10000000]}')
    assert len(json.loads(await reader.readline())["result"]) == 10_000_000


async def test_closing_the_server_ends_connections_and_calls(server: IPCServer, streams: Streams, api: FooAPI) -> None:
    reader, writer = streams
    writer.write(b'{"id":1,"method":"foo_slow","params":["x"]}')
    await api.entered.wait()
    await server.close()
    assert api.cancelled.is_set()
    with contextlib.suppress(ConnectionError):
        assert await reader.read() == b""


async def test_client_that_leaves_ends_its_subscriptions(server: IPCServer, api: FooAPI) -> None:
    reader, writer = await asyncio.open_unix_connection(str(server.path))
    writer.write(b'{"id":1,"method":"foo_subscribe","params":["ticks",0]}')
    await reader.readline()
    ended = asyncio.Event()
    api.notifiers[0].on_close(ended.set)
    writer.close()
    await writer.wait_closed()
    await ended.wait()


async def test_client_that_does_not_read_is_dropped(
    server: IPCServer, streams: Streams, api: FooAPI, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ipc, "MAX_UNSENT_BYTES", 1 << 20)
    reader, writer = streams
    writer.write(b'{"id":1,"method":"foo_subscribe","params":["ticks",0]}')
    await reader.readline()
    writer.transport.pause_reading()  # type: ignore[attr-defined]
    (notifier,) = api.notifiers
    ended = asyncio.Event()
    notifier.on_close(ended.set)
    turn = asyncio.get_running_loop()
    sent = 0

    def produce() -> None:
        nonlocal sent
        if not notifier.closed:
            sent += 1
            notifier.notify("x" * 65536)
            turn.call_soon(produce)

    produce()
    await ended.wait()
    assert sent < 100, "what waits for the client is bounded"


async def test_write_deadline(tmp_path: Path, api: FooAPI) -> None:
    ours, theirs = socket.socketpair()
    theirs.setblocking(False)
    loop = asyncio.get_running_loop()
    _, connection = await loop.create_unix_connection(
        lambda: StreamConnection(serve(api), write_deadline_s=0.05), sock=ours
    )
    await loop.sock_sendall(theirs, b'{"id":1,"method":"foo_big","params":[5000000]}')
    await connection.wait_closed()
    theirs.close()


async def test_slow_reader_is_kept_while_it_reads(tmp_path: Path, api: FooAPI) -> None:
    ours, theirs = socket.socketpair()
    theirs.setblocking(False)
    loop = asyncio.get_running_loop()
    _, connection = await loop.create_unix_connection(
        lambda: StreamConnection(serve(api), write_deadline_s=5), sock=ours
    )
    for _ in range(3):
        await loop.sock_sendall(theirs, b'{"id":1,"method":"foo_big","params":[3000000]}')
    received = 0
    while received < 9_000_000:
        received += len(await loop.sock_recv(theirs, 1 << 16))
    assert not connection.closed.done()
    theirs.close()
    await connection.wait_closed()


@pytest.mark.parametrize("turns", range(4))
async def test_who_connected_just_before_the_close_sees_the_end(tmp_path: Path, api: FooAPI, turns: int) -> None:
    server = IPCServer(serve(api), tmp_path / "n.ipc")
    await server.start()
    with socket.socket(socket.AF_UNIX) as client:
        client.setblocking(False)
        client.connect(str(server.path))
        for _ in range(turns):
            await asyncio.sleep(0)
        await server.close()
        async with asyncio.timeout(5):
            with contextlib.suppress(ConnectionResetError):
                assert await asyncio.get_running_loop().sock_recv(client, 1) == b""


@pytest.mark.parametrize("turns", range(6))
async def test_a_close_that_is_cancelled_goes_on(tmp_path: Path, api: FooAPI, turns: int) -> None:
    server = IPCServer(serve(api), tmp_path / "n.ipc")
    await server.start()
    reader, writer = await asyncio.open_unix_connection(str(server.path))
    closing = asyncio.create_task(server.close())
    for _ in range(turns):
        await asyncio.sleep(0)
    closing.cancel()
    await asyncio.gather(closing, return_exceptions=True)
    async with asyncio.timeout(5):
        await server.close()
        assert await reader.read() == b""
    assert not server.path.exists()
    writer.close()
    await writer.wait_closed()
