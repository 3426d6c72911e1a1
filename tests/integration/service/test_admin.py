"""admin_* over IPC: who we are, who is connected, whom to connect (spec 03 section 5)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from node.enode import parse_enode
from node.enr import parse_record
from node.errors import RPCError
from node.p2p.protocol import Protocol
from node.p2p.server import Server, ServerConfig
from node.rpc.client import RPCClient
from node.service.service import Service
from node.service.stack import NodeConfig, ServiceNode
from tests.support.keys import make_key
from tests.support.peers import live_peer
from tests.support.servers import ECHO_CAPS, make_protocol, round_trip, running_server
from tests.support.waiting import DEADLINE_S, until

KEY = make_key(1)
URL = make_key(3).public.raw.hex()


class EchoService(Service):
    def protocols(self) -> tuple[Protocol, ...]:
        return (make_protocol(),)


@pytest.fixture
async def node(tmp_path: Path) -> AsyncIterator[ServiceNode]:
    config = NodeConfig(
        client_name="demo/v1",
        data_dir=tmp_path,
        ipc_path="node.ipc",
        p2p=ServerConfig(private_key=KEY, listen_addr="127.0.0.1:0", enable_msg_events=True),
    )
    node = ServiceNode(config)
    node.register(EchoService)
    async with node:
        yield node


@pytest.fixture
async def client(node: ServiceNode) -> AsyncIterator[RPCClient]:
    async with await RPCClient.connect(str(node.config.ipc_endpoint)) as client:
        yield client


@pytest.fixture
async def other() -> AsyncIterator[Server]:
    async with running_server(2, make_protocol(), name="other") as server:
        yield server


async def connect(client: RPCClient, other: Server) -> None:
    assert await client.call("admin_addPeer", other.node.url) is True
    await until(lambda: other.peer_count)


# -- who we are


async def test_node_info(node: ServiceNode, client: RPCClient) -> None:
    info = await client.call("admin_nodeInfo")
    port = info["ports"]["listener"]
    assert info.keys() == {"id", "name", "enode", "enr", "ip", "ports", "listenAddr", "protocols"}
    assert info["id"] == KEY.public.node_id.hex()
    assert info["name"] == "demo/v1"
    assert info["enode"] == f"enode://{KEY.public.raw.hex()}@127.0.0.1:{port}?discport=0"
    assert info["ip"] == "127.0.0.1"
    assert info["ports"] == {"discovery": 0, "listener": port}
    assert info["listenAddr"] == f"127.0.0.1:{port}"
    assert info["protocols"] == {"echo": "unknown"}
    assert parse_enode(info["enode"]) == parse_record(info["enr"]) == node.server.node


async def test_datadir_is_absolute(client: RPCClient, tmp_path: Path) -> None:
    assert await client.call("admin_datadir") == str(tmp_path)


async def test_web3(client: RPCClient) -> None:
    assert await client.call("web3_clientVersion") == "demo/v1"
    empty = "0xc5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470"
    assert await client.call("web3_sha3", "0x") == empty


# -- peers


async def test_both_ends_list_each_other(client: RPCClient, node: ServiceNode, other: Server) -> None:
    assert await client.call("admin_peers") == []
    await connect(client, other)
    (peer,) = await client.call("admin_peers")
    local, remote = peer["network"].pop("localAddress"), peer["network"].pop("remoteAddress")
    assert peer == {
        "enode": other.node.url,
        "id": other.id.hex(),
        "name": "other",
        "caps": ["echo/1"],
        "network": {"inbound": False, "trusted": False, "static": True},
        "protocols": {"echo": "unknown"},
    }
    assert remote == other.listen_addr
    assert local == other.peers[0].link.remote
    await until(lambda: node.server.peer_count)


async def test_remove_peer_ends_the_connection_and_the_dialing(client: RPCClient, other: Server) -> None:
    await connect(client, other)
    assert await client.call("admin_removePeer", other.node.url) is True
    await until(lambda: not other.peer_count)
    assert await client.call("admin_peers") == []
    assert await client.call("admin_removePeer", other.node.url) is True
    assert await client.call("admin_addPeer", other.node.url) is True
    assert await client.call("admin_peers") == []  # like the reference, not before 35 s have passed


async def test_trusted_peers(client: RPCClient, other: Server) -> None:
    assert await client.call("admin_addTrustedPeer", other.node.url) is True
    await connect(client, other)
    (peer,) = await client.call("admin_peers")
    assert peer["network"]["trusted"] is True
    assert await client.call("admin_removeTrustedPeer", other.node.url) is True
    (peer,) = await client.call("admin_peers")
    assert peer["network"]["trusted"] is False


async def test_a_node_record_is_as_good_as_a_url(client: RPCClient, other: Server) -> None:
    assert await client.call("admin_addPeer", other.node_info()["enr"]) is True
    await until(lambda: other.peer_count)


async def test_ourselves_are_taken_without_a_word(client: RPCClient, node: ServiceNode) -> None:
    assert await client.call("admin_addPeer", node.server.node.url) is True
    assert await client.call("admin_peers") == []


@pytest.mark.parametrize("method", ["addPeer", "removePeer", "addTrustedPeer", "removeTrustedPeer"])
@pytest.mark.parametrize(
    ("url", "text"),
    [
        ("", "invalid enode: missing 'enr:' prefix for base64-encoded record"),
        ("xyz", "invalid enode: missing 'enr:' prefix for base64-encoded record"),
        (URL, "invalid enode: missing 'enr:' prefix for base64-encoded record"),
        ("enode://", "invalid enode: does not contain node ID"),
        ("enode://00@127.0.0.1:1", "invalid enode: invalid public key (wrong length, want 128 hex chars)"),
        (f"enode://{'00' * 64}@127.0.0.1:1", "invalid enode: invalid public key"),
        (f"enode://{URL}@127.0.0.1", "invalid enode: invalid host: address 127.0.0.1: missing port in address"),
        (f"enode://{URL}@host:1", "invalid enode: invalid IP address"),
        (f"enode://{URL}@127.0.0.1:65536", "invalid enode: invalid port"),
    ],
)
async def test_a_bad_enode_is_refused_with_the_reason(client: RPCClient, method: str, url: str, text: str) -> None:
    with pytest.raises(RPCError) as caught:
        await client.call(f"admin_{method}", url)
    assert caught.value.code == -32000
    assert text in caught.value.message


async def test_a_node_without_an_address_cannot_be_dialed(client: RPCClient) -> None:
    with pytest.raises(RPCError, match="it has no address and TCP port to dial"):
        await client.call("admin_addPeer", f"enode://{URL}")


@pytest.mark.parametrize(
    ("params", "text"),
    [
        ([], "missing value for required argument 0"),
        ([1], "invalid argument 0: json: cannot unmarshal number into Go value of type string"),
        (["a", "b"], "too many arguments, want at most 1"),
    ],
)
async def test_wrong_parameters(client: RPCClient, params: list[object], text: str) -> None:
    with pytest.raises(RPCError) as caught:
        await client.call("admin_addPeer", *params)
    assert (caught.value.code, caught.value.message) == (-32602, text)


# -- events


async def test_peer_events(client: RPCClient, node: ServiceNode) -> None:
    async with await client.subscribe("admin", "peerEvents") as events, asyncio.timeout(DEADLINE_S):
        async with live_peer(node.server.node, make_key(5), ECHO_CAPS) as peer:
            await round_trip(peer)
        seen = [event async for event in _until_drop(events)]
    common = {"peer": make_key(5).public.node_id.hex(), "local": seen[0]["local"], "remote": seen[0]["remote"]}
    message = {"protocol": "echo", **common}
    assert seen == [
        {"type": "add", **common},
        {"type": "msgrecv", **message, "msg_code": 0, "msg_size": 4},
        {"type": "msgsend", **message, "msg_code": 1, "msg_size": 4},
        {"type": "drop", **common, "error": seen[-1]["error"]},
    ]
    assert common["local"] == node.server.listen_addr


async def test_a_subscription_ends_with_its_connection(node: ServiceNode) -> None:
    async with await RPCClient.connect(str(node.config.ipc_endpoint)) as client:
        await client.subscribe("admin", "peerEvents")
        assert node.events.active
    await until(lambda: not node.events.active)


async def _until_drop(events: AsyncIterator[dict[str, Any]]) -> AsyncIterator[dict[str, Any]]:
    async for event in events:
        yield event
        if event["type"] == "drop":
            return
