"""B2, exercise 1: a peer as its host sees it. The port that it dialed from is not one at which it can be reached.

Prints: my peer is 'bob', it came in: True
Prints: bob listens at its remote address: False
"""

import tempfile

import beside  # noqa: F401  # finds stage.py next door
from stage import Actor, play

from node.crypto.secp256k1 import PrivateKey
from node.enode import parse_enode
from node.p2p.server import Server, ServerConfig
from node.rpc import IPCServer, Registry, RPCClient


async def alice(me: Actor) -> None:
    config = ServerConfig(private_key=PrivateKey.generate(), name="alice", listen_addr=f"{me.host}:0")
    with tempfile.TemporaryDirectory() as directory:
        path = f"{directory}/demo.ipc"
        async with Server(config) as p2p:
            registry = Registry()
            registry.register("foo", p2p, methods=["node_info", "peers_info"])
            async with IPCServer(registry, path), await RPCClient.connect(path) as client:
                await me.tell(enode=p2p.node.url)
                await p2p.wait_peer()
                [peer] = await client.call("foo_peersInfo")
                network = peer["network"]
                me.say(f"my peer is {peer['name']!r}, it came in: {network['inbound']}")
                bobs = await me.learn(bob, "listens")
                me.say(f"bob listens at its remote address: {network['remoteAddress'] == bobs}")
                await me.together()


async def bob(me: Actor) -> None:
    config = ServerConfig(private_key=PrivateKey.generate(), name="bob", listen_addr=f"{me.host}:0")
    async with Server(config) as p2p:
        await me.tell(listens=p2p.listen_addr)
        await p2p.connect(parse_enode(await me.learn(alice, "enode")))
        await me.together()


if __name__ == "__main__":
    play(alice, bob)
