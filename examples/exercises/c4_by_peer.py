"""C4, exercise 2: three nodes. Alice counts for each peer, as a sum does not tell who pinged.

Prints: alice +from bob: 3, from carol: 2
Prints: alice +together: \\{'pings': 5, 'pongs': 0\\}
"""

from collections import Counter
from collections.abc import Sequence

import beside  # noqa: F401  # finds stage.py next door
from c4_ping_service import PING, PingAPI, PingService, counted
from stage import Actor, play

from node.p2p.peer import Peer
from node.p2p.protocol import MessagePipe
from node.p2p.server import ServerConfig
from node.service.service import API, ServiceContext
from node.service.stack import NodeConfig, ServiceNode

FROM_BOB, FROM_CAROL = 3, 2


class PerPeerService(PingService):
    """Names are what peers like to say, so it goes by their IDs."""

    def __init__(self, context: ServiceContext) -> None:
        super().__init__(context)
        self.pings_of: Counter[str] = Counter()

    def apis(self) -> Sequence[API]:
        return [API("ping", PerPeerAPI(self))]

    async def run(self, peer: Peer, pipe: MessagePipe) -> None:
        def received(code: int, payload: bytes) -> None:
            if code == PING:
                self.pings_of[peer.id.hex()] += 1
            self.received(pipe, code)

        await pipe.serve(received)


class PerPeerAPI(PingAPI):
    def __init__(self, service: PerPeerService) -> None:
        super().__init__(service)
        self._per_peer = service

    def by_peer(self) -> dict[str, int]:
        """ping_byPeer: how many pings came from each node ID."""
        return dict(self._per_peer.pings_of)


def make_node(me: Actor) -> ServiceNode:
    node = ServiceNode(NodeConfig(client_name=me.name, p2p=ServerConfig(listen_addr=f"{me.host}:0")))
    node.register(PerPeerService)
    return node


async def alice(me: Actor) -> None:
    async with make_node(me) as node, await node.attach() as client:
        await me.tell(enode=node.server.node.url)
        await counted(client, "pings", FROM_BOB + FROM_CAROL)
        pings = await client.call("ping_byPeer")
        me.say(f"from bob: {pings[await me.learn(bob, 'id')]}, from carol: {pings[await me.learn(carol, 'id')]}")
        me.say(f"together: {await client.call('ping_count')}")
        await me.together()


async def ping_alice(me: Actor, times: int) -> None:
    async with make_node(me) as node, await node.attach() as client:
        await me.tell(id=node.server.id.hex())
        async with await client.subscribe("admin", "peerEvents") as events:
            await client.call("admin_addPeer", await me.learn(alice, "enode"))
            peer = (await anext(events))["peer"]
        for _ in range(times):
            await client.call("ping_ping", peer)
        await counted(client, "pongs", times)
        await me.together()


async def bob(me: Actor) -> None:
    await ping_alice(me, FROM_BOB)


async def carol(me: Actor) -> None:
    await ping_alice(me, FROM_CAROL)


if __name__ == "__main__":
    play(alice, bob, carol)
