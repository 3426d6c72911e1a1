"""D1, exercise 3: one side declares Bill before Order. Both call it cafe/1, and only the bytes tell that it is not.

Prints: invalid message #1 \\(9 bytes\\): Bill: expected 1 elements, got 2
Prints: no answer: subprotocol error
"""

import beside  # noqa: F401  # finds stage.py next door
from d1_typed import SPEC, Bill, Order, Status, same_network
from stage import Actor, play

from node.crypto.secp256k1 import PrivateKey
from node.devp2p.protocol import ProtocolSpec
from node.enode import parse_enode
from node.errors import PeerDisconnected, RemoteProtocolError
from node.p2p.server import Server, ServerConfig
from node.p2p.typed import TypedPeer, typed_protocol

SWAPPED = ProtocolSpec(name="cafe", version=1, messages=(Status, Bill, Order))


async def waiter(me: Actor) -> None:
    async def run(peer: TypedPeer) -> None:
        await peer.handshake(Status(network=7), same_network)  # code 0 is the same on both sides
        try:
            await peer.receive()
        except RemoteProtocolError as error:
            me.say(str(error))
            raise

    key = PrivateKey.generate()
    protocols = [typed_protocol(SWAPPED, run)]
    async with Server(ServerConfig(private_key=key, listen_addr=f"{me.host}:0", protocols=protocols)) as server:
        await me.tell(enode=server.node.url)
        await me.together()


async def guest(me: Actor) -> None:
    async def run(peer: TypedPeer) -> None:
        await peer.handshake(Status(network=7), same_network)
        try:
            await peer.send(Order(dish="coffee", quantity=2))
            await peer.receive()
        except PeerDisconnected as end:
            me.say(f"no answer: {end}")
        await me.tell(over=True)

    async with Server(ServerConfig(private_key=PrivateKey.generate(), protocols=[typed_protocol(SPEC, run)])) as server:
        await server.connect(parse_enode(await me.learn(waiter, "enode")))
        await me.learn(guest, "over")
        await me.together()


if __name__ == "__main__":
    play(waiter, guest)
