"""A5: a protocol with two kinds of message, in which one side asks and the other answers."""

from stage import Actor, play

from node.crypto.secp256k1 import PrivateKey
from node.enode import parse_enode
from node.errors import PeerDisconnected
from node.p2p.peer import Peer
from node.p2p.protocol import MessagePipe, Protocol
from node.p2p.server import Server, ServerConfig
from node.rlp.codec import decode, encode

PING, PONG = 0, 1
ROUNDS = 3


async def alice(me: Actor) -> None:
    async def answer(peer: Peer, pipe: MessagePipe) -> None:
        try:
            while True:
                ping = await pipe.read()
                me.say(f"ping {decode(ping.payload)!r}, I answer")
                await pipe.send(PONG, ping.payload)
        except PeerDisconnected as end:
            me.say(f"my peer is gone: {end}")

    protocol = Protocol(name="pingpong", version=1, length=2, run=answer)
    config = ServerConfig(private_key=PrivateKey.generate(), listen_addr=f"{me.host}:0", protocols=[protocol])
    async with Server(config) as server:
        await me.tell(enode=server.node.url)
        await me.together()


async def bob(me: Actor) -> None:
    async def ask(peer: Peer, pipe: MessagePipe) -> None:
        for number in range(1, ROUNDS + 1):
            await pipe.send(PING, encode(f"number {number}".encode()))
            pong = await pipe.read()
            me.say(f"pong {decode(pong.payload)!r}")
        await me.tell(done=True)  # returning ends the connection

    protocol = Protocol(name="pingpong", version=1, length=2, run=ask)
    async with Server(ServerConfig(private_key=PrivateKey.generate(), protocols=[protocol])) as server:
        await server.connect(parse_enode(await me.learn(alice, "enode")))
        await me.learn(bob, "done")
        await me.together()


if __name__ == "__main__":
    play(alice, bob)
