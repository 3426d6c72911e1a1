"""A1, exercise 1: with the same key a server is the same node, wherever it listens.

Prints: same id: True; same public key in the URL: True
"""

import beside  # noqa: F401  # finds stage.py next door
from stage import Actor, play

from node.crypto.secp256k1 import PrivateKey
from node.p2p.server import Server, ServerConfig


async def server(me: Actor) -> None:
    key = PrivateKey.generate()
    nodes = []
    for _ in range(2):
        async with Server(ServerConfig(private_key=key, listen_addr=f"{me.host}:0")) as p2p:
            nodes.append(p2p.node)
            me.say(f"listening on port {p2p.node.tcp}")
    first, second = nodes
    me.say(f"same id: {first.id == second.id}; same public key in the URL: {first.key == second.key}")


if __name__ == "__main__":
    play(server)
