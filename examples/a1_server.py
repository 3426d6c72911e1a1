"""A1: start a p2p server, ask it who it is, stop it."""

from stage import Actor, play

from node.crypto.secp256k1 import PrivateKey
from node.p2p.server import Server, ServerConfig


async def server(me: Actor) -> None:
    config = ServerConfig(private_key=PrivateKey.generate(), listen_addr=f"{me.host}:0")
    async with Server(config) as p2p:
        me.say(f"my enode is {p2p.node.url}")
        me.say(f"my id is {p2p.id.hex()}")
        me.say(f"my ip is {p2p.node.ip}, my port {p2p.node.tcp}")
    me.say("stopped")


if __name__ == "__main__":
    play(server)
