"""F2, exercise 1: carol between the two. She is not addressed, has no key that helps, and passes everything on.

Prints: alice +the echo: b'sendmeback'
Prints: carol +I passed on 2 messages and read 0
"""

import asyncio

import beside  # noqa: F401  # finds stage.py next door
from f2_echo import TOPIC, assembled
from stage import Actor, play

from node.crypto.secp256k1 import PublicKey
from node.enode import parse_enode
from node.events import Kind, NodeEvent
from node.ids import OVERLAY_ADDRESS_BYTES
from node.pss.handlers import Delivery


async def alice(me: Actor) -> None:
    async with assembled(me) as (server, pss):
        echoes: asyncio.Queue[Delivery] = asyncio.Queue()
        pss.subscribe(TOPIC, echoes.put_nowait)
        key, address = await me.learn(bob, "key"), await me.learn(bob, "address")
        key_id = pss.keys.set_peer_public_key(PublicKey(bytes.fromhex(key)), TOPIC, bytes.fromhex(address))
        pss.send_asymmetric(key_id, TOPIC, pss.overlay + b"sendmeback")
        await me.learn(carol, "has_bob")
        await server.connect(parse_enode(await me.learn(carol, "enode")))
        me.say(f"the echo: {(await echoes.get()).payload!r}")
        await me.together()


async def carol(me: Actor) -> None:
    passed_on: set[str] = set()
    read = 0

    def note(event: NodeEvent) -> None:
        nonlocal read
        if event.kind is Kind.PSS_FORWARDED:
            passed_on.add(event.digest)
        elif event.kind is Kind.PSS_DELIVERED:
            read += 1

    async with assembled(me) as (server, _), server.events.stream(Kind.KAD_ON) as arrivals:
        server.events.listen(note)
        # With alice as her only peer she would hand the message back: the hop it came from is not left out.
        await anext(arrivals)
        await me.tell(has_bob=True)
        await me.together()
        me.say(f"I passed on {len(passed_on)} messages and read {read}")


async def bob(me: Actor) -> None:
    async with assembled(me) as (server, pss):

        def echo(delivery: Delivery) -> None:
            address, text = delivery.payload[:OVERLAY_ADDRESS_BYTES], delivery.payload[OVERLAY_ADDRESS_BYTES:]
            assert delivery.sender is not None
            pss.send_asymmetric(pss.keys.set_peer_public_key(delivery.sender, TOPIC, address), TOPIC, text)

        pss.subscribe(TOPIC, echo)
        await server.connect(parse_enode(await me.learn(carol, "enode")))
        await me.together()


if __name__ == "__main__":
    play(alice, carol, bob)
