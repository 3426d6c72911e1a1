"""F2, exercise 2: alice sends a key along, and bob's echo comes back encrypted with it.

Prints: the echo: b'sendmeback', asymmetric: False, with the key I sent: True
"""

import asyncio

import beside  # noqa: F401  # finds stage.py next door
from f2_echo import TOPIC, assembled
from stage import Actor, play

from node.crypto.secp256k1 import PublicKey
from node.enode import parse_enode
from node.ids import OVERLAY_ADDRESS_BYTES
from node.pss.crypto import SYMMETRIC_KEY_BYTES
from node.pss.handlers import Delivery


async def alice(me: Actor) -> None:
    async with assembled(me) as (server, pss):
        echoes: asyncio.Queue[Delivery] = asyncio.Queue()
        pss.subscribe(TOPIC, echoes.put_nowait)
        public_key, address = await me.learn(bob, "key"), await me.learn(bob, "address")
        key_id = pss.keys.set_peer_public_key(PublicKey(bytes.fromhex(public_key)), TOPIC, bytes.fromhex(address))
        # add_to_cache: it is among the keys that symmetric messages are tried with.
        answer_key_id = pss.keys.generate_symmetric_key(TOPIC, b"", add_to_cache=True)
        answer_key = pss.keys.symmetric_key(answer_key_id).secret
        pss.send_asymmetric(key_id, TOPIC, pss.overlay + answer_key + b"sendmeback")
        await server.connect(parse_enode(await me.learn(bob, "enode")))
        echo = await echoes.get()
        own = echo.key_id == answer_key_id
        me.say(f"the echo: {echo.payload!r}, asymmetric: {echo.asymmetric}, with the key I sent: {own}")
        await me.together()


async def bob(me: Actor) -> None:
    async with assembled(me) as (_, pss):

        def echo(delivery: Delivery) -> None:
            address, rest = delivery.payload[:OVERLAY_ADDRESS_BYTES], delivery.payload[OVERLAY_ADDRESS_BYTES:]
            secret, text = rest[:SYMMETRIC_KEY_BYTES], rest[SYMMETRIC_KEY_BYTES:]
            key_id = pss.keys.set_symmetric_key(secret, TOPIC, address, add_to_cache=False)
            pss.send_symmetric(key_id, TOPIC, text)

        pss.subscribe(TOPIC, echo)
        await me.together()


if __name__ == "__main__":
    play(alice, bob)
