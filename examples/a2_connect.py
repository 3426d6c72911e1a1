"""A2: one server dials another."""

from stage import Actor, play

from node.crypto.secp256k1 import PrivateKey
from node.enode import parse_enode
from node.p2p.server import Server, ServerConfig


async def alice(me: Actor) -> None:
    config = ServerConfig(private_key=PrivateKey.generate(), name="alice", listen_addr=f"{me.host}:0")
    async with Server(config) as server:
        await me.tell(enode=server.node.url)
        peer = await server.wait_peer()
        me.say(f"somebody connected: {peer.name}, inbound={peer.inbound}")
        await me.together()


async def bob(me: Actor) -> None:
    # Without listen_addr a server dials and is not dialed.
    async with Server(ServerConfig(private_key=PrivateKey.generate(), name="bob")) as server:
        peer = await server.connect(parse_enode(await me.learn(alice, "enode")))
        me.say(f"I connected to {peer.name}, inbound={peer.inbound}")
        me.say(f"my peers: {[peer.name for peer in server.peers]}")
        await me.together()


if __name__ == "__main__":
    play(alice, bob)
