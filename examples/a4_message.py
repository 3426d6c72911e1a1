"""A4: a protocol of our own, one message each way, and the events that tell of them."""

from stage import Actor, play

from node.crypto.secp256k1 import PrivateKey
from node.enode import parse_enode
from node.events import Kind, NodeEvent
from node.p2p.peer import Peer
from node.p2p.protocol import MessagePipe, Protocol
from node.p2p.server import Server, ServerConfig
from node.rlp.codec import decode, encode


def make_server(me: Actor) -> Server:
    async def run(peer: Peer, pipe: MessagePipe) -> None:
        """Runs once for each connection, on both sides. When it returns, the connection ends."""
        await pipe.send(0, encode(f"greetings from {me.name}".encode()))
        message = await pipe.read()
        me.say(f"got message {message.code}: {decode(message.payload)!r}")
        await me.tell(read=True)

    foo = Protocol(name="foo", version=42, length=1, run=run)
    key = PrivateKey.generate()
    config = ServerConfig(private_key=key, listen_addr=f"{me.host}:0", protocols=[foo], enable_msg_events=True)
    server = Server(config)

    def report(event: NodeEvent) -> None:
        if event.kind in (Kind.MSG_SEND, Kind.MSG_RECV):
            me.say(f"event {event.kind}: {event.protocol} code {event.code}, {event.size} bytes")

    server.events.listen(report)
    return server


async def alice(me: Actor) -> None:
    async with make_server(me) as server:
        await me.tell(enode=server.node.url)
        await me.learn(alice, "read")
        await me.learn(bob, "read")


async def bob(me: Actor) -> None:
    async with make_server(me) as server:
        await server.connect(parse_enode(await me.learn(alice, "enode")))
        await me.learn(alice, "read")
        await me.learn(bob, "read")


if __name__ == "__main__":
    play(alice, bob)
