"""B3, exercise 3: events do not say what a message says, so a protocol that wants it known has to tell it itself.

Prints: bob says 'good morning'
"""

import asyncio
import tempfile

import beside  # noqa: F401  # finds stage.py next door
from stage import Actor, play

from node.crypto.secp256k1 import PrivateKey
from node.enode import parse_enode
from node.p2p.peer import Peer
from node.p2p.protocol import MessagePipe, Protocol
from node.p2p.server import Server, ServerConfig
from node.rlp.codec import decode, encode
from node.rpc import IPCServer, Notifier, Registry, RPCClient, subscription


class Chat:
    """Protocol and API in one: what `run` reads goes to all that have subscribed."""

    def __init__(self) -> None:
        self._notifiers: set[Notifier] = set()

    async def run(self, peer: Peer, pipe: MessagePipe) -> None:
        while True:
            text = decode((await pipe.read()).payload)
            assert isinstance(text, bytes)
            for notifier in self._notifiers:
                notifier.notify({"from": peer.name, "text": text.decode(errors="replace")})

    @subscription("lines")
    def lines(self, notifier: Notifier) -> None:
        self._notifiers.add(notifier)
        notifier.on_close(lambda: self._notifiers.discard(notifier))


def config(me: Actor, chat: Chat) -> ServerConfig:
    protocol = Protocol(name="chat", version=1, length=1, run=chat.run)
    key = PrivateKey.generate()
    return ServerConfig(private_key=key, name=me.name, listen_addr=f"{me.host}:0", protocols=[protocol])


async def alice(me: Actor) -> None:
    chat = Chat()
    registry = Registry()
    registry.register("chat", chat, methods=["lines"])
    with tempfile.TemporaryDirectory() as directory:
        path = f"{directory}/demo.ipc"
        async with (
            Server(config(me, chat)) as server,
            IPCServer(registry, path),
            await RPCClient.connect(path) as client,
            await client.subscribe("chat", "lines") as lines,
            asyncio.timeout(10),
        ):
            await me.tell(enode=server.node.url)
            line = await anext(lines)
            me.say(f"{line['from']} says {line['text']!r}")
            await me.together()


async def bob(me: Actor) -> None:
    async with Server(config(me, Chat())) as server:
        peer = await server.connect(parse_enode(await me.learn(alice, "enode")))
        await peer.pipes["chat"].send(0, encode(b"good morning"))
        await me.together()


if __name__ == "__main__":
    play(alice, bob)
