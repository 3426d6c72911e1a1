"""E2, exercise 3: a relay that listens on the topic tries its key, in vain; only what is encrypted to it opens.

Prints: relay +the first that I can read: b'and this is for you'
"""

import beside  # noqa: F401  # finds stage.py next door
from pssnode import pss_node
from stage import Actor, play

from node.rpc import HexBytes

NO_ADDRESS = "0x"


async def relay(me: Actor) -> None:
    async with pss_node(me) as node:
        await node.connect(alice)
        await node.connect(bob)
        topic = await node.rpc.call("pss_stringToTopic", "foo")
        async with await node.rpc.subscribe("pss", "receive", topic, False, False) as messages:
            await me.tell(ready=True)
            message = await anext(messages)
        me.say(f"the first that I can read: {bytes.fromhex(message['Msg'][2:])!r}")
        await me.together()


async def alice(me: Actor) -> None:
    async with pss_node(me) as node:
        await node.meet(relay)
        topic = await node.rpc.call("pss_stringToTopic", "foo")
        await me.learn(relay, "ready")
        await me.learn(bob, "listening")
        for role, text in ((bob, b"are you there?"), (relay, b"and this is for you")):
            key = await me.learn(role, "public_key")
            await node.rpc.call("pss_setPeerPublicKey", key, topic, NO_ADDRESS)
            await node.rpc.call("pss_sendAsym", key, topic, HexBytes(text))
            await me.learn(bob, "received")
        await me.together()


async def bob(me: Actor) -> None:
    async with pss_node(me) as node:
        await node.meet(relay)
        topic = await node.rpc.call("pss_stringToTopic", "foo")
        async with await node.rpc.subscribe("pss", "receive", topic, False, False) as messages:
            await me.tell(listening=True)
            message = await anext(messages)
        me.say(f"received {bytes.fromhex(message['Msg'][2:])!r}")
        await me.tell(received=True)
        await me.together()


if __name__ == "__main__":
    play(relay, alice, bob)
