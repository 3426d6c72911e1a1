"""E3: a message encrypted with a key that both sides have."""

import base64

from pssnode import pss_node
from stage import Actor, play

from node.rpc import HexBytes

# They agreed on it over a coffee. setSymmetricKey takes base64; everything else in pss is hex.
SHARED_KEY = base64.b64encode(b"thirty-two bytes of a shared key").decode()


async def alice(me: Actor) -> None:
    async with pss_node(me) as node:
        await node.connect(bob)
        topic = await node.rpc.call("pss_stringToTopic", "foo")
        # The last parameter: whether we want to receive with this key as well.
        key_id = await node.rpc.call("pss_setSymmetricKey", SHARED_KEY, topic, await me.learn(bob, "address"), False)
        await me.learn(bob, "listening")
        await node.rpc.call("pss_sendSym", key_id, topic, HexBytes(b"bar"))
        me.say(f"sent with the key that I file as {key_id[:8]}...")
        await me.together()


async def bob(me: Actor) -> None:
    async with pss_node(me) as node:
        topic = await node.rpc.call("pss_stringToTopic", "foo")
        key_id = await node.rpc.call("pss_setSymmetricKey", SHARED_KEY, topic, await me.learn(alice, "address"), True)
        async with await node.rpc.subscribe("pss", "receive", topic, False, False) as messages:
            await me.tell(listening=True)
            message = await anext(messages)
        me.say(f"received {bytes.fromhex(message['Msg'][2:])!r}, asymmetric: {message['Asymmetric']}")
        me.say(f"with the key that I file as {key_id[:8]}...: {message['Key'] == key_id}")
        await me.together()


if __name__ == "__main__":
    play(alice, bob)
