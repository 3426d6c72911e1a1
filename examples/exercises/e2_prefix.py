"""E2, exercise 2: one byte of an address. The right one is enough for bob to look, a wrong one keeps him from it.

Prints: (?s)wrong byte: not for me.*right byte: b'found you'
"""

import beside  # noqa: F401  # finds stage.py next door
from pssnode import pss_node
from stage import Actor, play

from node.events import Kind
from node.rpc import HexBytes


async def relay(me: Actor) -> None:
    async with pss_node(me) as node:
        await node.connect(alice)
        await node.connect(bob)
        await me.tell(ready=True)
        await me.together()


async def alice(me: Actor) -> None:
    async with pss_node(me) as node:
        await node.meet(relay)
        topic = await node.rpc.call("pss_stringToTopic", "foo")
        key = await me.learn(bob, "public_key")
        byte = bytes.fromhex((await me.learn(bob, "address"))[2:])[0]
        await me.learn(relay, "ready")
        await me.learn(bob, "listening")
        for guess, text in ((byte ^ 0xFF, b"not here"), (byte, b"found you")):
            await node.rpc.call("pss_setPeerPublicKey", key, topic, f"0x{guess:02x}")
            await node.rpc.call("pss_sendAsym", key, topic, HexBytes(text))
            if guess != byte:
                await me.learn(bob, "saw_first")
        await me.together()


async def bob(me: Actor) -> None:
    async with pss_node(me) as node:
        await node.meet(relay)
        topic = await node.rpc.call("pss_stringToTopic", "foo")
        async with (
            await node.rpc.subscribe("pss", "receive", topic, False, False) as messages,
            node.service_node.events.stream(Kind.PSS_DELIVERED, Kind.PSS_FORWARDED) as events,
        ):
            await me.tell(listening=True)
            first = await anext(events)  # if it were delivered, that would come before it is passed on
            me.say(f"wrong byte: {'for' if first.kind is Kind.PSS_DELIVERED else 'not for'} me")
            await me.tell(saw_first=True)
            message = await anext(messages)
        me.say(f"right byte: {bytes.fromhex(message['Msg'][2:])!r}")
        await me.together()


if __name__ == "__main__":
    play(relay, alice, bob)
