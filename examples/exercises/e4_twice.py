"""E4, exercise 1: the same bytes to the same address on the same topic are the same message.

Prints: (?s)the second time: duplicate.*with a number in front: b'3: hello'
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
        address = await me.learn(bob, "address")
        await me.learn(bob, "listening")
        for text in (b"hello", b"hello", b"3: hello"):
            await node.rpc.call("pss_sendRaw", address, topic, HexBytes(text))
        await me.together()


async def bob(me: Actor) -> None:
    async with pss_node(me) as node:
        topic = await node.rpc.call("pss_stringToTopic", "foo")
        async with (
            await node.rpc.subscribe("pss", "receive", topic, True, False) as messages,
            node.service_node.events.stream(Kind.PSS_DUPLICATE) as events,
        ):
            await me.tell(listening=True)
            texts = [bytes.fromhex((await anext(messages))["Msg"][2:]) for _ in range(2)]
            event = await anext(events)
        me.say(f"the first time: {texts[0]!r}")
        me.say(f"the second time: {event.reason}")
        me.say(f"with a number in front: {texts[1]!r}")
        await me.together()


if __name__ == "__main__":
    play(alice, bob)
