"""The HTTP endpoint, spoken to in raw HTTP."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import NamedTuple

import pytest

from node.errors import ConfigError
from node.rpc.http import MAX_REQUEST_BYTES, HTTPServer, HTTPTimeouts, answer_request
from tests.unit.rpc.rpc_fixtures import FooAPI, serve

JSON = "Content-Type: application/json"
HELLO = '{"jsonrpc":"2.0","id":1,"method":"foo_helloWorld"}'


class Reply(NamedTuple):
    status: int
    headers: list[tuple[str, str]]
    body: str

    def all(self, name: str) -> list[str]:
        return [value for key, value in self.headers if key.lower() == name.lower()]


async def ask(server: HTTPServer, request: str, *headers: str, body: str = "", length: int | None = None) -> Reply:
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    if not any(header.startswith("Host") for header in headers) and "1.0" not in request:
        headers = ("Host: localhost", *headers)
    if length is None and body and "Transfer-Encoding: chunked" not in headers:
        length = len(body.encode())
    if length is not None:
        headers = (*headers, f"Content-Length: {length}")
    lines = "\r\n".join([request, "Connection: close", *headers])
    writer.write(f"{lines}\r\n\r\n{body}".encode())
    raw = await reader.read()
    writer.close()
    await writer.wait_closed()
    head, _, text = raw.decode().partition("\r\n\r\n")
    status_line, *header_lines = head.split("\r\n")
    pairs = [(line.partition(": ")[0], line.partition(": ")[2]) for line in header_lines]
    return Reply(int(status_line.split()[1]), pairs, text)


@pytest.fixture
async def server() -> AsyncIterator[HTTPServer]:
    async with HTTPServer(serve(FooAPI()), host="127.0.0.1", port=0, modules=["foo"]) as server:
        yield server


@pytest.fixture
async def cors() -> AsyncIterator[HTTPServer]:
    async with HTTPServer(serve(FooAPI()), host="127.0.0.1", port=0, cors=["http://a.example"]) as server:
        yield server


async def test_transcript_of_the_specification(server: HTTPServer) -> None:
    reply = await ask(server, "POST /any/path HTTP/1.1", "Host: localhost:8545", JSON, body=HELLO)
    assert reply.status == 200
    assert reply.all("Content-Type") == ["application/json"]
    assert reply.all("Content-Length") == ["43"]
    assert reply.body == '{"jsonrpc":"2.0","id":1,"result":"foobar"}\n'
    assert reply.all("Vary") == []


@pytest.mark.parametrize(
    ("body", "answer"),
    [
        ("", ""),
        ('{"method":"foo_helloWorld"}', ""),
        ('[{"method":"foo_helloWorld"}]', ""),
        (HELLO + " garbage", '{"jsonrpc":"2.0","id":1,"result":"foobar"}\n'),
        ("{bad}", '{"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":"parse error"}}\n'),
        (HELLO[:-1], '{"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":"parse error"}}\n'),
        (
            '{"id":1,"method":"foo_subscribe","params":["ticks",1]}',
            '{"jsonrpc":"2.0","id":1,"error":{"code":-32000,"message":"notifications not supported"}}\n',
        ),
        (
            '{"id":1,"method":"foo_unsubscribe","params":["0x1"]}',
            '{"jsonrpc":"2.0","id":1,"error":{"code":-32000,"message":"subscription not found"}}\n',
        ),
        (
            '{"id":1,"method":"bar_helloWorld"}',
            '{"jsonrpc":"2.0","id":1,"error":{"code":-32601,'
            '"message":"the method bar_helloWorld does not exist/is not available"}}\n',
        ),
        ('{"id":1,"method":"rpc_modules"}', '{"jsonrpc":"2.0","id":1,"result":{"foo":"1.0","rpc":"1.0"}}\n'),
    ],
)
async def test_bodies(server: HTTPServer, body: str, answer: str) -> None:
    reply = await ask(server, "POST / HTTP/1.1", JSON, body=body, length=len(body))
    assert (reply.status, reply.body) == (200, answer)


async def test_refusals(server: HTTPServer) -> None:
    for reply, status, text in (
        (await ask(server, "POST / HTTP/1.1", "Host: evil.example", JSON, body=HELLO), 403, "invalid host specified"),
        (await ask(server, "PUT / HTTP/1.1", JSON, body=HELLO), 405, "method not allowed"),
        (await ask(server, "DELETE / HTTP/1.1"), 405, "method not allowed"),
        (
            await ask(server, "POST / HTTP/1.1", JSON, length=MAX_REQUEST_BYTES + 1),
            413,
            "content length too large (5242881>5242880)",
        ),
        (
            await ask(server, "POST / HTTP/1.1", "Content-Type: text/plain", body=HELLO),
            415,
            "invalid content type, only application/json is supported",
        ),
    ):
        assert (reply.status, reply.body) == (status, text + "\n")
        assert reply.all("Content-Type") == ["text/plain; charset=utf-8"]
        assert reply.all("X-Content-Type-Options") == ["nosniff"]


async def test_hosts(server: HTTPServer) -> None:
    assert (await ask(server, "POST / HTTP/1.0", JSON, body=HELLO)).status == 200
    assert (await ask(server, "POST / HTTP/1.1", "Host: 127.0.0.1:1", JSON, body=HELLO)).status == 200
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(b"GET / HTTP/1.1\r\nConnection: close\r\n\r\n")
    assert b" 400 " in await reader.readline()
    writer.close()
    await writer.wait_closed()


async def test_methods_without_a_call(server: HTTPServer) -> None:
    for request in ("GET / HTTP/1.1", "OPTIONS / HTTP/1.1"):
        reply = await ask(server, request)
        assert (reply.status, reply.body) == (200, "")
        assert reply.all("Content-Type") == []
    assert (await ask(server, "GET /?a=1 HTTP/1.1")).status == 415
    for request in ("GET / HTTP/1.1", "PATCH / HTTP/1.1"):
        assert "foobar" in (await ask(server, request, JSON + "; charset=utf-8", body=HELLO)).body


def chunked(*chunks: str) -> str:
    return "".join(f"{len(chunk):x}\r\n{chunk}\r\n" for chunk in chunks) + "0\r\n\r\n"


async def test_chunked_bodies(server: HTTPServer) -> None:
    headers = (JSON, "Transfer-Encoding: chunked")
    reply = await ask(server, "POST / HTTP/1.1", *headers, body=chunked(HELLO[:10], HELLO[10:]))
    assert "foobar" in reply.body
    filler = ["x" * 65536] * (MAX_REQUEST_BYTES // 65536 + 1)
    reply = await ask(server, "POST / HTTP/1.1", *headers, body=chunked('["', *filler, '"]'))
    assert (reply.status, "parse error" in reply.body) == (200, True)
    reply = await ask(server, "POST / HTTP/1.1", *headers, body=chunked(HELLO, *filler))
    assert "foobar" in reply.body


async def test_cors(cors: HTTPServer) -> None:
    allowed = await ask(cors, "POST / HTTP/1.1", JSON, "Origin: http://a.example", body=HELLO)
    assert allowed.all("Access-Control-Allow-Origin") == ["http://a.example"]
    assert allowed.all("Vary") == ["Origin"]
    other = await ask(cors, "POST / HTTP/1.1", JSON, "Origin: http://b.example", body=HELLO)
    assert "foobar" in other.body
    assert other.all("Access-Control-Allow-Origin") == []
    preflight = await ask(
        cors,
        "OPTIONS / HTTP/1.1",
        "Origin: http://a.example",
        "Access-Control-Request-Method: POST",
        "Access-Control-Request-Headers: content-type",
    )
    assert preflight.status == 200
    assert preflight.all("Vary") == ["Origin", "Access-Control-Request-Method", "Access-Control-Request-Headers"]
    assert preflight.all("Access-Control-Allow-Methods") == ["POST"]
    assert preflight.all("Access-Control-Allow-Headers") == ["Content-Type"]
    assert preflight.all("Access-Control-Max-Age") == ["600"]
    assert (await ask(cors, "OPTIONS / HTTP/1.1", "Host: evil.example")).status == 403


async def test_port_in_use(server: HTTPServer) -> None:
    with pytest.raises(ConfigError, match=f"listen tcp 127.0.0.1:{server.port}: "):
        await HTTPServer(serve(FooAPI()), host="127.0.0.1", port=server.port).start()


async def test_slow_method_is_awaited() -> None:
    api = FooAPI()
    asking = asyncio.create_task(
        answer_request(serve(api), b'[{"id":1,"method":"foo_slow","params":["x"]},{"id":2,"method":"foo_add"}]')
    )
    await api.entered.wait()
    api.release.set()
    assert [answer["id"] for answer in json.loads(await asking)] == [1, 2]


def test_timeouts_that_are_too_small() -> None:
    assert HTTPTimeouts(read_s=0.5, write_s=2, idle_s=0).checked() == HTTPTimeouts(read_s=30, write_s=2, idle_s=120)
