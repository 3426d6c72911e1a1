"""The client over all transports."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from node.errors import ConfigError, DialFailed, LabError, RPCError
from node.rpc import HTTPServer, IPCServer, NoResult, Registry, RPCClient, RPCClientClosed, RPCConnectionLost, WSServer
from node.rpc import subscriber as subscriber_module
from node.rpc.links import HTTPStatusError, Link, WSLink, dial_ipc, dial_ws, parse_scheme
from node.rpc.session import Responses
from node.rpc.subscriber import SubscriptionOverflow
from tests.unit.rpc.rpc_fixtures import FooAPI, serve


@pytest.fixture
async def api() -> FooAPI:
    return FooAPI()


async def _connected(kind: str, api: FooAPI, tmp_path: Path) -> AsyncIterator[RPCClient]:
    registry = serve(api)
    if kind == "memory":
        async with RPCClient.in_process(registry) as client:
            yield client
    elif kind == "ipc":
        async with (
            IPCServer(registry, tmp_path / "n.ipc") as server,
            await RPCClient.connect(str(server.path)) as client,
        ):
            yield client
    elif kind == "ws":
        async with (
            WSServer(registry, host="127.0.0.1", port=0) as ws,
            await RPCClient.connect(f"ws://127.0.0.1:{ws.port}") as client,
        ):
            yield client
    else:
        async with (
            HTTPServer(registry, host="127.0.0.1", port=0) as http,
            await RPCClient.connect(f"http://127.0.0.1:{http.port}") as client,
        ):
            yield client


@pytest.fixture(params=["memory", "ipc", "ws", "http"])
async def client(request: pytest.FixtureRequest, api: FooAPI, tmp_path: Path) -> AsyncIterator[RPCClient]:
    async for each in _connected(request.param, api, tmp_path):
        yield each


@pytest.fixture(params=["memory", "ipc", "ws"])
async def lasting(request: pytest.FixtureRequest, api: FooAPI, tmp_path: Path) -> AsyncIterator[RPCClient]:
    async for each in _connected(request.param, api, tmp_path):
        yield each


async def test_calls(client: RPCClient, api: FooAPI) -> None:
    assert await client.call("foo_helloWorld") == "foobar"
    assert await client.call("foo_nothing") is None
    assert await client.call("foo_add", 1, 2, timeout=30) == 3
    assert await client.supported_modules() == {"bar": "1.0", "foo": "1.0", "rpc": "1.0"}
    with pytest.raises(RPCError) as caught:
        await client.call("foo_failRpc")
    assert (caught.value.code, caught.value.message) == (7, "own code")
    api.release.set()
    texts = [str(number) for number in range(20)]
    assert await asyncio.gather(*(client.call("foo_slow", text) for text in texts)) == texts


async def test_batch(client: RPCClient) -> None:
    first, second, third = await client.batch([("foo_add", [1, 2]), ("foo_nope", []), ("foo_helloWorld", ())])
    assert (first, third) == (3, "foobar")
    assert isinstance(second, RPCError)
    assert second.code == -32601
    assert await client.batch([]) == []


async def test_timeout_leaves_the_connection_usable(client: RPCClient) -> None:
    with pytest.raises(TimeoutError):
        await client.call("foo_slow", "x", timeout=0.01)
    assert await client.call("foo_helloWorld") == "foobar"


async def test_events(lasting: RPCClient, api: FooAPI) -> None:
    async with await lasting.subscribe("foo", "ticks", 3) as events:
        assert [await anext(events) for _ in range(3)] == [0, 1, 2]
        api.notifiers[0].notify({"a": 1})
        assert await anext(events) == {"a": 1}
    assert api.notifiers[0].closed
    with pytest.raises(StopAsyncIteration):
        await anext(events)
    await events.unsubscribe()
    with pytest.raises(RPCError, match='no "nope" subscription'):
        await lasting.subscribe("foo", "nope")


async def test_overflow(lasting: RPCClient, api: FooAPI, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subscriber_module, "MAX_QUEUED_EVENTS", 2)
    events = await lasting.subscribe("foo", "ticks", 0)
    ended = asyncio.Event()
    api.notifiers[0].on_close(ended.set)
    for number in range(3):
        api.notifiers[0].notify(number)
    await ended.wait()  # the client unsubscribed
    assert [await anext(events), await anext(events)] == [0, 1]
    with pytest.raises(SubscriptionOverflow, match="subscription queue overflow"):
        await anext(events)


async def test_answer_to_an_abandoned_subscribe_call_ends_it(lasting: RPCClient, api: FooAPI) -> None:
    with pytest.raises(TimeoutError):
        await lasting.subscribe("foo", "slowTicks", timeout=0.01)
    api.release.set()
    while not api.notifiers:
        await lasting.call("foo_helloWorld")
    ended = asyncio.Event()
    api.notifiers[0].on_close(ended.set)
    await ended.wait()


async def test_closed_client(lasting: RPCClient, api: FooAPI) -> None:
    events = await lasting.subscribe("foo", "ticks", 1)
    waiting = asyncio.create_task(lasting.call("foo_slow", "x"))
    await api.entered.wait()
    await lasting.close()
    with pytest.raises(RPCClientClosed, match="client is closed"):
        await waiting
    with pytest.raises(RPCClientClosed):
        await lasting.call("foo_helloWorld")
    assert [event async for event in events] == [0]
    await lasting.close()


async def test_lost_connection_and_reconnect(tmp_path: Path, api: FooAPI) -> None:
    path = tmp_path / "n.ipc"
    server = IPCServer(serve(api), path)
    await server.start()
    async with await RPCClient.connect(str(path)) as client:
        events = await client.subscribe("foo", "ticks", 0)
        waiting = asyncio.create_task(client.call("foo_slow", "x"))
        await api.entered.wait()
        await server.close()
        with pytest.raises(RPCConnectionLost):
            await waiting
        with pytest.raises(RPCConnectionLost):
            await anext(events)
        with pytest.raises(DialFailed):
            await client.call("foo_helloWorld")
        async with IPCServer(serve(api), path):
            assert await client.call("foo_helloWorld") == "foobar"


async def test_http_refuses_subscriptions_and_can_be_used_after_close(api: FooAPI) -> None:
    async with HTTPServer(serve(api), host="127.0.0.1", port=0) as server:
        client = await RPCClient.connect(f"http://127.0.0.1:{server.port}")
        with pytest.raises(RPCError, match="notifications not supported"):
            await client.subscribe("foo", "ticks", 1)
        await client.close()
        assert await client.call("foo_helloWorld") == "foobar"
        await client.close()


async def test_http_errors(api: FooAPI) -> None:
    async with HTTPServer(serve(api), host="127.0.0.1", port=0, vhosts=[]) as server:
        async with await RPCClient.connect(f"http://localhost:{server.port}") as client:
            with pytest.raises(HTTPStatusError, match="403 Forbidden invalid host specified"):
                await client.call("foo_helloWorld")
        port = server.port
    async with await RPCClient.connect(f"http://127.0.0.1:{port}") as client:
        with pytest.raises(DialFailed):
            await client.call("foo_helloWorld")


@pytest.mark.parametrize("answer", ['{"jsonrpc":"2.0","id":1}', ""])
async def test_no_result(answer: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async def exchange(self: Any, text: str) -> bytes:
        return answer.encode()

    monkeypatch.setattr("node.rpc.links.HTTPLink.exchange", exchange)
    client = await RPCClient.connect("http://localhost:1")
    with pytest.raises(NoResult, match="no result in JSON-RPC response"):
        await client.call("foo_helloWorld")
    (outcome,) = await client.batch([("foo_helloWorld", ())])
    assert isinstance(outcome, NoResult)


async def test_endpoints(tmp_path: Path, api: FooAPI) -> None:
    with pytest.raises(ConfigError, match='no known transport for URL scheme "ftp"'):
        await RPCClient.connect("ftp://x")
    assert parse_scheme("/a:b/n.ipc") == ""
    assert parse_scheme("WSS://x") == "wss"
    with pytest.raises(DialFailed):
        await RPCClient.connect(str(tmp_path / "nobody.ipc"))
    with pytest.raises(DialFailed):
        await RPCClient.connect("ws://127.0.0.1:1")
    async with HTTPServer(serve(api), host="127.0.0.1", port=0) as server:
        with pytest.raises(DialFailed, match=r"HTTP status 200"):
            await RPCClient.connect(f"ws://127.0.0.1:{server.port}")


async def test_reverse_call_finds_no_methods(tmp_path: Path) -> None:
    async def serve_once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b'{"id":"r","method":"rpc_modules"}\n')
        answered.set_result(await reader.readline())
        writer.close()

    answered: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
    server = await asyncio.start_unix_server(serve_once, str(tmp_path / "n.ipc"))
    async with await RPCClient.connect(str(tmp_path / "n.ipc")):
        assert b'"id":"r","error":{"code":-32601' in await answered
    server.close()


async def test_unknown_and_late_answers_are_dropped(tmp_path: Path) -> None:
    client = RPCClient.in_process(Registry())
    link = await client._open_link()
    link.session.receive_data(b'{"id":99,"result":1}{"method":"x_subscription","params":[]}')
    link.session.receive_data(b'{"method":"x_subscription","params":{"subscription":"0x1","result":1}}')
    assert await client.call("rpc_modules") == {"rpc": "1.0"}
    await client.close()


def test_errors_have_one_root() -> None:
    for error in (RPCClientClosed(), RPCConnectionLost("x"), NoResult(), SubscriptionOverflow()):
        assert isinstance(error, LabError)


@pytest.mark.parametrize("kind", ["ipc", "ws"])
async def test_a_client_that_is_closed_while_it_dials(kind: str, api: FooAPI, tmp_path: Path) -> None:
    links: list[Link] = []
    go = asyncio.Event()

    async def dial(responses: Responses) -> Link:
        await go.wait()
        links.append(await (dial_ws if kind == "ws" else dial_ipc)(endpoint, responses))
        return links[0]

    async with (
        IPCServer(serve(api), tmp_path / "n.ipc"),
        WSServer(serve(api), host="127.0.0.1", port=0) as ws,
        RPCClient(dialer=dial) as client,
    ):
        endpoint = f"ws://127.0.0.1:{ws.port}" if kind == "ws" else str(tmp_path / "n.ipc")
        calls = [asyncio.create_task(client.call("foo_helloWorld")) for _ in range(2)]
        await asyncio.sleep(0)
        await client.close()
        go.set()
        async with asyncio.timeout(5):
            for call in calls:
                with pytest.raises(RPCClientClosed):
                    await call
            await links[0].closed
        assert len(links) == 1


async def test_a_client_that_is_closed_at_once(api: FooAPI) -> None:
    async with WSServer(serve(api), host="127.0.0.1", port=0) as server, asyncio.timeout(5):
        client = await RPCClient.connect(f"ws://127.0.0.1:{server.port}")
        link = client._link
        assert isinstance(link, WSLink)
        await client.close()
        assert link.closed.done()
        assert link._http.closed
