"""F2: an echo between two nodes that are assembled by hand: no service node, no RPC."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

from stage import Actor, play

from node.crypto.secp256k1 import PrivateKey, PublicKey
from node.enode import parse_enode
from node.events import EventBus
from node.ids import OVERLAY_ADDRESS_BYTES
from node.p2p.server import Server, ServerConfig
from node.pss.handlers import Delivery
from node.pss.service import PssService
from node.pss.topic import topic_from_text
from node.service.service import ServiceContext
from node.swarm.service import OverlayService

TOPIC = topic_from_text("foo")
NETWORK_ID = 666


@contextlib.asynccontextmanager
async def assembled(me: Actor) -> AsyncIterator[tuple[Server, PssService]]:
    """What a service node does, step by step."""
    events, key = EventBus(), PrivateKey.generate()
    overlay = OverlayService(
        ServiceContext(events=events, instance_dir=None, services=()),
        key=key.public,
        network_id=NETWORK_ID,
        auto_connect=False,
    )
    pss = PssService(ServiceContext(events=events, instance_dir=None, services=(overlay,)), key=key)
    config = ServerConfig(
        private_key=PrivateKey.generate(),  # the key of connections; the other one is that of the overlay and of pss
        listen_addr=f"{me.host}:0",
        protocols=[*overlay.protocols(), *pss.protocols()],
    )
    async with Server(config, events=events) as server:
        me.watch(events, server.id.hex())
        for service in (overlay, pss):
            await service.start(server)
        await me.tell(enode=server.node.url, address=overlay.overlay.hex(), key=key.public.uncompressed.hex())
        try:
            yield server, pss
        finally:
            for service in (pss, overlay):
                await service.stop()


async def alice(me: Actor) -> None:
    async with assembled(me) as (server, pss):
        echoes: asyncio.Queue[Delivery] = asyncio.Queue()
        pss.subscribe(TOPIC, echoes.put_nowait)
        key, address = await me.learn(bob, "key"), await me.learn(bob, "address")
        key_id = pss.keys.set_peer_public_key(PublicKey(bytes.fromhex(key)), TOPIC, bytes.fromhex(address))
        # Nobody is connected yet: the message waits in the outbox.
        pss.send_asymmetric(key_id, TOPIC, pss.overlay + b"sendmeback")
        me.say("sent; I have no peer yet")
        await server.connect(parse_enode(await me.learn(bob, "enode")))
        me.say(f"the echo: {(await echoes.get()).payload!r}")
        await me.together()


async def bob(me: Actor) -> None:
    async with assembled(me) as (_, pss):

        def echo(delivery: Delivery) -> None:
            """The message begins with the address to answer to; its signature tells the key."""
            address, text = delivery.payload[:OVERLAY_ADDRESS_BYTES], delivery.payload[OVERLAY_ADDRESS_BYTES:]
            me.say(f"{text!r} for me, from {address.hex()[:8]}")
            assert delivery.sender is not None  # a message to a public key is signed
            key_id = pss.keys.set_peer_public_key(delivery.sender, TOPIC, address)
            pss.send_asymmetric(key_id, TOPIC, text)

        pss.subscribe(TOPIC, echo)
        await me.together()


if __name__ == "__main__":
    play(alice, bob)
