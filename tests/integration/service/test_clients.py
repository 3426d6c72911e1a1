"""Who sees which methods: attached clients, HTTP, WebSocket (spec 03 sections 6 and 8.3)."""

from __future__ import annotations

import socket
from typing import Any

import pytest

from node.errors import RPCError
from node.p2p.server import ServerConfig
from node.rpc.client import RPCClient
from node.service.endpoints import EndpointConfig
from node.service.service import API, Service
from node.service.stack import NodeConfig, ServiceNode


class One(Service):
    def apis(self) -> tuple[API, ...]:
        return (API("one", self, methods=["ping"]),)

    def ping(self) -> str:
        return "pong"


def make_node(**options: Any) -> ServiceNode:
    node = ServiceNode(NodeConfig(client_name="demo/v1", p2p=ServerConfig(listen_addr="127.0.0.1:0"), **options))
    node.register(One)
    return node


async def test_attach_shows_everything() -> None:
    node = make_node()
    async with node, await node.attach() as client:
        assert await client.supported_modules() == {"admin": "1.0", "one": "1.0", "rpc": "1.0", "web3": "1.0"}
        assert await client.call("one_ping") == "pong"
        assert await client.call("web3_clientVersion") == "demo/v1"


async def test_attached_clients_outlive_the_node() -> None:
    """Calls that need no node work on, the others say that it is not there (spec 03 section 8.2)."""
    node = make_node()
    await node.start()
    async with await node.attach() as client:
        await node.stop()
        assert await client.call("one_ping") == "pong"
        for method in ("admin_nodeInfo", "admin_peers"):
            with pytest.raises(RPCError, match="node not started"):
                await client.call(method)


async def test_http_and_websocket_show_public_namespaces_or_those_listed() -> None:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        http_port = probe.getsockname()[1]
    with socket.create_server(("127.0.0.1", 0)) as probe:
        ws_port = probe.getsockname()[1]
    node = make_node(http=EndpointConfig(port=http_port), ws=EndpointConfig(port=ws_port, modules=["one", "net"]))
    async with node:
        async with await RPCClient.connect(f"http://127.0.0.1:{http_port}") as client:
            assert await client.supported_modules() == {"rpc": "1.0", "web3": "1.0"}
            with pytest.raises(RPCError, match="the method one_ping does not exist/is not available"):
                await client.call("one_ping")
        async with await RPCClient.connect(f"ws://127.0.0.1:{ws_port}") as client:
            assert await client.call("one_ping") == "pong"
            with pytest.raises(RPCError, match="does not exist/is not available"):
                await client.call("admin_nodeInfo")
