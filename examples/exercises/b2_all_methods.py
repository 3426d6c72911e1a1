"""B2, exercise 2: without `methods` everything public would be exposed, if only all of it had a form in JSON.

Prints: refused: Server.add_peer: parameter node: no JSON form .*
Prints: shown: \\['foo_nodeInfo', 'rpc_modules'\\]
"""

import beside  # noqa: F401  # finds stage.py next door
from stage import Actor, play

from node.crypto.secp256k1 import PrivateKey
from node.p2p.server import Server, ServerConfig
from node.rpc import Registry


async def server(me: Actor) -> None:
    async with Server(ServerConfig(private_key=PrivateKey.generate(), listen_addr=f"{me.host}:0")) as p2p:
        registry = Registry()
        try:
            registry.register("foo", p2p)
        except TypeError as error:
            me.say(f"refused: {error}")
        registry.register("foo", p2p, methods=["node_info"])
        methods, _ = registry.names()
        me.say(f"shown: {methods}")


if __name__ == "__main__":
    play(server)
