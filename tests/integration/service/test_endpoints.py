"""HTTP and WebSocket endpoints opened and closed while the node runs (spec 03 section 5). Their errors over every
transport are in `tests/integration/rpc`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from node.errors import RPCError
from node.p2p.server import ServerConfig
from node.rpc.client import RPCClient
from node.rpc.registry import Registry
from node.service.endpoints import HTTP_PORT, WS_PORT, Endpoint, EndpointConfig, make_endpoints
from node.service.service import API, Service, ServiceContext, ServiceError
from node.service.stack import NodeConfig, ServiceNode
from tests.support.waiting import DEADLINE_S, until

NAMES = ("RPC", "WS")


class Slow(Service):
    """Answers when it is told to."""

    def __init__(self, context: ServiceContext | None = None) -> None:
        self.asked, self.go = asyncio.Event(), asyncio.Event()

    def apis(self) -> tuple[API, ...]:
        return (API("slow", self, public=True, methods=["answer"]),)

    async def answer(self) -> str:
        self.asked.set()
        await self.go.wait()
        return "at last"


@pytest.fixture
async def node() -> AsyncIterator[ServiceNode]:
    closed = EndpointConfig()
    config = NodeConfig(client_name="demo/v1", p2p=ServerConfig(listen_addr="127.0.0.1:0"), http=closed, ws=closed)
    node = ServiceNode(config)
    node.register(Slow)
    async with node:
        for endpoint in node.endpoints:
            await endpoint.stop()
        yield node


@pytest.fixture
async def admin(node: ServiceNode) -> AsyncIterator[RPCClient]:
    async with await node.attach() as client:
        yield client


def endpoint(node: ServiceNode, name: str) -> Endpoint:
    return node.endpoints.http if name == "RPC" else node.endpoints.ws


def url(node: ServiceNode, name: str) -> str:
    return endpoint(node, name).url


async def refusal(client: RPCClient, method: str, *params: object) -> tuple[int, str]:
    with pytest.raises(RPCError) as caught:
        await client.call(method, *params)
    return caught.value.code, caught.value.message


async def test_what_no_settings_mention() -> None:
    endpoints = make_endpoints(Registry(), [], http=None, ws=None)
    assert [(each.config.host, each.config.port) for each in endpoints] == [("127.0.0.1", 8545), ("127.0.0.1", 8546)]
    assert (HTTP_PORT, WS_PORT) == (8545, 8546)


# -- opening


@pytest.mark.parametrize("name", NAMES)
async def test_without_arguments_it_is_as_in_the_settings(node: ServiceNode, admin: RPCClient, name: str) -> None:
    assert await admin.call(f"admin_start{name}") is True
    async with await RPCClient.connect(url(node, name)) as client:
        assert await client.supported_modules() == {"rpc": "1.0", "slow": "1.0", "web3": "1.0"}


@pytest.mark.parametrize("name", NAMES)
async def test_namespaces_that_are_asked_for(node: ServiceNode, admin: RPCClient, name: str) -> None:
    assert await admin.call(f"admin_start{name}", "127.0.0.1", 0, "", " admin ,, net") is True
    async with await RPCClient.connect(url(node, name)) as client:
        assert await client.supported_modules() == {"admin": "1.0", "rpc": "1.0"}
        assert (await client.call("admin_nodeInfo"))["name"] == "demo/v1"
        text = "the method web3_clientVersion does not exist/is not available"
        assert await refusal(client, "web3_clientVersion") == (-32601, text)


async def test_origins_and_host_names_over_http(node: ServiceNode, admin: RPCClient) -> None:
    await admin.call("admin_startRPC", None, None, "http://a, http://b", None, "lab.example, other")
    body = '{"id":1,"method":"web3_clientVersion"}'
    headers = {"Content-Type": "application/json", "Host": "lab.example", "Origin": "http://b"}
    async with aiohttp.ClientSession() as session:
        async with session.post(url(node, "RPC"), data=body, headers=headers) as response:
            assert response.status == 200
            assert response.headers["Access-Control-Allow-Origin"] == "http://b"
        async with session.post(url(node, "RPC"), data=body, headers={**headers, "Host": "localhost"}) as response:
            assert response.status == 403


async def test_origins_over_websocket(node: ServiceNode, admin: RPCClient) -> None:
    await admin.call("admin_startWS", None, None, "http://a")
    async with aiohttp.ClientSession() as session:
        async with session.ws_connect(url(node, "WS"), origin="http://a"):
            pass
        with pytest.raises(aiohttp.WSServerHandshakeError, match="403"):
            await session.ws_connect(url(node, "WS"), origin="http://b")


@pytest.mark.parametrize("name", NAMES)
async def test_one_that_fails_to_open_can_be_opened_after_all(node: ServiceNode, admin: RPCClient, name: str) -> None:
    port = int(node.server.listen_addr.rpartition(":")[2])
    code, text = await refusal(admin, f"admin_start{name}", "127.0.0.1", port)
    assert code == -32000
    assert text.startswith(f"listen tcp 127.0.0.1:{port}: ")
    for host in ("192.0.2.1", "x" * 64 + ".example", "\0"):
        assert (await refusal(admin, f"admin_start{name}", host, 0))[0] == -32000
    for wrong in (-1, 65536):
        text = f"listen tcp: address {wrong}: invalid port"
        assert await refusal(admin, f"admin_start{name}", None, wrong) == (-32000, text)
    assert await admin.call(f"admin_start{name}") is True


@pytest.mark.parametrize("name", NAMES)
async def test_of_two_at_once_one_opens_it(node: ServiceNode, admin: RPCClient, name: str) -> None:
    results = await asyncio.gather(*(admin.call(f"admin_start{name}") for _ in range(2)), return_exceptions=True)
    (error,) = [result for result in results if result is not True]
    assert "already running on 127.0.0.1:" in str(error)


# -- closing


@pytest.mark.parametrize("name", NAMES)
async def test_the_port_is_free_at_once(node: ServiceNode, admin: RPCClient, name: str) -> None:
    await admin.call(f"admin_start{name}")
    address = endpoint(node, name).address
    assert address is not None
    async with await RPCClient.connect(url(node, name)) as client:
        assert await client.call("web3_clientVersion") == "demo/v1"
        for _ in range(3):
            assert await admin.call(f"admin_stop{name}") is True
            assert endpoint(node, name).address is None
            assert await admin.call(f"admin_start{name}", "127.0.0.1", int(address.rpartition(":")[2])) is True
        assert endpoint(node, name).address == address


@pytest.mark.parametrize("name", NAMES)
async def test_calls_that_run_are_answered(node: ServiceNode, admin: RPCClient, name: str) -> None:
    slow = node.service(Slow)
    await admin.call(f"admin_start{name}")
    async with await RPCClient.connect(url(node, name)) as client, asyncio.timeout(DEADLINE_S):
        call = asyncio.create_task(client.call("slow_answer"))
        await slow.asked.wait()
        assert await admin.call(f"admin_stop{name}") is True
        slow.go.set()
        assert await call == "at last"
        # The latter on a connection that is kept alive for a moment.
        with pytest.raises(Exception, match=r"(?i)connect|no result"):
            await client.call("web3_clientVersion")


@pytest.mark.parametrize("name", NAMES)
async def test_calls_that_take_too_long_are_cut(
    node: ServiceNode, admin: RPCClient, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("node.service.endpoints.DRAIN_S", 0.02)
    await admin.call(f"admin_start{name}")
    async with await RPCClient.connect(url(node, name)) as client, asyncio.timeout(DEADLINE_S):
        call = asyncio.create_task(client.call("slow_answer"))
        await node.service(Slow).asked.wait()
        assert await admin.call(f"admin_stop{name}") is True
        with pytest.raises(Exception, match=r"(?i)connect"):
            await call
    await until(lambda: not endpoint(node, name)._closing)


@pytest.mark.parametrize("name", NAMES)
async def test_a_node_that_stops_while_an_endpoint_closes_leaves_nothing_of_it(
    node: ServiceNode, admin: RPCClient, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not even if a call takes its time to be cancelled."""
    monkeypatch.setattr("node.service.endpoints.DRAIN_S", 0.02)
    let_go, cancelled = asyncio.Event(), asyncio.Event()

    async def stubborn() -> str:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.set()
            await let_go.wait()
        return ""

    slow = node.service(Slow)
    monkeypatch.setattr(slow.go, "wait", stubborn)
    await admin.call(f"admin_start{name}")
    async with await RPCClient.connect(url(node, name)) as client, asyncio.timeout(DEADLINE_S):
        call = asyncio.create_task(client.call("slow_answer"))
        await slow.asked.wait()
        before = asyncio.all_tasks()
        await admin.call(f"admin_stop{name}")
        await cancelled.wait()  # it is past the draining
        stopping = asyncio.create_task(node.stop())
        await asyncio.sleep(0)
        let_go.set()
        await stopping
        await asyncio.gather(call, return_exceptions=True)
    await until(lambda: not {task for task in before & asyncio.all_tasks() if "RequestHandler" in repr(task)})


