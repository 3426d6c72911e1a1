"""Walks over live peers by proximity order to any address, closest first (spec 05 section 7.6).

Knows the live peers of one moment; :mod:`node.swarm.kademlia` makes a new walk when they change. Forwarding asks this
once per message, so what does not depend on the target is prepared.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from node.swarm.address import BzzAddr
from node.swarm.proximity import MAX_PO, position

PeerT = TypeVar("PeerT")


@dataclass(frozen=True, slots=True)
class Conn(Generic[PeerT]):
    """A live peer: its record, what the user of the table calls it by, and its place as a number."""

    address: BzzAddr
    peer: PeerT
    position: int


class Walk(Generic[PeerT]):
    """The live peers as seen from a base, ready to be seen from anywhere else."""

    def __init__(self, base: bytes, bins: Iterable[tuple[int, Collection[Conn[PeerT]]]]) -> None:
        """Take the non-empty bins by proximity order to `base`, shallow to deep."""
        self._base = position(base)
        ready = [(po, tuple(conn.peer for conn in conns), tuple(conns)) for po, conns in bins]
        self._bins = ready[::-1]

    def bins_by(self, target: bytes) -> list[tuple[int, Sequence[PeerT]]]:
        """Live peers in groups of equal proximity order to a 32-byte target, the closest group first."""
        goal = position(target)
        # The target parts from the base at bit `pivot`. A peer that parts from the base earlier parts from the target
        # at the same bit; one that parts later is on the base's side and so is at `pivot`. Only the peers that part
        # from the base at this very bit have to be looked at one by one: they are nearer to the target.
        pivot = MAX_PO - (goal ^ self._base).bit_length()
        nearer: list[tuple[int, Sequence[PeerT]]] = []
        at_pivot: list[PeerT] = []
        farther: list[tuple[int, Sequence[PeerT]]] = []
        for po, peers, conns in self._bins:
            if po > pivot:
                at_pivot.extend(peers)
            elif po < pivot:
                farther.append((po, peers))
            else:
                nearer = _regroup(conns, goal)
        if at_pivot:
            nearer.append((pivot, at_pivot))
        return nearer + farther


def _regroup(conns: Sequence[Conn[PeerT]], goal: int) -> list[tuple[int, Sequence[PeerT]]]:
    groups: dict[int, list[PeerT]] = {}
    for conn in conns:
        groups.setdefault(MAX_PO - (conn.position ^ goal).bit_length(), []).append(conn.peer)
    return [(po, groups[po]) for po in sorted(groups, reverse=True)]
