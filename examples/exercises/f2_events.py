"""F2, exercise 3: the life of alice's message in the events of her node, from the outbox to the echo.

Prints: (?s)pss\\.sent.*pss\\.queued.*unable to forward to any peers.*kad\\.on.*pss\\.forwarded.*pss\\.delivered
"""

import asyncio

import beside  # noqa: F401  # finds stage.py next door
from f2_echo import TOPIC, assembled, bob
from stage import Actor, play

from node.crypto.secp256k1 import PublicKey
from node.enode import parse_enode
from node.events import Kind, NodeEvent
from node.pss.handlers import Delivery


async def alice(me: Actor) -> None:
    def show(event: NodeEvent) -> None:
        if event.kind is Kind.KAD_ON or event.digest:
            known_as = f" of {event.digest[:8]}" if event.digest else ""
            me.say(f"{event.kind}{known_as}{', ' + event.reason if event.reason else ''}")

    async with assembled(me) as (server, pss):
        server.events.listen(show)
        echoes: asyncio.Queue[Delivery] = asyncio.Queue()
        pss.subscribe(TOPIC, echoes.put_nowait)
        key, address = await me.learn(bob, "key"), await me.learn(bob, "address")
        key_id = pss.keys.set_peer_public_key(PublicKey(bytes.fromhex(key)), TOPIC, bytes.fromhex(address))
        pss.send_asymmetric(key_id, TOPIC, pss.overlay + b"sendmeback")
        await server.connect(parse_enode(await me.learn(bob, "enode")))
        await echoes.get()
        await me.together()


if __name__ == "__main__":
    play(alice, bob)
