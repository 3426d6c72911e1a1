"""C4, exercise 1: when the connection ends the service forgets its pipe, and a ping has nowhere to go.

Prints: while connected: True
Prints: peer [0-9a-f]{8}: drop
Prints: afterwards: False
"""

import beside  # noqa: F401  # finds stage.py next door
from c4_ping_service import make_node
from stage import Actor, play


async def alice(me: Actor) -> None:
    async with make_node(me) as node, await node.attach() as client:
        await me.tell(enode=(await client.call("admin_nodeInfo"))["enode"])
        await me.together()


async def bob(me: Actor) -> None:
    async with (
        make_node(me) as node,
        await node.attach() as client,
        await client.subscribe("admin", "peerEvents") as events,
    ):
        enode = await me.learn(alice, "enode")
        await client.call("admin_addPeer", enode)
        peer = (await anext(events))["peer"]
        me.say(f"while connected: {await client.call('ping_ping', peer)}")
        await client.call("admin_removePeer", enode)
        me.say(f"peer {peer[:8]}: {(await anext(events))['type']}")
        me.say(f"afterwards: {await client.call('ping_ping', peer)}")
        await me.together()


if __name__ == "__main__":
    play(alice, bob)
