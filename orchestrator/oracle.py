"""What a lab should look like once it is up, worked out from all addresses at once.

Only the orchestrator can do this: a node knows what it has heard, the oracle what there is. Tables follow the words of
spec 05 section 7.3 by brute force, on purpose without the node's own code, so that one checks the other.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import lru_cache

from node.ids import OverlayAddress
from node.swarm.health import PeerPot, peer_pots
from node.swarm.proximity import proximity_order
from orchestrator.spec import LabSpec

NEIGHBOURHOOD_SIZE = 2
"""Spec 05 section 7.2: NeighbourhoodSize."""
CACHED_LABS = 8
SHORT_HEX_DIGITS = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpectedTable:
    """The live part of a kademlia table, as it should be.

    Attributes:
        bins: overlay addresses of the connected peers by proximity order; no empty bins.
        depth: neighbourhood depth.
    """

    bins: Mapping[int, frozenset[OverlayAddress]]
    depth: int


def expected_peers(spec: LabSpec) -> dict[str, set[str]]:
    """Who should be connected with whom, by name: the links, in both directions.

    With `auto_connect` that is the least: kademlia adds more, see :func:`peer_pot`.
    """
    peers: dict[str, set[str]] = {node.name: set() for node in spec.nodes}
    for link in spec.links:
        peers[link.a].add(link.b)
        peers[link.b].add(link.a)
    return peers


def expected_table(spec: LabSpec, name: str) -> ExpectedTable:
    """The table of one node of a lab without `auto_connect`, where nobody but linked nodes is connected.

    Raises:
        UnknownNode: no node of that name.
    """
    own, linked = spec.node(name), spec.neighbours(name)
    return table_of(own.overlay, [node.overlay for node in spec.nodes if node.name in linked])


def table_of(base: OverlayAddress, peers: Collection[OverlayAddress]) -> ExpectedTable:
    """The table of a node at `base` that is connected with exactly these peers."""
    bins: dict[int, set[OverlayAddress]] = {}
    for peer in peers:
        bins.setdefault(proximity_order(base, peer), set()).add(peer)
    return ExpectedTable(
        bins={po: frozenset(bins[po]) for po in sorted(bins)},
        depth=_depth([proximity_order(base, peer) for peer in peers]),
    )


def peer_pot(spec: LabSpec, name: str) -> PeerPot:
    """What one node of a lab with `auto_connect` should have: the question for its health check.

    Raises:
        UnknownNode: no node of that name.
    """
    own = spec.node(name)
    return _pots(tuple(node.overlay for node in spec.nodes))[own.overlay]


def table_difference(
    spec: LabSpec, name: str, observed_bins: Mapping[int, Collection[bytes]], observed_depth: int
) -> list[str]:
    """In what a node's table is not as :func:`expected_table` says; nothing if it is.

    Args:
        observed_bins: overlay addresses of connected peers by proximity order; empty bins do not count.
        observed_depth: neighbourhood depth as the node has it.

    Returns:
        Sentences with names in them, such as ``alice lacks n02 in bin 3``.
    """
    expected = expected_table(spec, name)
    names = {node.overlay: node.name for node in spec.nodes}
    wanted = {peer: po for po, peers in expected.bins.items() for peer in peers}
    found = {OverlayAddress(peer): po for po, peers in sorted(observed_bins.items()) for peer in peers}
    reasons = [f"{name} lacks {names[peer]} in bin {po}" for peer, po in wanted.items() if peer not in found]
    for peer, po in found.items():
        if peer not in wanted:
            reasons.append(f"{name} has {_name(peer, names)} in bin {po}, with whom it is not linked")
        elif wanted[peer] != po:
            reasons.append(f"{name} has {names[peer]} in bin {po}, not in bin {wanted[peer]}")
    if observed_depth != expected.depth:
        reasons.append(f"{name} has a depth of {observed_depth}, not of {expected.depth}")
    return reasons


def _depth(orders: list[int]) -> int:
    """Neighbourhood depth from the proximity orders of all connected peers."""
    if len(orders) <= NEIGHBOURHOOD_SIZE:
        return 0
    radius = sorted(orders, reverse=True)[NEIGHBOURHOOD_SIZE - 1]
    return next(bin_ for bin_ in range(radius + 1) if bin_ == radius or bin_ not in orders)


@lru_cache(maxsize=CACHED_LABS)
def _pots(overlays: tuple[OverlayAddress, ...]) -> dict[OverlayAddress, PeerPot]:
    # Readiness asks for each node again and again, and each answer needs all of them.
    return peer_pots(overlays)


def _name(overlay: OverlayAddress, names: Mapping[OverlayAddress, str]) -> str:
    return names.get(overlay) or f"the unknown node {overlay.hex()[:SHORT_HEX_DIGITS]}…"
