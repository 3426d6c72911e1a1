"""D1, exercise 1: a guest of network 8. The waiter refuses, and the guest never hears which network it should be.

Prints: waiter +refused: network 8, expected 7
Prints: guest +the waiter went away: subprotocol error
"""

import beside  # noqa: F401  # finds stage.py next door
from d1_typed import SPEC, Status, same_network
from stage import Actor, play

from node.crypto.secp256k1 import PrivateKey
from node.enode import parse_enode
from node.errors import PeerDisconnected, RemoteProtocolError
from node.p2p.server import Server, ServerConfig
from node.p2p.typed import TypedPeer, typed_protocol


async def waiter(me: Actor) -> None:
    async def run(peer: TypedPeer) -> None:
        try:
            await peer.handshake(Status(network=7), same_network)
        except RemoteProtocolError as error:
            me.say(f"refused: {error}")
            raise  # it carries the reason for the guest

    key = PrivateKey.generate()
    protocols = [typed_protocol(SPEC, run)]
    async with Server(ServerConfig(private_key=key, listen_addr=f"{me.host}:0", protocols=protocols)) as server:
        await me.tell(enode=server.node.url)
        await me.together()


async def guest(me: Actor) -> None:
    async def run(peer: TypedPeer) -> None:
        try:
            await peer.handshake(Status(network=8))
        except PeerDisconnected as end:
            me.say(f"the waiter went away: {end}")
        await me.tell(over=True)

    async with Server(ServerConfig(private_key=PrivateKey.generate(), protocols=[typed_protocol(SPEC, run)])) as server:
        await server.connect(parse_enode(await me.learn(waiter, "enode")))
        await me.learn(guest, "over")
        await me.together()


if __name__ == "__main__":
    play(waiter, guest)
