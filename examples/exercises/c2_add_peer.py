"""C2, exercise 3: admin_addPeer says true before there is a connection; an event says when there is one.

Prints: admin_addPeer: True
Prints: then: add of the right node
Prints: now admin_peers has: \\['demo'\\]
"""

import asyncio

import beside  # noqa: F401  # finds stage.py next door
from stage import Actor, play

from node.p2p.server import ServerConfig
from node.service.stack import NodeConfig, ServiceNode


def config(me: Actor) -> NodeConfig:
    return NodeConfig(client_name="demo", p2p=ServerConfig(listen_addr=f"{me.host}:0"))


async def alice(me: Actor) -> None:
    async with ServiceNode(config(me)) as stack:
        info = stack.server.node_info()
        await me.tell(enode=info["enode"], id=info["id"])
        await me.together()


async def bob(me: Actor) -> None:
    async with (
        ServiceNode(config(me)) as stack,
        await stack.attach() as client,
        await client.subscribe("admin", "peerEvents") as events,
        asyncio.timeout(10),
    ):
        me.say(f"admin_addPeer: {await client.call('admin_addPeer', await me.learn(alice, 'enode'))}")
        event = await anext(events)
        right = event["peer"] == await me.learn(alice, "id")
        me.say(f"then: {event['type']} of the {'right' if right else 'wrong'} node")
        me.say(f"now admin_peers has: {[peer['name'] for peer in await client.call('admin_peers')]}")
        await me.together()


if __name__ == "__main__":
    play(alice, bob)
