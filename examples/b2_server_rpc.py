"""B2: ask a p2p server about itself, over RPC."""

import tempfile

from stage import Actor, play

from node.crypto.secp256k1 import PrivateKey
from node.p2p.server import Server, ServerConfig
from node.rpc import IPCServer, Registry, RPCClient


async def server(me: Actor) -> None:
    config = ServerConfig(private_key=PrivateKey.generate(), name="demo", listen_addr=f"{me.host}:0")
    with tempfile.TemporaryDirectory() as directory:
        path = f"{directory}/demo.ipc"
        async with Server(config) as p2p:
            # Any object can be registered; `methods` says which of its methods others may call.
            registry = Registry()
            registry.register("foo", p2p, methods=["node_info", "peers_info"])
            async with IPCServer(registry, path), await RPCClient.connect(path) as client:
                info = await client.call("foo_nodeInfo")
                me.say(f"over RPC I am called {info['name']!r}")
                me.say(f"id:     {info['id']}")
                me.say(f"listen: {info['listenAddr']}")
                me.say(f"the same as in the object: {info['enode'] == p2p.node.url}")
                me.say(f"peers:  {await client.call('foo_peersInfo')}")


if __name__ == "__main__":
    play(server)
