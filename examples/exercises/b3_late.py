"""B3, exercise 1: a subscription begins when it is made. What was before is not told later.

Prints: bob +notified of 12 bytes, not of 8
"""

import asyncio
import contextlib
import tempfile
from collections.abc import AsyncIterator

import beside  # noqa: F401  # finds stage.py next door
from stage import Actor, play

from node.crypto.secp256k1 import PrivateKey
from node.enode import parse_enode
from node.events import Kind, NodeEvent
from node.p2p.peer import Peer
from node.p2p.protocol import MessagePipe, Protocol
from node.p2p.server import Server, ServerConfig
from node.rlp.codec import encode
from node.rpc import IPCServer, Notifier, Registry, RPCClient, subscription


class FooAPI:
    def __init__(self, server: Server) -> None:
        self._server = server

    async def send_msg(self, content: str) -> None:
        for peer in self._server.peers:
            await peer.pipes["foo"].send(0, encode(content.encode()))

    @subscription("messages")
    def messages(self, notifier: Notifier) -> None:
        def notify(event: NodeEvent) -> None:
            if event.kind is Kind.MSG_SEND:
                notifier.notify(event.size)

        notifier.on_close(self._server.events.listen(notify))


async def listen(peer: Peer, pipe: MessagePipe) -> None:
    while True:
        await pipe.read()


@contextlib.asynccontextmanager
async def served(me: Actor) -> AsyncIterator[tuple[Server, RPCClient]]:
    foo = Protocol(name="foo", version=42, length=1, run=listen)
    key = PrivateKey.generate()
    config = ServerConfig(private_key=key, listen_addr=f"{me.host}:0", protocols=[foo], enable_msg_events=True)
    with tempfile.TemporaryDirectory() as directory:
        path = f"{directory}/{me.name}.ipc"
        async with Server(config) as server:
            registry = Registry()
            registry.register("foo", FooAPI(server))
            async with IPCServer(registry, path), await RPCClient.connect(path) as client:
                yield server, client


async def alice(me: Actor) -> None:
    async with served(me) as (server, _):
        await me.tell(enode=server.node.url)
        await me.together()


async def bob(me: Actor) -> None:
    async with served(me) as (server, client):
        await server.connect(parse_enode(await me.learn(alice, "enode")))
        early, late = "too soon", "just in time"
        await client.call("foo_sendMsg", early)
        async with await client.subscribe("foo", "messages") as messages:
            await client.call("foo_sendMsg", late)
            async with asyncio.timeout(10):
                size = await anext(messages)
        me.say(f"notified of {size - 1} bytes, not of {len(early)}")  # RLP adds one byte to so short a text
        await me.together()


if __name__ == "__main__":
    play(alice, bob)
