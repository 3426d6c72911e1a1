"""E1, exercise 2: whoever gets a message has the key to answer with, but no address to answer to.

Prints: alice +bob answers b'I am here'
"""

import beside  # noqa: F401  # finds stage.py next door
from pssnode import pss_node
from stage import Actor, play

from node.rpc import HexBytes

NO_ADDRESS = "0x"


async def alice(me: Actor) -> None:
    async with pss_node(me) as node:
        await node.connect(bob)
        topic = await node.rpc.call("pss_stringToTopic", "foo")
        key, address = await me.learn(bob, "public_key"), await me.learn(bob, "address")
        await node.rpc.call("pss_setPeerPublicKey", key, topic, address)
        async with await node.rpc.subscribe("pss", "receive", topic, False, False) as answers:
            await me.learn(bob, "listening")
            await node.rpc.call("pss_sendAsym", key, topic, HexBytes(b"bar"))
            answer = await anext(answers)
        me.say(f"bob answers {bytes.fromhex(answer['Msg'][2:])!r}")
        await me.together()


async def bob(me: Actor) -> None:
    async with pss_node(me) as node:
        topic = await node.rpc.call("pss_stringToTopic", "foo")
        async with await node.rpc.subscribe("pss", "receive", topic, False, False) as messages:
            await me.tell(listening=True)
            message = await anext(messages)
        # Nobody told bob of alice. The message's signature gave him her key, and its address is optional.
        await node.rpc.call("pss_setPeerPublicKey", message["Key"], topic, NO_ADDRESS)
        await node.rpc.call("pss_sendAsym", message["Key"], topic, HexBytes(b"I am here"))
        await me.together()


if __name__ == "__main__":
    play(alice, bob)
