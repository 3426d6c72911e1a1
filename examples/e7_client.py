"""E7: the same, with the protocol in another program than the node: one side over WebSocket, the other over IPC."""

import asyncio
import tempfile

from pssnode import PssNode, pss_node
from stage import Actor, Role, play

from node.pss.client import PssClient
from node.pss.ping import Ping
from node.pss.topic import format_topic, protocol_topic
from node.service.endpoints import EndpointConfig


async def relay(me: Actor) -> None:
    async with pss_node(me) as node:
        await node.connect(alice)
        await node.connect(bob)
        await me.tell(ready=True)
        await me.together()


async def prepare(node: PssNode, other: Role, ping: Ping) -> str:
    """The other's key on the topic of the protocol; without it a node does not answer handshakes."""
    await node.meet(relay)
    topic = format_topic(protocol_topic(ping.protocol.name, ping.protocol.version))
    key: str = await node.me.learn(other, "public_key")
    await node.rpc.call("pss_setPeerPublicKey", key, topic, await node.me.learn(other, "address"))
    await node.me.learn(relay, "ready")
    return key


async def alice(me: Actor) -> None:
    pongs: asyncio.Queue[bool] = asyncio.Queue()
    ping = Ping(responder=False, incoming=pongs)
    async with pss_node(me, ws=EndpointConfig(host=me.host, modules=["pss"])) as node:
        key = await prepare(node, bob, ping)
        async with await PssClient.connect(node.service_node.endpoints.ws.url) as client:
            await client.run_protocol(ping.protocol)
            await me.learn(bob, "mounted")
            await client.add_peer(key, bytes.fromhex((await me.learn(bob, "address"))[2:]), ping.protocol)
            me.say("over WebSocket: handshake done, peer added")
            ping.outgoing.put_nowait(False)
            me.say(f"ping sent; what came back is a pong: {await pongs.get()}")
            await me.together()


async def bob(me: Actor) -> None:
    pings: asyncio.Queue[bool] = asyncio.Queue()
    ping = Ping(responder=True, incoming=pings)
    with tempfile.TemporaryDirectory() as directory:
        async with pss_node(me, ipc_path=f"{directory}/bob.ipc") as node:
            await prepare(node, alice, ping)
            async with await PssClient.connect(f"{directory}/bob.ipc") as client:
                await client.run_protocol(ping.protocol)
                await me.tell(mounted=True)
                me.say(f"over IPC: what came is a pong: {await pings.get()}; I answer")
                await me.together()


if __name__ == "__main__":
    play(relay, alice, bob)
