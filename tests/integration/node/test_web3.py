"""web3.py, written for reference nodes, works on ours over each of its transports."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from web3 import AsyncWeb3, HTTPProvider, IPCProvider, Web3, WebSocketProvider
from web3.providers.base import JSONBaseProvider

from tests.support.keys import make_key
from tests.support.processes import NodeProcess, pss_node

MODULES = "admin,pss,web3,hive"
SOMEBODY = f"enode://{make_key(9).public.raw.hex()}@127.0.0.1:1"


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
        return port


@pytest.fixture
async def node(tmp_path: Path) -> AsyncIterator[tuple[NodeProcess, int, int]]:
    http, ws = free_port(), free_port()
    flags = ["--http", "--httpport", str(http), "--httpapi", MODULES, "--ws", "--wsport", str(ws), "--wsapi", MODULES]
    async with pss_node(tmp_path, *flags) as node:
        yield node, http, ws


def use(provider: JSONBaseProvider) -> None:
    """What a script does with a node."""
    web3 = Web3(provider)
    assert web3.is_connected()
    assert web3.client_version.startswith("pss-lab/v")
    info = web3.geth.admin.node_info()
    assert info["enode"].startswith("enode://")
    assert web3.geth.admin.peers() == []
    assert web3.geth.admin.add_peer(SOMEBODY) is True
    address = provider.make_request("pss_baseAddr", [])["result"]
    topic = provider.make_request("pss_stringToTopic", ["web3"])["result"]
    assert provider.make_request("pss_sendRaw", [address, topic, "0x00"])["result"] is None
    error = provider.make_request("pss_sendRaw", [address, topic])["error"]
    assert (error["code"], error["message"]) == (-32602, "missing value for required argument 2")


async def test_over_ipc(node: tuple[NodeProcess, int, int]) -> None:
    provider = IPCProvider(node[0].ipc)
    try:
        await asyncio.to_thread(use, provider)
    finally:
        if provider._socket.sock is not None:
            provider._socket.sock.close()  # it has no call for that


async def test_over_http(node: tuple[NodeProcess, int, int]) -> None:
    provider = HTTPProvider(f"http://127.0.0.1:{node[1]}")
    try:
        await asyncio.to_thread(use, provider)
    finally:
        for session in list(provider._request_session_manager.session_cache._data.values()):
            session.close()


async def test_over_websocket_with_a_subscription(node: tuple[NodeProcess, int, int]) -> None:
    async with AsyncWeb3(WebSocketProvider(f"ws://127.0.0.1:{node[2]}")) as web3:
        assert (await web3.client_version).startswith("pss-lab/v")
        assert (await web3.geth.admin.node_info())["enode"].startswith("enode://")
        topic = (await web3.provider.make_request("pss_stringToTopic", ["web3"]))["result"]
        answer = await web3.provider.make_request("pss_subscribe", ["receive", topic, True, False])
        assert answer["result"].startswith("0x")
