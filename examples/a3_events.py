"""A3: be told when a connection is complete, and when it is gone."""

from stage import Actor, play

from node.crypto.secp256k1 import PrivateKey
from node.enode import parse_enode
from node.events import Kind
from node.p2p.server import Server, ServerConfig


async def alice(me: Actor) -> None:
    config = ServerConfig(private_key=PrivateKey.generate(), listen_addr=f"{me.host}:0")
    async with Server(config) as server, server.events.stream(Kind.ADD, Kind.DROP) as events:
        await me.tell(enode=server.node.url)
        async for event in events:
            me.say(f"{event.kind} of peer {event.peer[:8]} {event.reason}".rstrip())
            if event.kind is Kind.DROP:
                break
        me.say(f"peers left: {server.peer_count}")


async def bob(me: Actor) -> None:
    async with Server(ServerConfig(private_key=PrivateKey.generate())) as server:
        me.say(f"I am {server.id.hex()[:8]}")
        peer = await server.connect(parse_enode(await me.learn(alice, "enode")))
        me.say("connected; now I hang up")
        peer.disconnect()


if __name__ == "__main__":
    play(alice, bob)