@pytest.mark.parametrize("name", NAMES)
async def test_over_itself(node: ServiceNode, admin: RPCClient, name: str) -> None:
    """The answer comes before the end."""
    await admin.call(f"admin_start{name}", None, None, None, "admin")
    async with await RPCClient.connect(url(node, name)) as client, asyncio.timeout(DEADLINE_S):
        assert await client.call(f"admin_stop{name}") is True
    await until(lambda: not endpoint(node, name)._closing)


async def test_subscriptions_end_with_the_websocket_endpoint(node: ServiceNode, admin: RPCClient) -> None:
    await admin.call("admin_startWS", None, None, None, "admin")
    async with await RPCClient.connect(url(node, "WS")) as client, asyncio.timeout(DEADLINE_S):
        events: Any = await client.subscribe("admin", "peerEvents")
        assert node.events.active
        await admin.call("admin_stopWS")
        with pytest.raises(Exception, match="connection lost"):
            await anext(events)
    assert not node.events.active


@pytest.mark.parametrize("name", NAMES)
async def test_a_node_that_stops_waits_for_nobody(node: ServiceNode, admin: RPCClient, name: str) -> None:
    await admin.call(f"admin_start{name}")
    async with await RPCClient.connect(url(node, name)) as client, asyncio.timeout(DEADLINE_S):
        call = asyncio.create_task(client.call("slow_answer"))
        await node.service(Slow).asked.wait()
        held = endpoint(node, name)
        await admin.call(f"admin_stop{name}")
        assert held._closing
        await node.stop()
        with pytest.raises(Exception, match=r"(?i)connect"):
            await call
        assert not held._closing


async def test_a_node_that_does_not_run_has_none(node: ServiceNode, admin: RPCClient) -> None:
    held = node.endpoints.http
    await node.stop()
    for method in ("admin_startRPC", "admin_stopRPC", "admin_startWS", "admin_stopWS"):
        assert await refusal(admin, method) == (-32000, "node not started")
    with pytest.raises(ServiceError, match="node not started"):
        node.endpoints  # noqa: B018
    with pytest.raises(ServiceError, match="node not started"):
        await held.open()
    assert held.address is None
    with pytest.raises(ServiceError, match="HTTP RPC not running"):
        held.url  # noqa: B018
