"""C4: a ping service on two nodes. It is told by RPC whom to ping, and counts."""

import asyncio
from collections.abc import Callable, Sequence

from stage import Actor, play

from node.ids import NodeId
from node.p2p.peer import Peer
from node.p2p.protocol import MessagePipe, Protocol
from node.p2p.server import Server, ServerConfig
from node.rlp.codec import encode
from node.rpc import NodeIdHex, Notifier, RPCClient, subscription
from node.service.service import API, Service, ServiceContext
from node.service.stack import NodeConfig, ServiceNode

PING, PONG = 0, 1
ROUNDS = 3


class PingService(Service):
    """Brings a protocol and an API, which share what they know."""

    def __init__(self, context: ServiceContext) -> None:
        self.pings = self.pongs = 0
        self.listeners: list[Callable[[], None]] = []

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
        for listener in list(self.listeners):
            listener()


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
        """ping_count: what it is now."""
        return {"pings": self._service.pings, "pongs": self._service.pongs}

    @subscription("counts")
    def counts(self, notifier: Notifier) -> None:
        """ping_subscribe ["counts"]: what it is now, and again after every change."""

        def tell() -> None:
            notifier.notify(self.count())

        tell()
        self._service.listeners.append(tell)
        notifier.on_close(lambda: self._service.listeners.remove(tell))


def make_node(me: Actor) -> ServiceNode:
    node = ServiceNode(NodeConfig(client_name=me.name, p2p=ServerConfig(listen_addr=f"{me.host}:0")))
    node.register(PingService)
    return node


async def counted(client: RPCClient, kind: str, wanted: int) -> None:
    """Returns when the node tells that it has counted so many."""
    async with asyncio.timeout(10), await client.subscribe("ping", "counts") as changes:
        async for counts in changes:
            if counts[kind] == wanted:
                break


async def alice(me: Actor) -> None:
    async with make_node(me) as node, await node.attach() as client:
        await me.tell(enode=(await client.call("admin_nodeInfo"))["enode"])
        await counted(client, "pings", ROUNDS)
        me.say(f"my counts: {await client.call('ping_count')}")
        await me.together()


async def bob(me: Actor) -> None:
    async with make_node(me) as node, await node.attach() as client:
        async with await client.subscribe("admin", "peerEvents") as events:
            await client.call("admin_addPeer", await me.learn(alice, "enode"))
            added = await anext(events)
        me.say(f"peer {added['peer'][:8]} was added")
        for _ in range(ROUNDS):
            await client.call("ping_ping", added["peer"])
        await counted(client, "pongs", ROUNDS)
        me.say(f"my counts: {await client.call('ping_count')}")
        me.say(f"ping to a stranger: {await client.call('ping_ping', '00' * 32)}")
        await me.together()


if __name__ == "__main__":
    play(alice, bob)
