"""A4, exercise 1: foo/42 and foo/43 have nothing in common, and nodes without anything in common part.

Prints: alice and I: .*useless peer
"""

import beside  # noqa: F401  # finds stage.py next door
from stage import Actor, play

from node.crypto.secp256k1 import PrivateKey
from node.enode import parse_enode
from node.errors import DialFailed
from node.p2p.peer import Peer
from node.p2p.protocol import MessagePipe, Protocol
from node.p2p.server import Server, ServerConfig


async def run(peer: Peer, pipe: MessagePipe) -> None:
    await pipe.read()


def make_server(me: Actor, version: int) -> Server:
    foo = Protocol(name="foo", version=version, length=1, run=run)
    key = PrivateKey.generate()
    return Server(ServerConfig(private_key=key, listen_addr=f"{me.host}:0", protocols=[foo]))


async def alice(me: Actor) -> None:
    async with make_server(me, 42) as server:
        await me.tell(enode=server.node.url)
        await me.together()


async def bob(me: Actor) -> None:
    async with make_server(me, 43) as server:
        try:
            await server.connect(parse_enode(await me.learn(alice, "enode")), timeout_s=1)
        except DialFailed as error:
            me.say(f"alice and I: {error}")
        await me.together()


if __name__ == "__main__":
    play(alice, bob)
