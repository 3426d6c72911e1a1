"""What a student writes first: a service with a protocol and an API, on two nodes, used over IPC."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Sequence
from pathlib import Path

import pytest

from node.errors import RPCError
from node.p2p.peer import Peer
from node.p2p.protocol import MessagePipe, Protocol
from node.p2p.server import ServerConfig
from node.rpc.client import RPCClient
from node.service.service import API, Service, ServiceContext
from node.service.stack import NodeConfig, ServiceNode
from tests.support.waiting import DEADLINE_S, until


class Greeter(Service):
    """Says hello to whom it is told to, and remembers who said what to it."""

    def __init__(self, context: ServiceContext) -> None:
        self.heard: list[str] = []
        self.pipes: dict[str, MessagePipe] = {}

    def protocols(self) -> Sequence[Protocol]:
        return [Protocol(name="greet", version=1, length=1, run=self.run)]

    def apis(self) -> Sequence[API]:
        return [API("greet", self, methods=["hello", "letters"])]

    async def run(self, peer: Peer, pipe: MessagePipe) -> None:
        self.pipes[peer.id.hex()] = pipe
        while True:
            self.heard.append((await pipe.read()).payload.decode())

    async def hello(self, node_id: str, text: str) -> bool:
        await self.pipes[node_id].send(0, text.encode())
        return True

    def letters(self) -> list[str]:
        return self.heard


def make_node(directory: Path) -> ServiceNode:
    config = NodeConfig(data_dir=directory, ipc_path="node.ipc", p2p=ServerConfig(listen_addr="127.0.0.1:0"))
    node = ServiceNode(config)
    node.register(Greeter)
    return node


async def test_two_nodes_greet_each_other_over_ipc(tmp_path: Path) -> None:
    one, two = make_node(tmp_path / "one"), make_node(tmp_path / "two")
    async with contextlib.AsyncExitStack() as stack, asyncio.timeout(DEADLINE_S):
        for node in (one, two):
            await stack.enter_async_context(node)
        clients = [
            await stack.enter_async_context(await RPCClient.connect(str(directory / "node.ipc")))
            for directory in (tmp_path / "one", tmp_path / "two")
        ]
        info = await clients[1].call("admin_nodeInfo")
        assert await clients[0].call("admin_addPeer", info["enode"])
        await until(lambda: info["id"] in one.service(Greeter).pipes)
        assert await clients[0].call("greet_hello", info["id"], "good morning") is True
        await until(lambda: two.service(Greeter).heard)
        assert await clients[1].call("greet_letters") == ["good morning"]
        assert await clients[0].call("greet_letters") == []


async def test_what_a_method_raises_reaches_the_caller_and_hurts_nobody(tmp_path: Path) -> None:
    async with make_node(tmp_path), await RPCClient.connect(str(tmp_path / "node.ipc")) as client:
        with pytest.raises(RPCError) as caught:
            await client.call("greet_hello", "00" * 32, "hello?")
        assert caught.value.code == -32000
        with pytest.raises(RPCError, match="the method greet_run does not exist/is not available"):
            await client.call("greet_run")
        assert await client.call("greet_letters") == []


async def test_an_identity_outlives_the_process_and_an_ephemeral_one_does_not(tmp_path: Path) -> None:
    identities = []
    for _ in range(2):
        async with make_node(tmp_path) as node:
            identities.append(node.server.id)
    assert identities[0] == identities[1]
    for _ in range(2):
        async with ServiceNode(NodeConfig(p2p=ServerConfig(listen_addr="127.0.0.1:0"))) as node:
            identities.append(node.server.id)
    assert len(set(identities)) == 3
    assert sorted(os.listdir(tmp_path / "node")) == ["LOCK", "nodekey", "nodes"]


async def test_a_second_node_on_the_same_directory_is_refused(tmp_path: Path) -> None:
    async with make_node(tmp_path):
        with pytest.raises(Exception, match="datadir already used by another process"):
            await make_node(tmp_path).start()
    async with make_node(tmp_path):
        pass
