"""E7, exercise 1: which calls a client makes to add a peer and to send it one message. (`subscribe` is a method
of its own, so pss_subscribe is not among them.)

Prints: (?s)pss_setPeerPublicKey.*pss_handshake.*pss_getHandshakeKeyCapacity.*pss_sendSym
"""

import asyncio
from typing import Any

import beside  # noqa: F401  # finds stage.py next door
from pssnode import PssNode, pss_node
from stage import Actor, Role, play

from node.pss.client import PssClient
from node.pss.ping import Ping
from node.pss.topic import format_topic, protocol_topic
from node.rpc import RPCClient
from node.service.endpoints import EndpointConfig


class RecordingClient(RPCClient):
    """Remembers what was called."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self.methods: list[str] = []

    async def call(self, method: str, *params: object, timeout: float | None = None) -> Any:
        self.methods.append(method)
        return await super().call(method, *params, timeout=timeout)


async def prepare(node: PssNode, other: Role, ping: Ping) -> str:
    topic = format_topic(protocol_topic(ping.protocol.name, ping.protocol.version))
    key: str = await node.me.learn(other, "public_key")
    await node.rpc.call("pss_setPeerPublicKey", key, topic, await node.me.learn(other, "address"))
    return key


async def alice(me: Actor) -> None:
    pongs: asyncio.Queue[bool] = asyncio.Queue()
    ping = Ping(responder=False, incoming=pongs)
    async with pss_node(me, ws=EndpointConfig(host=me.host, modules=["pss"])) as node:
        await node.connect(bob)
        key, address = await prepare(node, bob, ping), bytes.fromhex((await me.learn(bob, "address"))[2:])
        async with (
            await RecordingClient.connect(node.service_node.endpoints.ws.url) as rpc,
            await PssClient.connect(rpc) as client,
        ):
            await client.run_protocol(ping.protocol)
            await me.learn(bob, "mounted")
            await client.add_peer(key, address, ping.protocol)
            ping.outgoing.put_nowait(False)
            await pongs.get()
            for method in rpc.methods:
                me.say(method)
            await me.together()


async def bob(me: Actor) -> None:
    ping = Ping(responder=True)
    async with pss_node(me, ws=EndpointConfig(host=me.host, modules=["pss"])) as node:
        await prepare(node, alice, ping)
        async with await PssClient.connect(node.service_node.endpoints.ws.url) as client:
            await client.run_protocol(ping.protocol)
            await me.tell(mounted=True)
            await me.together()


if __name__ == "__main__":
    play(alice, bob)
