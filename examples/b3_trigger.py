"""B3: make a server send a p2p message by a call, and be notified of messages over RPC."""

import asyncio
import contextlib
import tempfile
from collections.abc import AsyncIterator

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
    """The protocol foo/42, which says something only when it is told to."""

    def __init__(self, server: Server) -> None:
        self._server = server

    async def send_msg(self, content: str) -> None:
        """foo_sendMsg: to all peers."""
        for peer in self._server.peers:
            await peer.pipes["foo"].send(0, encode(content.encode()))

    @subscription("messages")
    def messages(self, notifier: Notifier) -> None:
        """foo_subscribe ["messages"]: everything that is sent or read from now on."""

        def notify(event: NodeEvent) -> None:
            if event.kind in (Kind.MSG_SEND, Kind.MSG_RECV):
                notifier.notify({"type": event.kind, "code": event.code, "size": event.size})

        notifier.on_close(self._server.events.listen(notify))


async def listen(peer: Peer, pipe: MessagePipe) -> None:
    while True:
        await pipe.read()


@contextlib.asynccontextmanager
async def served(me: Actor) -> AsyncIterator[tuple[Server, RPCClient]]:
    """A server and, over IPC, a client of its API."""
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
    async with served(me) as (server, client), await client.subscribe("foo", "messages") as messages:
        await me.tell(enode=server.node.url)
        async with asyncio.timeout(10):
            me.say(f"notified: {await anext(messages)}")
        await me.together()


async def bob(me: Actor) -> None:
    async with served(me) as (server, client), await client.subscribe("foo", "messages") as messages:
        await server.connect(parse_enode(await me.learn(alice, "enode")))
        await client.call("foo_sendMsg", "foobar")
        async with asyncio.timeout(10):
            me.say(f"notified: {await anext(messages)}")
        await me.together()


if __name__ == "__main__":
    play(alice, bob)
