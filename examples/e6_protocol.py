"""E6: a devp2p protocol between two nodes that are not connected: its messages travel over pss."""

import asyncio
from dataclasses import dataclass

from pssnode import pss_node
from stage import Actor, Role, play

from node.devp2p.protocol import ProtocolSpec
from node.p2p.typed import TypedPeer, typed_protocol
from node.pss.protocol import PssProtocol
from node.pss.service import PssService


@dataclass
class Foo:
    number: int


SPEC = ProtocolSpec(name="fooping", version=42, messages=(Foo,))


async def relay(me: Actor) -> None:
    async with pss_node(me) as node:
        await node.connect(alice)
        await node.connect(bob)
        await me.tell(ready=True)
        await me.together()


async def fooping(me: Actor, other: Role, *, starts: bool) -> None:
    """Each side sends one number and hears one."""
    heard = asyncio.Event()

    async def run(peer: TypedPeer) -> None:
        """As on a connection: nothing in here knows of pss."""
        await peer.send(Foo(number=42))
        async for message in peer:
            me.say(f"received {message}")
            heard.set()

    async with pss_node(me) as node:
        pss = node.service_node.service(PssService)
        async with PssProtocol(pss, typed_protocol(SPEC, run), asymmetric=True) as mounted:
            await node.meet(relay)
            key, address = await me.learn(other, "public_key"), await me.learn(other, "address")
            await node.rpc.call("pss_setPeerPublicKey", key, "0x" + mounted.topic.hex(), address)
            await me.learn(relay, "ready")
            await me.tell(mounted=True)
            await me.learn(other, "mounted")
            if starts:
                me.say(f"I add a peer that I am not connected with, on topic {mounted.topic.hex()}")
                mounted.add_peer(key, asymmetric=True)
            await heard.wait()
            await me.together()


async def alice(me: Actor) -> None:
    await fooping(me, bob, starts=True)


async def bob(me: Actor) -> None:
    await fooping(me, alice, starts=False)


if __name__ == "__main__":
    play(relay, alice, bob)
