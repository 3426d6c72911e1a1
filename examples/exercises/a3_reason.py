"""A3, exercise 1: the reason that one side gives is the one that the other side's event has.

Prints: drop: too many peers
"""

import beside  # noqa: F401  # finds stage.py next door
from stage import Actor, play

from node.crypto.secp256k1 import PrivateKey
from node.disconnect import DisconnectReason
from node.enode import parse_enode
from node.events import Kind
from node.p2p.server import Server, ServerConfig


async def alice(me: Actor) -> None:
    config = ServerConfig(private_key=PrivateKey.generate(), listen_addr=f"{me.host}:0")
    async with Server(config) as server, server.events.stream(Kind.DROP) as events:
        await me.tell(enode=server.node.url)
        event = await anext(events)
        me.say(f"{event.kind}: {event.reason}")


async def bob(me: Actor) -> None:
    async with Server(ServerConfig(private_key=PrivateKey.generate())) as server:
        peer = await server.connect(parse_enode(await me.learn(alice, "enode")))
        peer.disconnect(DisconnectReason.TOO_MANY_PEERS)


if __name__ == "__main__":
    play(alice, bob)
