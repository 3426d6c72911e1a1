"""B2, exercise 3: whoever may call foo_stop stops the server. The socket beside it goes on answering.

Prints: foo_stop answers None
Prints: I am told: client quitting
Prints: peers now: \\[\\]
"""

import tempfile

import beside  # noqa: F401  # finds stage.py next door
from stage import Actor, play

from node.crypto.secp256k1 import PrivateKey
from node.enode import parse_enode
from node.events import Kind
from node.p2p.server import Server, ServerConfig
from node.rpc import IPCServer, Registry, RPCClient


async def server(me: Actor) -> None:
    config = ServerConfig(private_key=PrivateKey.generate(), name="demo", listen_addr=f"{me.host}:0")
    with tempfile.TemporaryDirectory() as directory:
        path = f"{directory}/demo.ipc"
        async with Server(config) as p2p:
            registry = Registry()
            registry.register("foo", p2p, methods=["peers_info", "stop"])
            async with IPCServer(registry, path), await RPCClient.connect(path) as client:
                await me.tell(enode=p2p.node.url)
                await me.learn(alice, "connected")
                me.say(f"foo_stop answers {await client.call('foo_stop')}")
                me.say(f"peers now: {await client.call('foo_peersInfo')}")


async def alice(me: Actor) -> None:
    async with Server(ServerConfig(private_key=PrivateKey.generate())) as p2p, p2p.events.stream(Kind.DROP) as drops:
        await p2p.connect(parse_enode(await me.learn(server, "enode")))
        await me.tell(connected=True)
        drop = await anext(drops)
        me.say(f"I am told: {drop.reason}")


if __name__ == "__main__":
    play(server, alice)
