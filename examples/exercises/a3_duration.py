"""A3, exercise 2: a listener instead of a stream, and how long the connection lasted.

Prints: connected for \\d+ ms
"""

import asyncio

import beside  # noqa: F401  # finds stage.py next door
from stage import Actor, play

from node.crypto.secp256k1 import PrivateKey
from node.enode import parse_enode
from node.events import Kind, NodeEvent
from node.p2p.server import Server, ServerConfig


async def alice(me: Actor) -> None:
    since: dict[str, float] = {}
    gone = asyncio.Event()

    def note(event: NodeEvent) -> None:
        """Called at once and in order; it must not wait."""
        if event.kind is Kind.ADD:
            since[event.peer] = event.mono_s
        elif event.kind is Kind.DROP:
            me.say(f"connected for {(event.mono_s - since.pop(event.peer)) * 1000:.0f} ms")
            gone.set()

    config = ServerConfig(private_key=PrivateKey.generate(), listen_addr=f"{me.host}:0")
    async with Server(config) as server:
        with server.events.listening(note):
            await me.tell(enode=server.node.url)
            await gone.wait()


async def bob(me: Actor) -> None:
    async with Server(ServerConfig(private_key=PrivateKey.generate())) as server:
        peer = await server.connect(parse_enode(await me.learn(alice, "enode")))
        await asyncio.sleep(0.1)
        peer.disconnect()


if __name__ == "__main__":
    play(alice, bob)
