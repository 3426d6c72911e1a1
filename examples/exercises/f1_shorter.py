"""F1, exercise 2: the fewer bytes of the address a message shows, the more peers may get it.

Prints: (?m)the receiver, 32 bytes: 1 peer$
Prints: (?m)the receiver,  1 bytes: 1 peer$
Prints: (?m)a neighbour,  32 bytes: 1 peer$
Prints: (?m)a neighbour,   1 bytes: 2 peers$
Prints: (?m)a neighbour,   0 bytes: 8 peers$
"""

import beside  # noqa: F401  # finds stage.py next door
from f1_assemble import Parts
from stage import Actor, play

from node.ids import OverlayAddress
from node.pss.routing import forward
from node.swarm.address import BzzAddr
from node.swarm.capability import FULL_CAPABILITIES
from node.swarm.proximity import position


async def parts(me: Actor) -> None:
    sender, receiver, neighbour = Parts(3), Parts(5), Parts(4)
    everybody = [receiver, neighbour, *(Parts(number) for number in (6, 7, 8, 9, 10, 11))]
    for number, other in enumerate(everybody):
        sender.table.on(BzzAddr.of(other.overlay, "enode://...", FULL_CAPABILITIES), str(number), now=0.0)
    peers = [(position(other.overlay), 0, other) for other in everybody]

    def show(who: str, address: OverlayAddress) -> None:
        for shown in (32, 1, 0):
            depth = sender.table.neighbourhood_depth
            hops = forward(sender.overlay, address[:shown], depth, peers, lambda peer: True).hops
            me.say(f"{who + ',':13} {shown:2} bytes: {len(hops)} peer{'s' if len(hops) > 1 else ''}")

    show("the receiver", receiver.overlay)
    show("a neighbour", neighbour.overlay)


if __name__ == "__main__":
    play(parts)
