"""A2, exercise 2: right address, wrong key. Only the owner of the key in the URL can answer the first packet.

Prints: not connected: .*
"""

import beside  # noqa: F401  # finds stage.py next door
from stage import Actor, play

from node.crypto.secp256k1 import PrivateKey
from node.enode import Node, parse_enode
from node.errors import DialFailed
from node.p2p.server import Server, ServerConfig


async def alice(me: Actor) -> None:
    async with Server(ServerConfig(private_key=PrivateKey.generate(), listen_addr=f"{me.host}:0")) as server:
        await me.tell(enode=server.node.url)
        await me.together()
        me.say(f"peers: {server.peer_count}")


async def bob(me: Actor) -> None:
    real = parse_enode(await me.learn(alice, "enode"))
    imagined = Node(PrivateKey.generate().public, real.ip, real.tcp, real.udp)
    async with Server(ServerConfig(private_key=PrivateKey.generate())) as server:
        try:
            await server.connect(imagined, timeout_s=1)
        except DialFailed as error:
            me.say(f"not connected: {error}")
        await me.together()


if __name__ == "__main__":
    play(alice, bob)
