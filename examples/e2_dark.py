"""E2: dark routing. The sender gives no address, and a node between the two relays what it cannot read."""

from pssnode import pss_node
from stage import Actor, play

from node.events import Kind, NodeEvent
from node.rpc import HexBytes

NO_ADDRESS = "0x"


async def relay(me: Actor) -> None:
    """Knows both; they do not know each other."""
    async with pss_node(me) as node:
        seen: list[NodeEvent] = []
        node.service_node.events.listen(seen.append)
        await node.connect(alice)
        await node.connect(bob)
        await me.tell(ready=True)
        await me.learn(bob, "received")
        kinds = {event.kind for event in seen}
        me.say(f"I passed something on: {Kind.PSS_FORWARDED in kinds}; it was for me: {Kind.PSS_DELIVERED in kinds}")
        await me.together()


async def alice(me: Actor) -> None:
    async with pss_node(me) as node:
        await node.meet(relay)
        topic = await node.rpc.call("pss_stringToTopic", "foo")
        key = await me.learn(bob, "public_key")
        await node.rpc.call("pss_setPeerPublicKey", key, topic, NO_ADDRESS)
        await me.learn(relay, "ready")
        await me.learn(bob, "listening")
        me.say(f"my only peer: {[peer['name'] for peer in await node.rpc.call('admin_peers')]}")
        await node.rpc.call("pss_sendAsym", key, topic, HexBytes(b"are you there?"))
        me.say("sent, to no address")
        await me.together()


async def bob(me: Actor) -> None:
    async with pss_node(me) as node:
        await node.meet(relay)
        topic = await node.rpc.call("pss_stringToTopic", "foo")
        async with await node.rpc.subscribe("pss", "receive", topic, False, False) as messages:
            await me.tell(listening=True)
            message = await anext(messages)
        me.say(f"received {bytes.fromhex(message['Msg'][2:])!r}")
        me.say(f"my only peer: {[peer['name'] for peer in await node.rpc.call('admin_peers')]}")
        await me.tell(received=True)
        await me.together()


if __name__ == "__main__":
    play(relay, alice, bob)
