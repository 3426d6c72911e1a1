"""A1, exercise 3: a server that does not listen has an enode, but not one to dial.

Prints: nobody can dial me: .*no address and TCP port
"""

import beside  # noqa: F401  # finds stage.py next door
from stage import Actor, play

from node.crypto.secp256k1 import PrivateKey
from node.errors import DialFailed
from node.p2p.server import Server, ServerConfig


async def server(me: Actor) -> None:
    async with (
        Server(ServerConfig(private_key=PrivateKey.generate())) as silent,
        Server(ServerConfig(private_key=PrivateKey.generate())) as other,
    ):
        me.say(f"my port is {silent.node.tcp}")
        try:
            other.add_peer(silent.node)
        except DialFailed as error:
            me.say(f"nobody can dial me: {error}")


if __name__ == "__main__":
    play(server)
