"""E4, exercise 2: whoever listens without asking for raw messages gets none.

Prints: dropped: raw message on a topic whose handlers take none
"""

import beside  # noqa: F401  # finds stage.py next door
from pssnode import pss_node
from stage import Actor, play

from node.events import Kind
from node.rpc import HexBytes


async def alice(me: Actor) -> None:
    async with pss_node(me) as node:
        await node.connect(bob)
        topic = await node.rpc.call("pss_stringToTopic", "foo")
        await me.learn(bob, "listening")
        await node.rpc.call("pss_sendRaw", await me.learn(bob, "address"), topic, HexBytes(b"hello"))
        await me.together()


async def bob(me: Actor) -> None:
    async with pss_node(me) as node:
        topic = await node.rpc.call("pss_stringToTopic", "foo")
        async with (
            await node.rpc.subscribe("pss", "receive", topic, False, False),
            node.service_node.events.stream(Kind.PSS_DROPPED) as events,
        ):
            await me.tell(listening=True)
            event = await anext(events)
        me.say(f"dropped: {event.reason}")
        await me.together()


if __name__ == "__main__":
    play(alice, bob)
