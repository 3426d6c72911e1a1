"""The one port of a lab: a CONNECT proxy to control ports, for callers with the token, and to nowhere else."""

from __future__ import annotations

import asyncio
import base64
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from node.control import gateway as gateway_module
from node.control.client import ControlClient, ControlError
from tests.support.control import TOKEN, controlled, free_port
from tests.support.gateway import (
    Target,
    answer,
    caller,
    credentials,
    listening,
    request,
    running_gateway,
    running_target,
)
from tests.support.nodes import LabNode
from tests.support.waiting import until


@pytest.fixture
async def target() -> AsyncIterator[Target]:
    async with running_target() as running:
        yield running


@pytest.fixture
async def port(target: Target) -> AsyncIterator[int]:
    """A gateway that may reach the target, and a port where nobody listens."""
    async with running_gateway(target.port, 1) as port:
        yield port


# -- through


@pytest.mark.parametrize("version", ["1.0", "1.1"])
@pytest.mark.parametrize("host", ["localhost"])
async def test_a_caller_with_the_token_gets_through(port: int, target: Target, host: str, version: str) -> None:
    async with caller(port) as (reader, writer):
        writer.write(request(f"{host}:{target.port}", f"Host: {host}", credentials(), "User-Agent: x", version=version))
        assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 200 Connection established\r\n\r\n"
        for text in (b"hello", b"again"):
            writer.write(text)
            assert await reader.readexactly(5) == text.upper()
    await until(lambda: not target.open)


async def test_what_comes_right_behind_the_request_is_not_lost(port: int, target: Target) -> None:
    async with caller(port) as (reader, writer):
        writer.write(request(f"localhost:{target.port}", credentials()) + b"early")
        await reader.readuntil(b"\r\n\r\n")
        assert await reader.readexactly(5) == b"EARLY"


async def test_header_names_in_any_case(port: int, target: Target) -> None:
    header = credentials().replace("Proxy-Authorization: Basic ", "pRoxy-authorization:bAsic   ")
    assert await answer(port, request(f"localhost:{target.port}", header)) == "HTTP/1.1 200 Connection established"


async def test_many_bytes_both_ways(port: int, target: Target) -> None:
    data = b"a" * 3_000_000
    async with caller(port) as (reader, writer):
        writer.write(request(f"localhost:{target.port}", credentials()))
        await reader.readuntil(b"\r\n\r\n")
        sending = asyncio.create_task(_send(writer, data))
        assert await reader.readexactly(len(data)) == data.upper()
        await sending


async def _send(writer: asyncio.StreamWriter, data: bytes) -> None:
    writer.write(data)
    await writer.drain()


async def test_when_the_node_ends_the_caller_sees_it(port: int, target: Target) -> None:
    async with caller(port) as (reader, writer):
        writer.write(request(f"localhost:{target.port}", credentials()))
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"bye")
        assert await reader.read() == b""


async def test_a_half_close_ends_both_directions_and_what_was_sent_arrives(port: int, target: Target) -> None:
    async with caller(port) as (reader, writer):
        writer.write(request(f"localhost:{target.port}", credentials()))
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"last words")
        writer.write_eof()
        assert await reader.read() in (b"", b"LAST WORDS")
    await until(lambda: target.received == [b"last words"] and not target.open)


async def test_grpc_through_the_gateway(node: LabNode, tmp_path: Path) -> None:
    async with controlled(node, tmp_path, tcp=True) as control:
        node_port = int(control.address.rpartition(":")[2])

        def script(proxy: str) -> str:
            with ControlClient(f"localhost:{node_port}", token=TOKEN, proxy=proxy) as client:
                return client.info(timeout_s=3).name

        async with running_gateway(node_port) as port:
            assert await asyncio.to_thread(script, f"http://lab:{TOKEN}@127.0.0.1:{port}") == "alice"
            with pytest.raises(ControlError):
                await asyncio.to_thread(script, f"http://lab:wrong@127.0.0.1:{port}")


# -- turned away


@pytest.mark.parametrize(
    "header",
    [
        "X: y",
        credentials("wrong"),
        credentials(TOKEN[:-1]),
        credentials(user="root"),
        credentials(""),
        "Proxy-Authorization: Basic ====",
        f"Proxy-Authorization: Bearer {TOKEN}",
        f"Authorization: Basic {base64.b64encode(f'lab:{TOKEN}'.encode()).decode()}",
        f"X: {credentials()}",
    ],
)
async def test_without_the_token_407(port: int, target: Target, header: str) -> None:
    data = request(f"localhost:{target.port}", header)
    assert await answer(port, data) == "HTTP/1.1 407 Proxy Authentication Required"
    assert not target.received


