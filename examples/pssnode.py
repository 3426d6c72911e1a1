"""What the chapter on pss starts from: a node with the overlay and pss, an RPC client to it, and introductions."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

from stage import Actor, Role

from node.app import make_pss_node
from node.events import Kind
from node.ids import OverlayAddress
from node.p2p.server import ServerConfig
from node.rpc import RPCClient
from node.service.stack import NodeConfig, ServiceNode
from node.swarm.service import OverlayService

ACQUAINTED_TIMEOUT_S = 10.0


@dataclass
class PssNode:
    """A running node; everything else goes through its RPC client."""

    me: Actor
    service_node: ServiceNode
    rpc: RPCClient

    async def connect(self, other: Role) -> None:
        """Dial the node of another actor, and return when it is in our table."""
        await self.rpc.call("admin_addPeer", await self.me.learn(other, "enode"))
        await self.meet(other)

    async def meet(self, other: Role) -> None:
        """Return when the node of another actor, whoever dialed, is in our table."""
        address = OverlayAddress(bytes.fromhex((await self.me.learn(other, "address"))[2:]))
        table = self.service_node.service(OverlayService).kademlia
        async with asyncio.timeout(ACQUAINTED_TIMEOUT_S), self.service_node.events.stream(Kind.KAD_ON) as events:
            while table.get_conn(address) is None:
                await anext(events)


@contextlib.asynccontextmanager
async def pss_node(me: Actor, **settings: Any) -> AsyncIterator[PssNode]:
    """A node with fresh keys that connects to nobody by itself. It puts enode, address and public key on the board."""
    config = NodeConfig(client_name=me.name, p2p=ServerConfig(listen_addr=f"{me.host}:0"), **settings)
    async with make_pss_node(config, auto_connect=False) as node, await node.attach() as rpc:
        me.watch(node.events, node.server.id.hex())
        await me.tell(
            enode=(await rpc.call("admin_nodeInfo"))["enode"],
            address=await rpc.call("pss_baseAddr"),
            public_key=await rpc.call("pss_getPublicKey"),
        )
        yield PssNode(me, node, rpc)
