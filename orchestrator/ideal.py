"""The way a message should take, worked out from all addresses and the connections there are.

As in :mod:`orchestrator.oracle` by the words of the specification (spec 06 section 5) and by brute force, without the
node's own code, so that one checks the other.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from node.ids import OVERLAY_ADDRESS_BYTES, OverlayAddress
from node.swarm.proximity import MAX_PO, proximity_order
from orchestrator.journey import Ideal, Journey
from orchestrator.oracle import table_of


@dataclass(frozen=True, kw_only=True)
class Network:
    """All addresses and who is connected with whom.

    Attributes:
        addresses: overlay addresses by name.
        peers: names of the connected nodes by name; of both ends, and only of nodes that have an address here.
    """

    addresses: Mapping[str, OverlayAddress]
    peers: Mapping[str, frozenset[str]]

    @classmethod
    def of(cls, addresses: Mapping[str, OverlayAddress], connections: Iterable[tuple[str, str]]) -> Network:
        """From pairs; pairs with somebody unknown are left out."""
        peers: dict[str, set[str]] = {name: set() for name in addresses}
        for a, b in connections:
            if a in peers and b in peers and a != b:
                peers[a].add(b)
                peers[b].add(a)
        return cls(addresses=addresses, peers={name: frozenset(found) for name, found in peers.items()})

    def depth(self, name: str) -> int:
        """The neighbourhood depth of a node with these connections."""
        return table_of(self.addresses[name], [self.addresses[peer] for peer in self.peers[name]]).depth


def compare(journey: Journey, network: Network, *, arrived: Iterable[str] = ()) -> tuple[Ideal, ...]:
    """The way to each node that took the message, beside the best there is.

    Args:
        arrived: nodes that are known to have had it although they report nothing.

    Returns:
        Nothing of nodes to which no whole way is known, and nothing at all where the address is not known.
    """
    if journey.to is None:
        return ()
    to = bytes.fromhex(journey.to)
    ruled: dict[str, dict[str, tuple[str, ...]]] = {}
    ideals = []
    for node in dict.fromkeys([*(note.node for note in journey.deliveries), *arrived]):
        path = journey.path_to(node)
        if not path or path[0].detached or not {node, path[0].sender} <= network.peers.keys():
            continue
        sender = path[0].sender
        if sender not in ruled:
            ruled[sender] = ways_by_rules(network, sender, to)
        ideals.append(
            Ideal(
                node=node,
                hops=len(path),
                shortest=shortest_way(network, sender, node),
                greedy=ruled[sender].get(node, ()),
                by_rules=all(
                    hop.sender in network.peers and hop.receiver in next_hops(network, hop.sender, to) for hop in path
                ),
            )
        )
    return tuple(ideals)


def shortest_way(network: Network, sender: str, receiver: str) -> tuple[str, ...]:
    """Names along a shortest path over the connections, both ends included; empty if there is none."""
    return _ways(sender, lambda name: network.peers[name]).get(receiver, ())


def ways_by_rules(network: Network, sender: str, to: bytes) -> dict[str, tuple[str, ...]]:
    """For each node that a message to `to` can come to by the rules of pss: the shortest of those ways, as names.

    Which of several equally near peers is taken depends on how often each was used, so all of them count.
    """
    return _ways(sender, lambda name: next_hops(network, name, to))


def next_hops(network: Network, name: str, to: bytes) -> frozenset[str]:
    """To whom a node may pass on a message to an address of 0 to 32 bytes (spec 06 section 5.1)."""
    target = to.ljust(OVERLAY_ADDRESS_BYTES, b"\0")
    orders = {peer: proximity_order(network.addresses[peer], target) for peer in network.peers[name]}
    if not orders:
        return frozenset()
    nearest = max(orders.values())
    own, depth, known_bits = proximity_order(network.addresses[name], target), network.depth(name), 8 * len(to)
    reach = min(own, depth, known_bits)
    elsewhere = reach < known_bits and reach < depth
    # One of the nearest, if the address is elsewhere or somebody has it; else all that are near enough, or the nearest.
    bound = nearest if elsewhere or nearest == MAX_PO else min(reach, nearest)
    return frozenset(peer for peer, order in orders.items() if order >= bound)


def _ways(start: str, onward: Callable[[str], Iterable[str]]) -> dict[str, tuple[str, ...]]:
    """Shortest paths from one node to all that can be reached, by breadth first; alphabetical among equals."""
    ways: dict[str, tuple[str, ...]] = {start: (start,)}
    ahead = deque([start])
    while ahead:
        at = ahead.popleft()
        for name in sorted(onward(at)):
            if name not in ways:
                ways[name] = (*ways[at], name)
                ahead.append(name)
    return ways