@pytest.mark.parametrize(
    "to",
    [
        "localhost:22",
        "localhost:80",
        "127.0.0.1:{port}",
        "node.example:{port}",
        "UPPER:{port}",
        "-a:{port}",
        "a_b:{port}",
        "[::1]:{port}",
        f"{'a' * 64}:{{port}}",
        "localhost",
        "localhost:",
        ":{port}",
        "localhost:{port}0",
    ],
)
async def test_other_ports_and_names_with_dots_403(port: int, target: Target, to: str) -> None:
    data = request(to.format(port=target.port), credentials())
    assert await answer(port, data) == "HTTP/1.1 403 Forbidden"


async def test_a_node_with_a_port_of_its_own_is_reached_at_that_and_no_other(target: Target) -> None:
    own, stop = free_port(), asyncio.Event()
    gateway = gateway_module.Gateway(TOKEN, ports=[1, 2], only=[("localhost", target.port), ("other", 3)])
    serving = asyncio.create_task(gateway.serve("127.0.0.1", own, stop))
    try:
        await listening(own)
        assert (await answer(own, request(f"localhost:{target.port}", credentials()))).startswith("HTTP/1.1 200")
        for to in ("localhost:1", "localhost:3", "other:1", f"other:{target.port}", f"n02:{target.port}", "n02:3"):
            assert await answer(own, request(to, credentials())) == "HTTP/1.1 403 Forbidden", to
    finally:
        stop.set()
        await serving


@pytest.mark.parametrize("method", ["GET", "POST", "connect"])
async def test_other_methods_403(port: int, target: Target, method: str) -> None:
    data = request(f"localhost:{target.port}", credentials(), method=method)
    assert await answer(port, data) == "HTTP/1.1 403 Forbidden"


async def test_garbage_is_answered_like_a_stranger(port: int) -> None:
    assert await answer(port, os.urandom(100).replace(b"\r", b"") + b"\r\n\r\n") in (
        "HTTP/1.1 407 Proxy Authentication Required",
        "HTTP/1.1 400 Bad Request",
    )
    assert await answer(port, b"\x16\x03\x01 no request at all", eof=True) == "HTTP/1.1 400 Bad Request"
    assert await answer(port, b"", eof=True) == "HTTP/1.1 400 Bad Request"


async def test_headers_that_do_not_end_400(port: int, target: Target) -> None:
    start = request(f"localhost:{target.port}", credentials())[:-2]
    assert (
        await answer(port, start + b"X: " + b"y" * 2 * gateway_module.MAX_REQUEST_BYTES) == "HTTP/1.1 400 Bad Request"
    )


async def test_headers_up_to_the_limit_pass(port: int, target: Target) -> None:
    start = request(f"localhost:{target.port}", credentials())[:-2] + b"X: "
    padding = b"y" * (gateway_module.MAX_REQUEST_BYTES - len(start) - 4)
    assert (await answer(port, start + padding + b"\r\n\r\n")).startswith("HTTP/1.1 200")


async def test_a_caller_that_takes_its_time_400(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    assert gateway_module.REQUEST_TIMEOUT_S == 5.0
    monkeypatch.setattr(gateway_module, "REQUEST_TIMEOUT_S", 0.1)
    assert await answer(port, b"CONNECT local") == "HTTP/1.1 400 Bad Request"


async def test_a_node_that_does_not_answer_502(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    assert gateway_module.CONNECT_TIMEOUT_S == 5.0
    monkeypatch.setattr(gateway_module, "CONNECT_TIMEOUT_S", 0.1)
    assert await answer(port, request("localhost:1", credentials())) == "HTTP/1.1 502 Bad Gateway"


async def test_a_node_that_is_just_starting_is_waited_for(target: Target) -> None:
    node_port = free_port()
    async with running_gateway(node_port) as port:
        asking = asyncio.create_task(answer(port, request(f"localhost:{node_port}", credentials())))
        await until(lambda: any(task.get_name() == "gateway caller" for task in asyncio.all_tasks()))
        async with await asyncio.start_server(target.serve, "127.0.0.1", node_port):
            assert (await asking).startswith("HTTP/1.1 200")


async def test_nobody_waits_for_somebody_slow(port: int, target: Target) -> None:
    async with caller(port) as (_, slow):
        slow.write(b"CONNECT ")
        status = await answer(port, request(f"localhost:{target.port}", credentials()))
        assert status == "HTTP/1.1 200 Connection established"
