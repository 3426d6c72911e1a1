"""A4, exercise 2: two protocols share one connection; the order of their names decides who gets which codes.

Prints: \\{'bar': 16, 'foo': 19\\}
"""

import asyncio

import beside  # noqa: F401  # finds stage.py next door
from stage import Actor, play

from node.crypto.secp256k1 import PrivateKey
from node.enode import parse_enode
from node.p2p.peer import Peer
from node.p2p.protocol import MessagePipe, Protocol
from node.p2p.server import Server, ServerConfig


async def idle(peer: Peer, pipe: MessagePipe) -> None:
    """Takes nothing, says nothing, and stays: returning would end the connection for both protocols."""
    await asyncio.Event().wait()


PROTOCOLS = [
    Protocol(name="foo", version=42, length=1, run=idle),
    Protocol(name="bar", version=1, length=3, run=idle),
]


async def alice(me: Actor) -> None:
    key = PrivateKey.generate()
    async with Server(ServerConfig(private_key=key, listen_addr=f"{me.host}:0", protocols=PROTOCOLS)) as server:
        await me.tell(enode=server.node.url)
        await me.together()


async def bob(me: Actor) -> None:
    async with Server(ServerConfig(private_key=PrivateKey.generate(), protocols=PROTOCOLS)) as server:
        peer = await server.connect(parse_enode(await me.learn(alice, "enode")))
        me.say(f"first wire code of each: { ({name: pipe.offset for name, pipe in peer.pipes.items()}) }")
        await me.together()


if __name__ == "__main__":
    play(alice, bob)
