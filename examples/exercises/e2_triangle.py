"""E2, exercise 1: in a triangle six copies travel, and four of them are duplicates.

Prints: duplicates of it: \\{'relay': 1, 'alice': 2, 'bob': 1\\}
"""

import beside  # noqa: F401  # finds stage.py next door
from pssnode import PssNode, pss_node
from stage import Actor, play

from node.events import Kind
from node.rpc import HexBytes

NO_ADDRESS = "0x"


async def take_part(node: PssNode, *, duplicates: int, key: str = "") -> None:
    """Every node passes it to every peer; the first copy is news, except to the one who sent it."""
    topic = await node.rpc.call("pss_stringToTopic", "foo")
    async with node.service_node.events.stream(Kind.PSS_DUPLICATE) as events:
        await node.me.together("the start")
        if key:
            await node.rpc.call("pss_setPeerPublicKey", key, topic, NO_ADDRESS)
            await node.rpc.call("pss_sendAsym", key, topic, HexBytes(b"are you there?"))
        for _ in range(duplicates):
            await anext(events)
    await node.me.tell(duplicates=duplicates)
    await node.me.together()


async def relay(me: Actor) -> None:
    async with pss_node(me) as node:
        await node.connect(alice)
        await node.connect(bob)
        await take_part(node, duplicates=1)
        counts = {role.__name__: await me.learn(role, "duplicates") for role in (relay, alice, bob)}
        me.say(f"duplicates of it: {counts}")


async def alice(me: Actor) -> None:
    async with pss_node(me) as node:
        await node.meet(relay)
        await node.connect(bob)  # the third side
        await take_part(node, duplicates=2, key=await me.learn(bob, "public_key"))


async def bob(me: Actor) -> None:
    async with pss_node(me) as node:
        await node.meet(relay)
        await node.meet(alice)
        await take_part(node, duplicates=1)


if __name__ == "__main__":
    play(relay, alice, bob)
