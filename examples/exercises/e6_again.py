"""E6, exercise 3: bob removes alice. She hears nothing of it, and her next message starts bob's run a second time.

Prints: (?s)run 1: Foo\\(number=1\\).*run 2: Foo\\(number=2\\)
"""

import asyncio
from dataclasses import dataclass

import beside  # noqa: F401  # finds stage.py next door
from pssnode import PssNode, pss_node
from stage import Actor, Role, play

from node.devp2p.protocol import ProtocolSpec
from node.p2p.typed import TypedPeer, typed_protocol
from node.pss.protocol import PssProtocol
from node.pss.service import PssService


@dataclass
class Foo:
    number: int


SPEC = ProtocolSpec(name="fooping", version=42, messages=(Foo,))


async def prepare(node: PssNode, mounted: PssProtocol, other: Role) -> str:
    key: str = await node.me.learn(other, "public_key")
    topic, address = "0x" + mounted.topic.hex(), await node.me.learn(other, "address")
    await node.rpc.call("pss_setPeerPublicKey", key, topic, address)
    await node.me.together("mounted")
    return key


async def alice(me: Actor) -> None:
    async def run(peer: TypedPeer) -> None:
        for number in (1, 2):
            await peer.send(Foo(number=number))
            await me.learn(bob, f"heard {number}")
        await me.tell(sent=True)

    async with pss_node(me) as node:
        await node.connect(bob)
        pss = node.service_node.service(PssService)
        async with PssProtocol(pss, typed_protocol(SPEC, run), asymmetric=True) as mounted:
            key = await prepare(node, mounted, bob)
            mounted.add_peer(key, asymmetric=True)
            await me.together()


async def bob(me: Actor) -> None:
    heard: asyncio.Queue[str] = asyncio.Queue()
    runs = 0

    async def run(peer: TypedPeer) -> None:
        nonlocal runs
        runs += 1
        async for message in peer:
            heard.put_nowait(f"run {runs}: {message}")

    async with pss_node(me) as node:
        pss = node.service_node.service(PssService)
        async with PssProtocol(pss, typed_protocol(SPEC, run), asymmetric=True) as mounted:
            key = await prepare(node, mounted, alice)
            for number in (1, 2):
                me.say(await heard.get())
                mounted.remove_peer(key, asymmetric=True)
                await me.tell(**{f"heard {number}": True})
            await me.together()


if __name__ == "__main__":
    play(alice, bob)
