"""E5, exercise 2: a key is good for 256 messages. The 257th goes out, and its sender is told.

Prints: (?s)the other three: \\[256, 256, 256\\].*message 257: symetric key expired
"""

import beside  # noqa: F401  # finds stage.py next door
from pssnode import PssNode, pss_node
from stage import Actor, Role, play

from node.errors import RPCError
from node.rpc import HexBytes


async def prepare(node: PssNode, other: Role) -> tuple[str, str]:
    topic = await node.rpc.call("pss_stringToTopic", "foo")
    key, address = await node.me.learn(other, "public_key"), await node.me.learn(other, "address")
    await node.rpc.call("pss_setPeerPublicKey", key, topic, address)
    await node.rpc.call("pss_addHandshake", topic)
    return topic, key


async def alice(me: Actor) -> None:
    async with pss_node(me) as node:
        await node.connect(bob)
        topic, key = await prepare(node, bob)
        await me.learn(bob, "listening")
        first, *others = await node.rpc.call("pss_handshake", key, topic, True, True)
        for number in range(1, 257):
            await node.rpc.call("pss_sendSym", first, topic, HexBytes(b"%d" % number))
        me.say(f"the other three: {[await node.rpc.call('pss_getHandshakeKeyCapacity', one) for one in others]}")
        try:
            await node.rpc.call("pss_sendSym", first, topic, HexBytes(b"257"))
        except RPCError as error:
            me.say(f"message 257: {error}"[:50] + "...")
        await me.together()


async def bob(me: Actor) -> None:
    async with pss_node(me) as node:
        topic, _ = await prepare(node, alice)
        async with await node.rpc.subscribe("pss", "receive", topic, False, False) as messages:
            await me.tell(listening=True)
            count = 0
            while count < 257:
                count += not (await anext(messages))["Asymmetric"]
        me.say(f"received {count}")
        await me.together()


if __name__ == "__main__":
    play(alice, bob)
