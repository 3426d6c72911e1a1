"""E1, exercise 3: the right key at the wrong address. Bob's node could read the message, and does not try.

Prints: came: True, delivered: False
"""

import beside  # noqa: F401  # finds stage.py next door
from pssnode import pss_node
from stage import Actor, play

from node.crypto.secp256k1 import PrivateKey
from node.events import Kind
from node.rpc import HexBytes


async def alice(me: Actor) -> None:
    async with pss_node(me) as node:
        await node.connect(bob)
        topic = await node.rpc.call("pss_stringToTopic", "foo")
        elsewhere = "0x" + PrivateKey.generate().public.overlay.hex()
        key = await me.learn(bob, "public_key")
        await node.rpc.call("pss_setPeerPublicKey", key, topic, elsewhere)
        await me.learn(bob, "listening")
        await node.rpc.call("pss_sendAsym", key, topic, HexBytes(b"bar"))
        await me.together()


async def bob(me: Actor) -> None:
    async with pss_node(me) as node:
        topic = await node.rpc.call("pss_stringToTopic", "foo")
        seen: set[Kind] = set()
        async with (
            await node.rpc.subscribe("pss", "receive", topic, False, False),
            node.service_node.events.stream(Kind.PSS_RECEIVED, Kind.PSS_DELIVERED, Kind.PSS_FORWARDED) as events,
        ):
            await me.tell(listening=True)
            async for event in events:
                seen.add(event.kind)
                if event.kind is Kind.PSS_FORWARDED:  # back to alice, the only one he knows
                    break
        me.say(f"came: {Kind.PSS_RECEIVED in seen}, delivered: {Kind.PSS_DELIVERED in seen}")
        await me.together()


if __name__ == "__main__":
    play(alice, bob)
