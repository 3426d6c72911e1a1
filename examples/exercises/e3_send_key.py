"""E3, exercise 2: without a coffee. Alice makes a key up and sends it to bob, encrypted to his public key.

Prints: bob +received b'bar' with the key that alice made up
"""

import base64

import beside  # noqa: F401  # finds stage.py next door
from pssnode import pss_node
from stage import Actor, play

from node.rpc import HexBytes


async def alice(me: Actor) -> None:
    async with pss_node(me) as node:
        await node.connect(bob)
        topic = await node.rpc.call("pss_stringToTopic", "foo")
        public_key, address = await me.learn(bob, "public_key"), await me.learn(bob, "address")
        key_id = await node.rpc.call("pss_generateSymmetricKey", topic, address, False)
        secret = await node.rpc.call("pss_getSymmetricKey", key_id)
        await node.rpc.call("pss_setPeerPublicKey", public_key, topic, address)
        await me.learn(bob, "listening")
        await node.rpc.call("pss_sendAsym", public_key, topic, secret)
        await me.learn(bob, "has_key")  # messages keep no order
        await node.rpc.call("pss_sendSym", key_id, topic, HexBytes(b"bar"))
        await me.together()


async def bob(me: Actor) -> None:
    async with pss_node(me) as node:
        topic = await node.rpc.call("pss_stringToTopic", "foo")
        async with await node.rpc.subscribe("pss", "receive", topic, False, False) as messages:
            await me.tell(listening=True)
            secret = bytes.fromhex((await anext(messages))["Msg"][2:])
            text = base64.b64encode(secret).decode()  # hex came out, base64 goes in
            key_id = await node.rpc.call("pss_setSymmetricKey", text, topic, await me.learn(alice, "address"), True)
            await me.tell(has_key=True)
            message = await anext(messages)
        assert message["Key"] == key_id
        me.say(f"received {bytes.fromhex(message['Msg'][2:])!r} with the key that alice made up")
        await me.together()


if __name__ == "__main__":
    play(alice, bob)
