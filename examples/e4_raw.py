"""E4: raw messages. pss only carries them; what is inside is up to us, here encrypted with a key of our own."""

from pssnode import pss_node
from stage import Actor, play

from node.crypto import ecies
from node.crypto.secp256k1 import PrivateKey, PublicKey
from node.rpc import HexBytes


async def alice(me: Actor) -> None:
    async with pss_node(me) as node:
        await node.connect(bob)
        topic = await node.rpc.call("pss_stringToTopic", "foo")
        own_key = PublicKey(bytes.fromhex(await me.learn(bob, "own_key")))
        sealed = ecies.encrypt(own_key, b"bar")
        await me.learn(bob, "listening")
        await node.rpc.call("pss_sendRaw", await me.learn(bob, "address"), topic, HexBytes(sealed))
        me.say(f"sent {len(sealed)} bytes raw, 3 of them the message")
        await me.together()


async def bob(me: Actor) -> None:
    key = PrivateKey.generate()  # not that of the node: pss never sees it
    async with pss_node(me) as node:
        topic = await node.rpc.call("pss_stringToTopic", "foo")
        # The second parameter: take raw messages.
        async with await node.rpc.subscribe("pss", "receive", topic, True, False) as messages:
            await me.tell(own_key=key.public.uncompressed.hex(), listening=True)
            message = await anext(messages)
        me.say(f"received raw from key {message['Key']!r}: pss does not know who sent it")
        me.say(f"inside: {ecies.decrypt(key, bytes.fromhex(message['Msg'][2:]))!r}")
        await me.together()


if __name__ == "__main__":
    play(alice, bob)
