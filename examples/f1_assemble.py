"""F1: the parts of the overlay and of pss, put together by hand and without a network."""

import time

from stage import Actor, play

from node.crypto.secp256k1 import PrivateKey
from node.pss.crypto import wrap_asymmetric
from node.pss.handlers import Delivery, Handler, HandlerRegistry
from node.pss.keystore import KeyStore
from node.pss.message import MESSAGE_TTL_S, PssMessage
from node.pss.processor import Deliver, PssProcessor
from node.pss.routing import forward
from node.pss.seen import SeenCache
from node.pss.topic import topic_from_text
from node.swarm.address import BzzAddr
from node.swarm.capability import FULL_CAPABILITIES
from node.swarm.kademlia import Kademlia
from node.swarm.proximity import position, proximity_order

TOPIC = topic_from_text("foo")


class Parts:
    """A node without sockets, clock or tasks: a table, and the rules for messages."""

    def __init__(self, number: int) -> None:
        self.key = PrivateKey(bytes([number]) * 32)
        self.overlay = self.key.public.overlay
        self.table: Kademlia[str] = Kademlia(self.overlay)
        self.handlers = HandlerRegistry()
        self.processor = PssProcessor(
            private_key=self.key, overlay=self.overlay, keys=KeyStore(), handlers=self.handlers, seen=SeenCache()
        )


async def parts(me: Actor) -> None:
    sender, receiver, others = Parts(3), Parts(5), [Parts(number) for number in (4, 6, 7, 8, 9, 10, 11)]
    me.say(f"sender {sender.overlay.hex()[:8]}, receiver {receiver.overlay.hex()[:8]}")

    # The overlay: whom the sender knows, by how many leading bits their addresses share with its own.
    addresses = {"the receiver": receiver.overlay} | {f"other {n}": other.overlay for n, other in enumerate(others)}
    for name, address in addresses.items():
        sender.table.on(BzzAddr.of(address, "enode://...", FULL_CAPABILITIES), name, now=0.0)
    orders = sorted(proximity_order(sender.overlay, address) for address in addresses.values())
    me.say(f"{len(addresses)} peers at proximity orders {orders}, so depth {sender.table.neighbourhood_depth}")

    # pss, the sending half: an envelope, a message, a decision where it goes.
    message = PssMessage(
        to=receiver.overlay,
        raw=False,
        symmetric=False,
        expire=int(time.time()) + MESSAGE_TTL_S,
        topic=TOPIC,
        payload=wrap_asymmetric(b"bar", receiver.key.public, sender=sender.key),
    )
    me.say(f"3 bytes become a message of {len(message.encode())}, digest {message.digest.hex()[:8]}")
    chosen = forward(
        sender.overlay,
        message.to,
        sender.table.neighbourhood_depth,
        [(position(address), 0, name) for name, address in addresses.items()],
        lambda peer: True,
    )
    me.say(f"it goes to {[hop.peer for hop in chosen.hops]}")

    # The receiving half, in another object: decoded, judged, opened.
    heard: list[Delivery] = []
    receiver.handlers.register(TOPIC, Handler(callback=heard.append))
    decision = receiver.processor.receive(PssMessage.decode(message.encode()), now=0.0, unix_now=time.time(), depth=0)
    assert isinstance(decision, Deliver)
    for handler in decision.handlers:
        handler.callback(decision.delivery)
    me.say(f"the receiver reads {heard[0].payload!r}")
    again = receiver.processor.receive(PssMessage.decode(message.encode()), now=1.0, unix_now=time.time(), depth=0)
    me.say(f"and a second time decides: {again}")


if __name__ == "__main__":
    play(parts)
