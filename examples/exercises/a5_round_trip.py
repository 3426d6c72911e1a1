"""A5, exercise 2: how long a ping and its pong take.

Prints: 100 rounds, the fastest in \\d+\\.\\d+ ms
"""

import time

import beside  # noqa: F401  # finds stage.py next door
from stage import Actor, play

from node.crypto.secp256k1 import PrivateKey
from node.enode import parse_enode
from node.errors import PeerDisconnected
from node.p2p.peer import Peer
from node.p2p.protocol import MessagePipe, Protocol
from node.p2p.server import Server, ServerConfig
from node.rlp.codec import encode

PING, PONG = 0, 1
ROUNDS = 100


async def alice(me: Actor) -> None:
    async def answer(peer: Peer, pipe: MessagePipe) -> None:
        try:
            while True:
                await pipe.send(PONG, (await pipe.read()).payload)
        except PeerDisconnected:
            pass

    protocol = Protocol(name="pingpong", version=1, length=2, run=answer)
    config = ServerConfig(private_key=PrivateKey.generate(), listen_addr=f"{me.host}:0", protocols=[protocol])
    async with Server(config) as server:
        await me.tell(enode=server.node.url)
        await me.together()


async def bob(me: Actor) -> None:
    async def ask(peer: Peer, pipe: MessagePipe) -> None:
        seconds = []
        for number in range(ROUNDS):
            start = time.perf_counter()
            await pipe.send(PING, encode(f"number {number}".encode()))
            await pipe.read()
            seconds.append(time.perf_counter() - start)
        me.say(f"{ROUNDS} rounds, the fastest in {min(seconds) * 1000:.2f} ms")
        await me.tell(done=True)

    protocol = Protocol(name="pingpong", version=1, length=2, run=ask)
    async with Server(ServerConfig(private_key=PrivateKey.generate(), protocols=[protocol])) as server:
        await server.connect(parse_enode(await me.learn(alice, "enode")))
        await me.learn(bob, "done")
        await me.together()


if __name__ == "__main__":
    play(alice, bob)
