"""E3, exercise 1: a key that is filed for writing only opens nothing.

Prints: (?s)filed with False: delivered=False.*filed with True: b'second'
"""

import base64

import beside  # noqa: F401  # finds stage.py next door
from pssnode import pss_node
from stage import Actor, play

from node.events import Kind
from node.rpc import HexBytes

SHARED_KEY = base64.b64encode(b"thirty-two bytes of a shared key").decode()


async def alice(me: Actor) -> None:
    async with pss_node(me) as node:
        await node.connect(bob)
        topic = await node.rpc.call("pss_stringToTopic", "foo")
        key_id = await node.rpc.call("pss_setSymmetricKey", SHARED_KEY, topic, await me.learn(bob, "address"), False)
        for text in ("first", "second"):
            await me.learn(bob, f"ready for the {text}")
            await node.rpc.call("pss_sendSym", key_id, topic, HexBytes(text.encode()))
        await me.together()


async def bob(me: Actor) -> None:
    async with pss_node(me) as node:
        topic = await node.rpc.call("pss_stringToTopic", "foo")
        address = await me.learn(alice, "address")
        async with (
            await node.rpc.subscribe("pss", "receive", topic, False, False) as messages,
            node.service_node.events.stream(Kind.PSS_DELIVERED, Kind.PSS_FORWARDED) as events,
        ):
            await node.rpc.call("pss_setSymmetricKey", SHARED_KEY, topic, address, False)
            await me.tell(**{"ready for the first": True})
            event = await anext(events)  # it has his very address, yet he passes it on: somebody may have the key
            me.say(f"filed with False: delivered={event.kind is Kind.PSS_DELIVERED}")
            await node.rpc.call("pss_setSymmetricKey", SHARED_KEY, topic, address, True)
            await me.tell(**{"ready for the second": True})
            message = await anext(messages)
        me.say(f"filed with True: {bytes.fromhex(message['Msg'][2:])!r}")
        await me.together()


if __name__ == "__main__":
    play(alice, bob)
