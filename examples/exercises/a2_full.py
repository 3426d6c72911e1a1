"""A2, exercise 1: a server that is full refuses, and says why.

Prints: refused: .*too many peers
"""

import beside  # noqa: F401  # finds stage.py next door
from stage import Actor, play

from node.crypto.secp256k1 import PrivateKey
from node.enode import parse_enode
from node.errors import DialFailed
from node.p2p.server import Server, ServerConfig


async def alice(me: Actor) -> None:
    key = PrivateKey.generate()
    async with Server(ServerConfig(private_key=key, listen_addr=f"{me.host}:0", max_peers=1)) as server:
        await me.tell(enode=server.node.url)
        await me.together()


async def bob(me: Actor) -> None:
    async with Server(ServerConfig(private_key=PrivateKey.generate())) as server:
        await server.connect(parse_enode(await me.learn(alice, "enode")))
        await me.tell(connected=True)
        await me.together()


async def carol(me: Actor) -> None:
    async with Server(ServerConfig(private_key=PrivateKey.generate())) as server:
        await me.learn(bob, "connected")  # the only place is taken
        try:
            await server.connect(parse_enode(await me.learn(alice, "enode")), timeout_s=1)
        except DialFailed as error:
            me.say(f"refused: {error}")
        await me.together()


if __name__ == "__main__":
    play(alice, bob, carol)
