"""E1, exercise 1: an entry of the address book is for one key on one topic.

Prints: refused: invalid topic '0xfcde2b2e' for pubkey '0x04
"""

import beside  # noqa: F401  # finds stage.py next door
from pssnode import pss_node
from stage import Actor, play

from node.errors import RPCError
from node.rpc import HexBytes


async def alice(me: Actor) -> None:
    async with pss_node(me) as node:
        foo, bar = [await node.rpc.call("pss_stringToTopic", name) for name in ("foo", "bar")]
        key, address = await me.learn(bob, "public_key"), await me.learn(bob, "address")
        await node.rpc.call("pss_setPeerPublicKey", key, foo, address)
        try:
            await node.rpc.call("pss_sendAsym", key, bar, HexBytes(b"bar"))
        except RPCError as error:
            me.say(f"refused: {error}"[:70] + "...")
        me.say(f"bob's topics in my address book: {await node.rpc.call('pss_getPeerTopics', key)}")
        await me.together()


async def bob(me: Actor) -> None:
    async with pss_node(me):
        await me.together()


if __name__ == "__main__":
    play(alice, bob)
