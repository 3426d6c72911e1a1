"""A1, exercise 2: the node ID is not in the URL, but it follows from what is.

Prints: 64 bytes of key hash to our id: True
"""

import beside  # noqa: F401  # finds stage.py next door
from stage import Actor, play

from node.crypto.keccak import keccak256
from node.crypto.secp256k1 import PrivateKey
from node.p2p.server import Server, ServerConfig


async def server(me: Actor) -> None:
    async with Server(ServerConfig(private_key=PrivateKey.generate(), listen_addr=f"{me.host}:0")) as p2p:
        user = p2p.node.url.removeprefix("enode://").partition("@")[0]
        key = bytes.fromhex(user)
        me.say(f"{len(key)} bytes of key hash to our id: {keccak256(key) == p2p.id}")


if __name__ == "__main__":
    play(server)
