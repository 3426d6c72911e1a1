"""F1, exercise 1: the receiver is not in the table. The message goes to whoever is nearest, and so comes nearer.

Prints: it goes to other 6: it shares 5 bits with the receiver, I share 2
Prints: without other 6 it goes to other 0: 2 bits
"""

import beside  # noqa: F401  # finds stage.py next door
from f1_assemble import Parts
from stage import Actor, play

from node.pss.routing import forward
from node.swarm.address import BzzAddr
from node.swarm.capability import FULL_CAPABILITIES
from node.swarm.proximity import position, proximity_order


async def parts(me: Actor) -> None:
    sender, receiver = Parts(3), Parts(5)
    others = {f"other {n}": Parts(number) for n, number in enumerate((4, 6, 7, 8, 9, 10, 11))}
    for name, other in others.items():
        sender.table.on(BzzAddr.of(other.overlay, "enode://...", FULL_CAPABILITIES), name, now=0.0)
    peers = [(position(other.overlay), 0, name) for name, other in others.items()]
    depth, own = sender.table.neighbourhood_depth, proximity_order(sender.overlay, receiver.overlay)

    [hop] = forward(sender.overlay, receiver.overlay, depth, peers, lambda peer: True).hops
    me.say(f"it goes to {hop.peer}: it shares {hop.po} bits with the receiver, I share {own}")
    # A peer that does not take it: the connection is just breaking, or it does not speak pss.
    [hop] = forward(sender.overlay, receiver.overlay, depth, peers, lambda peer: peer != "other 6").hops
    me.say(f"without other 6 it goes to {hop.peer}: {hop.po} bits")


if __name__ == "__main__":
    play(parts)
