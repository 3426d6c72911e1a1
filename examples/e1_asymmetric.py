"""E1: a message that only the owner of a public key can read."""

from pssnode import pss_node
from stage import Actor, play

from node.rpc import HexBytes


async def alice(me: Actor) -> None:
    async with pss_node(me) as node:
        await node.connect(bob)
        topic = await node.rpc.call("pss_stringToTopic", "foo")
        # An entry in the address book: this key, on this topic, is at this address.
        key, address = await me.learn(bob, "public_key"), await me.learn(bob, "address")
        await node.rpc.call("pss_setPeerPublicKey", key, topic, address)
        await me.learn(bob, "listening")
        await node.rpc.call("pss_sendAsym", key, topic, HexBytes(b"bar"))
        me.say(f"sent 'bar' on topic {topic} for key {key[:12]}...")
        await me.together()


async def bob(me: Actor) -> None:
    async with pss_node(me) as node:
        topic = await node.rpc.call("pss_stringToTopic", "foo")
        async with await node.rpc.subscribe("pss", "receive", topic, False, False) as messages:
            await me.tell(listening=True)
            message = await anext(messages)
        me.say(f"received {bytes.fromhex(message['Msg'][2:])!r}, asymmetric: {message['Asymmetric']}")
        me.say(f"signed by alice: {message['Key'] == await me.learn(alice, 'public_key')}")
        await me.together()


if __name__ == "__main__":
    play(alice, bob)
