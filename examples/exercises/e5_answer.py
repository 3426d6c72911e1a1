"""E5, exercise 3: the handshake gave keys to both. Bob asks his node which ones lead to alice, and answers.

Prints: alice +bob says b'and back'
"""

import beside  # noqa: F401  # finds stage.py next door
from pssnode import PssNode, pss_node
from stage import Actor, Role, play

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
        async with await node.rpc.subscribe("pss", "receive", topic, False, False) as messages:
            await me.learn(bob, "ready")
            await node.rpc.call("pss_handshake", key, topic, True, True)
            await me.tell(done=True)
            while (message := await anext(messages))["Asymmetric"]:
                pass  # bob's part of the handshake
        me.say(f"bob says {bytes.fromhex(message['Msg'][2:])!r}")
        await me.together()


async def bob(me: Actor) -> None:
    async with pss_node(me) as node:
        topic, key = await prepare(node, alice)
        await me.tell(ready=True)
        await me.learn(alice, "done")
        # Not the keys to read with, but those to write with.
        key_ids = await node.rpc.call("pss_getHandshakeKeys", key, topic, False, True)
        await node.rpc.call("pss_sendSym", key_ids[0], topic, HexBytes(b"and back"))
        me.say(f"answered with the first of {len(key_ids)} keys that alice gave me")
        await me.together()


if __name__ == "__main__":
    play(alice, bob)
