"""A5, exercise 1: a protocol of length 2 has the codes 0 and 1. What is not sent does no harm.

Prints: invalid message code: pingpong has 2 codes, not handled: 2
"""

import beside  # noqa: F401  # finds stage.py next door
from stage import Actor, play

from node.crypto.secp256k1 import PrivateKey
from node.enode import parse_enode
from node.errors import LocalProtocolError, PeerDisconnected
from node.p2p.peer import Peer
from node.p2p.protocol import MessagePipe, Protocol
from node.p2p.server import Server, ServerConfig
from node.rlp.codec import decode, encode

PING, PONG, NONSENSE = 0, 1, 2


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
        try:
            await pipe.send(NONSENSE, encode(b"?"))
        except LocalProtocolError as error:
            me.say(str(error))
        await pipe.send(PING, encode(b"still here"))
        me.say(f"and then: {decode((await pipe.read()).payload)!r}")
        await me.tell(done=True)

    protocol = Protocol(name="pingpong", version=1, length=2, run=ask)
    async with Server(ServerConfig(private_key=PrivateKey.generate(), protocols=[protocol])) as server:
        await server.connect(parse_enode(await me.learn(alice, "enode")))
        await me.learn(bob, "done")
        await me.together()


if __name__ == "__main__":
    play(alice, bob)
