"""E7, exercise 2: the protocol of E6, run by clients. The run function is the same, letter by letter.

Prints: alice +received Foo\\(number=42\\)
"""

import asyncio
from dataclasses import dataclass

import beside  # noqa: F401  # finds stage.py next door
from pssnode import pss_node
from stage import Actor, Role, play

from node.devp2p.protocol import ProtocolSpec
from node.p2p.typed import TypedPeer, typed_protocol
from node.pss.client import PssClient
from node.pss.topic import format_topic
from node.service.endpoints import EndpointConfig


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

    protocol = typed_protocol(SPEC, run)
    async with pss_node(me, ws=EndpointConfig(host=me.host, modules=["pss"])) as node:
        if starts:
            await node.connect(other)
        async with await PssClient.connect(node.service_node.endpoints.ws.url) as client:
            topic = await client.run_protocol(protocol)
            key, address = await me.learn(other, "public_key"), await me.learn(other, "address")
            await node.rpc.call("pss_setPeerPublicKey", key, format_topic(topic), address)
            await me.together("mounted")
            if starts:
                await client.add_peer(key, bytes.fromhex(address[2:]), protocol)
            await heard.wait()
            await me.together()


async def alice(me: Actor) -> None:
    await fooping(me, bob, starts=True)


async def bob(me: Actor) -> None:
    await fooping(me, alice, starts=False)


if __name__ == "__main__":
    play(alice, bob)
