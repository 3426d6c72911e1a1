"""E3, exercise 3: the topic decides where a key sends to. To read with it, any topic will do.

Prints: received b'bar' on a topic that my key is not filed for
"""

import base64

import beside  # noqa: F401  # finds stage.py next door
from pssnode import pss_node
from stage import Actor, play

from node.rpc import HexBytes

SHARED_KEY = base64.b64encode(b"thirty-two bytes of a shared key").decode()


async def alice(me: Actor) -> None:
    async with pss_node(me) as node:
        await node.connect(bob)
        other = await node.rpc.call("pss_stringToTopic", "another")
        key_id = await node.rpc.call("pss_setSymmetricKey", SHARED_KEY, other, await me.learn(bob, "address"), False)
        await me.learn(bob, "listening")
        await node.rpc.call("pss_sendSym", key_id, other, HexBytes(b"bar"))
        await me.together()


async def bob(me: Actor) -> None:
    async with pss_node(me) as node:
        topic, other = [await node.rpc.call("pss_stringToTopic", name) for name in ("foo", "another")]
        key_id = await node.rpc.call("pss_setSymmetricKey", SHARED_KEY, topic, await me.learn(alice, "address"), True)
        async with await node.rpc.subscribe("pss", "receive", other, False, False) as messages:
            await me.tell(listening=True)
            message = await anext(messages)
        assert message["Key"] == key_id
        me.say(f"received {bytes.fromhex(message['Msg'][2:])!r} on a topic that my key is not filed for")
        await me.together()


if __name__ == "__main__":
    play(alice, bob)
