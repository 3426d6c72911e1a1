"""D1: declare the messages of a protocol; a handler that lives elsewhere gets them as objects."""

from dataclasses import dataclass

from stage import Actor, play

from node.crypto.secp256k1 import PrivateKey
from node.devp2p.protocol import ProtocolSpec
from node.enode import parse_enode
from node.errors import RemoteProtocolError
from node.p2p.server import Server, ServerConfig
from node.p2p.typed import TypedPeer, typed_protocol


@dataclass
class Status:
    """What both sides say first."""

    network: int


@dataclass
class Order:
    dish: str
    quantity: int


@dataclass
class Bill:
    total: int


# The place in the list is the code on the wire: Status 0, Order 1, Bill 2.
SPEC = ProtocolSpec(name="cafe", version=1, messages=(Status, Order, Bill))
PRICES = {"coffee": 3, "cake": 5}


def same_network(theirs: Status) -> None:
    if theirs.network != 7:
        raise RemoteProtocolError(f"network {theirs.network}, expected 7")


class Waiter:
    """The handler: knows orders and bills, and nothing of connections."""

    def __init__(self, me: Actor, peer: TypedPeer) -> None:
        self._me, self._peer = me, peer

    async def handle(self, message: object) -> None:
        match message:
            case Order(dish=dish, quantity=quantity):
                self._me.say(f"order: {quantity} x {dish}")
                await self._peer.send(Bill(total=PRICES[dish] * quantity))
            case other:
                self._me.say(f"I did not expect {other}")


async def waiter(me: Actor) -> None:
    async def run(peer: TypedPeer) -> None:
        await peer.handshake(Status(network=7), same_network)
        await peer.run(Waiter(me, peer).handle)

    config = ServerConfig(
        private_key=PrivateKey.generate(), listen_addr=f"{me.host}:0", protocols=[typed_protocol(SPEC, run)]
    )
    async with Server(config) as server:
        await me.tell(enode=server.node.url)
        await me.together()


async def guest(me: Actor) -> None:
    async def run(peer: TypedPeer) -> None:
        theirs = await peer.handshake(Status(network=7), same_network)
        me.say(f"handshake: we are both on network {theirs.network}")
        for order in (Order(dish="coffee", quantity=2), Order(dish="cake", quantity=1)):
            await peer.send(order)
            me.say(f"{order} costs {(await peer.receive()).total}")
        await me.tell(served=True)

    config = ServerConfig(private_key=PrivateKey.generate(), protocols=[typed_protocol(SPEC, run)])
    async with Server(config) as server:
        await server.connect(parse_enode(await me.learn(waiter, "enode")))
        await me.learn(guest, "served")
        await me.together()


if __name__ == "__main__":
    play(waiter, guest)
