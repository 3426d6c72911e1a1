"""Whoever is introduced to somebody says good day, in messages over pss that nobody in between can read."""

from dataclasses import dataclass

from node.devp2p.protocol import ProtocolSpec
from node.p2p.typed import TypedPeer, typed_protocol


@dataclass
class Hello:
    text: str


async def run(peer: TypedPeer) -> None:
    await peer.send(Hello("good day"))
    await peer.run(lambda hello: print("heard:", hello.text, flush=True))


HELLO = typed_protocol(ProtocolSpec(name="hello", version=1, messages=(Hello,)), run)
