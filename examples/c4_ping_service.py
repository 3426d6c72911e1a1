"""C4: a ping service on two nodes. It is told by RPC whom to ping, and counts."""

import asyncio
from collections.abc import Sequence

from stage import Actor, play

from node.ids import NodeId
from node.p2p.peer import Peer
from node.p2p.protocol import MessagePipe, Protocol
from node.p2p.server import Server, ServerConfig
from node.rlp.codec import encode
from node.rpc import NodeIdHex, RPCClient
from node.service.service import API, Service, ServiceContext
from node.service.stack import NodeConfig, ServiceNode

PING, PONG = 0, 1
ROUNDS = 3


class PingService(Service):
    """Brings a protocol and an API, which share what they know."""

    def __init__(self, context: ServiceContext) -> None:
        self.pings = self.pongs = 0

    async def start(self, server: Server) -> None:
        self.server = server

    def protocols(self) -> Sequence[Protocol]:
        return [Protocol(name="ping", version=1, length=2, run=self.run)]

    def apis(self) -> Sequence[API]:
        return [API("ping", PingAPI(self))]

    async def run(self, peer: Peer, pipe: MessagePipe) -> None:
        await pipe.serve(lambda code, payload: self.received(pipe, code))

    def received(self, pipe: MessagePipe, code: int) -> None:
        if code == PING:
            self.pings += 1
            pipe.send_nowait(PONG, encode(b""))
        else:
            self.pongs += 1


class PingAPI:
    def __init__(self, service: PingService) -> None:
        self._service = service

    async def ping(self, node_id: NodeIdHex) -> bool:
        """ping_ping: false if there is no such peer."""
        peer = self._service.server.peer(NodeId(node_id))
        if peer is not None:
            await peer.pipes["ping"].send(PING, encode(b""))
        return peer is not None

    def count(self) -> dict[str, int]:
        return {"pings": self._service.pings, "pongs": self._service.pongs}


def make_node(me: Actor) -> ServiceNode:
    node = ServiceNode(NodeConfig(client_name=me.name, p2p=ServerConfig(listen_addr=f"{me.host}:0")))
    node.register(PingService)
    return node


async def counted(client: RPCClient, **wanted: int) -> dict[str, int]:
    """The counts, as soon as they are what we want."""
    async with asyncio.timeout(10):
        while True:
            counts: dict[str, int] = await client.call("ping_count")
            if counts == wanted:
                return counts
            await asyncio.sleep(0.01)


async def alice(me: Actor) -> None:
    async with make_node(me) as node, await node.attach() as client:
        await me.tell(enode=(await client.call("admin_nodeInfo"))["enode"])
        me.say(f"my counts: {await counted(client, pings=ROUNDS, pongs=0)}")
        await me.together()


async def bob(me: Actor) -> None:
    async with make_node(me) as node, await node.attach() as client:
        async with await client.subscribe("admin", "peerEvents") as events:
            await client.call("admin_addPeer", await me.learn(alice, "enode"))
            added = await anext(events)
        me.say(f"peer {added['peer'][:8]} was added")
        for _ in range(ROUNDS):
            await client.call("ping_ping", added["peer"])
        me.say(f"my counts: {await counted(client, pings=0, pongs=ROUNDS)}")
        me.say(f"ping to a stranger: {await client.call('ping_ping', '00' * 32)}")
        await me.together()


if __name__ == "__main__":
    play(alice, bob)
