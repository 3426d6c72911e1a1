"""E6, exercise 1: one run function, on a connection and over pss. Only the peer's id tells which is which.

Prints: on a connection: Foo\\(number=42\\) from [0-9a-f]{8}\\n(?s:.*)over pss: Foo\\(number=42\\) from 00000000
"""

import asyncio
from dataclasses import dataclass

import beside  # noqa: F401  # finds stage.py next door
from pssnode import pss_node
from stage import Actor, Role, play

from node.crypto.secp256k1 import PrivateKey
from node.devp2p.protocol import ProtocolSpec
from node.enode import parse_enode
from node.p2p.server import Server, ServerConfig
from node.p2p.typed import TypedPeer, typed_protocol
from node.pss.protocol import PssProtocol
from node.pss.service import PssService


@dataclass
class Foo:
    number: int


SPEC = ProtocolSpec(name="fooping", version=42, messages=(Foo,))


async def fooping(me: Actor, other: Role, *, starts: bool) -> None:
    heard: asyncio.Queue[str] = asyncio.Queue()

    async def run(peer: TypedPeer) -> None:
        await peer.send(Foo(number=42))
        async for message in peer:
            heard.put_nowait(f"{message} from {peer.id.hex()[:8]}")

    protocol = typed_protocol(SPEC, run)
    config = ServerConfig(private_key=PrivateKey.generate(), listen_addr=f"{me.host}:0", protocols=[protocol])
    async with Server(config) as server:
        await me.tell(direct=server.node.url)
        if starts:
            await server.connect(parse_enode(await me.learn(other, "direct")))
        me.say(f"on a connection: {await heard.get()}")
        await me.together("first half")

    async with pss_node(me) as node:
        pss = node.service_node.service(PssService)
        async with PssProtocol(pss, protocol, asymmetric=True) as mounted:
            await node.meet(relay)
            key, address = await me.learn(other, "public_key"), await me.learn(other, "address")
            await node.rpc.call("pss_setPeerPublicKey", key, "0x" + mounted.topic.hex(), address)
            await me.together("mounted")
            if starts:
                mounted.add_peer(key, asymmetric=True)
            me.say(f"over pss: {await heard.get()}")
            await me.together()


async def relay(me: Actor) -> None:
    await me.together("first half")
    async with pss_node(me) as node:
        await node.connect(alice)
        await node.connect(bob)
        await me.together("mounted")
        await me.together()


async def alice(me: Actor) -> None:
    await fooping(me, bob, starts=True)


async def bob(me: Actor) -> None:
    await fooping(me, alice, starts=False)


if __name__ == "__main__":
    play(relay, alice, bob)
