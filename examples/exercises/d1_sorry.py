"""D1, exercise 2: a fourth message, for dishes that there are not. At the end of the list it moves no other code.

Prints: codes: \\{'Status': 0, 'Order': 1, 'Bill': 2, 'Sorry': 3\\}
Prints: Bill\\(total=6\\)
Prints: Sorry\\(dish='tea'\\)
"""

from dataclasses import dataclass

import beside  # noqa: F401  # finds stage.py next door
from d1_typed import PRICES, Bill, Order, Status, same_network
from stage import Actor, play

from node.crypto.secp256k1 import PrivateKey
from node.devp2p.protocol import ProtocolSpec
from node.enode import parse_enode
from node.p2p.server import Server, ServerConfig
from node.p2p.typed import TypedPeer, typed_protocol


@dataclass
class Sorry:
    dish: str


# Another set of messages is another protocol, so it gets another version.
SPEC = ProtocolSpec(name="cafe", version=2, messages=(Status, Order, Bill, Sorry))


async def waiter(me: Actor) -> None:
    async def run(peer: TypedPeer) -> None:
        await peer.handshake(Status(network=7), same_network)
        async for order in peer:
            price = PRICES.get(order.dish)
            await peer.send(Sorry(dish=order.dish) if price is None else Bill(total=price * order.quantity))

    key = PrivateKey.generate()
    protocols = [typed_protocol(SPEC, run)]
    async with Server(ServerConfig(private_key=key, listen_addr=f"{me.host}:0", protocols=protocols)) as server:
        me.say(f"codes: { ({message.__name__: code for code, message in enumerate(SPEC.messages)}) }")
        await me.tell(enode=server.node.url)
        await me.together()


async def guest(me: Actor) -> None:
    async def run(peer: TypedPeer) -> None:
        await peer.handshake(Status(network=7), same_network)
        for dish in ("coffee", "tea"):
            await peer.send(Order(dish=dish, quantity=2))
            me.say(f"2 x {dish}: {await peer.receive()}")
        await me.tell(served=True)

    async with Server(ServerConfig(private_key=PrivateKey.generate(), protocols=[typed_protocol(SPEC, run)])) as server:
        await server.connect(parse_enode(await me.learn(waiter, "enode")))
        await me.learn(guest, "served")
        await me.together()


if __name__ == "__main__":
    play(waiter, guest)
