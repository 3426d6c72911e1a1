"""E5, exercise 1: a node does not hand out keys to somebody who is not in its address book.

Prints: my handshake: timeout
"""

import beside  # noqa: F401  # finds stage.py next door
from pssnode import pss_node
from stage import Actor, play

from node.errors import RPCError
from node.pss.service import PssService


async def alice(me: Actor) -> None:
    async with pss_node(me) as node:
        await node.connect(bob)
        node.service_node.service(PssService).handshakes.timeout_s = 1  # in place of 8 s
        topic = await node.rpc.call("pss_stringToTopic", "foo")
        key, address = await me.learn(bob, "public_key"), await me.learn(bob, "address")
        await node.rpc.call("pss_setPeerPublicKey", key, topic, address)
        await node.rpc.call("pss_addHandshake", topic)
        await me.learn(bob, "listening")
        try:
            await node.rpc.call("pss_handshake", key, topic, True, True)
        except RPCError as error:
            me.say(f"my handshake: {error}")
        await me.together()


async def bob(me: Actor) -> None:
    async with pss_node(me) as node:
        topic = await node.rpc.call("pss_stringToTopic", "foo")
        await node.rpc.call("pss_addHandshake", topic)  # but no pss_setPeerPublicKey
        await me.tell(listening=True)
        await me.together()
        keys = await node.rpc.call("pss_getHandshakeKeys", await me.learn(alice, "public_key"), topic, True, True)
        me.say(f"keys that I hold with alice: {len(keys)}, all of them hers")


if __name__ == "__main__":
    play(alice, bob)
