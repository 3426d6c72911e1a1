"""E6, exercise 2: the same protocol with a shared key. Whoever has the key is the peer.

Prints: alice +received Foo\\(number=42\\)
"""

import asyncio
import base64
from dataclasses import dataclass

import beside  # noqa: F401  # finds stage.py next door
from pssnode import pss_node
from stage import Actor, Role, play

from node.devp2p.protocol import ProtocolSpec
from node.p2p.typed import TypedPeer, typed_protocol
from node.pss.protocol import PssProtocol
from node.pss.service import PssService

SHARED_KEY = base64.b64encode(b"thirty-two bytes of a shared key").decode()


@dataclass
class Foo:
    number: int


SPEC = ProtocolSpec(name="fooping", version=42, messages=(Foo,))


async def fooping(me: Actor, other: Role, *, starts: bool) -> None:
    heard = asyncio.Event()

    async def run(peer: TypedPeer) -> None:
        await peer.send(Foo(number=42))
        async for message in peer:
            me.say(f"received {message}")
            heard.set()

    async with pss_node(me) as node:
        pss = node.service_node.service(PssService)
        async with PssProtocol(pss, typed_protocol(SPEC, run), symmetric=True) as mounted:
            topic, address = "0x" + mounted.topic.hex(), await me.learn(other, "address")
            # Both read and write with it, so both file it with True.
            key_id = await node.rpc.call("pss_setSymmetricKey", SHARED_KEY, topic, address, True)
            if starts:
                await node.connect(other)
            await me.together("mounted")
            if starts:
                mounted.add_peer(key_id, asymmetric=False)
            await heard.wait()
            await me.together()


async def alice(me: Actor) -> None:
    await fooping(me, bob, starts=True)


async def bob(me: Actor) -> None:
    await fooping(me, alice, starts=False)


if __name__ == "__main__":
    play(alice, bob)
