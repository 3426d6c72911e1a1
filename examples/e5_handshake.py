"""E5: agree on symmetric keys by a handshake, then talk with them, through a relay."""

from pssnode import PssNode, pss_node
from stage import Actor, Role, play

from node.rpc import HexBytes


async def relay(me: Actor) -> None:
    async with pss_node(me) as node:
        await node.connect(alice)
        await node.connect(bob)
        await me.tell(ready=True)
        await me.together()


async def prepare(node: PssNode, other: Role) -> tuple[str, str]:
    """Both must know each other's public key on the topic, and take part in handshakes on it."""
    await node.meet(relay)
    topic = await node.rpc.call("pss_stringToTopic", "foo")
    key, address = await node.me.learn(other, "public_key"), await node.me.learn(other, "address")
    await node.rpc.call("pss_setPeerPublicKey", key, topic, address)
    await node.rpc.call("pss_addHandshake", topic)
    await node.me.learn(relay, "ready")
    return topic, key


async def alice(me: Actor) -> None:
    async with pss_node(me) as node:
        topic, key = await prepare(node, bob)
        await me.learn(bob, "listening")
        # sync: wait for the answer; flush: make new keys even if there are some.
        key_ids = await node.rpc.call("pss_handshake", key, topic, True, True)
        me.say(f"bob gave me {len(key_ids)} keys")
        for text in (b"first", b"second"):
            await node.rpc.call("pss_sendSym", key_ids[0], topic, HexBytes(text))
        me.say(f"my first key is good for {await node.rpc.call('pss_getHandshakeKeyCapacity', key_ids[0])} more")
        await me.together()


async def bob(me: Actor) -> None:
    async with pss_node(me) as node:
        topic, _ = await prepare(node, alice)
        async with await node.rpc.subscribe("pss", "receive", topic, False, False) as messages:
            await me.tell(listening=True)
            heard: list[bytes] = []
            while len(heard) < 2:
                message = await anext(messages)
                if not message["Asymmetric"]:  # the handshake itself comes by here as well
                    heard.append(bytes.fromhex(message["Msg"][2:]))
        me.say(f"received {sorted(heard)}")
        owner = await node.rpc.call("pss_getHandshakePublicKey", message["Key"])
        me.say(f"that key I gave to alice: {owner == await me.learn(alice, 'public_key')}")
        await me.together()


if __name__ == "__main__":
    play(relay, alice, bob)
