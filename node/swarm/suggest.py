"""Whom to dial next: which bins lack peers, and who may be tried again (spec 05 section 7.5).

Knows bin sizes and the history of one known address; the tables are in :mod:`node.swarm.kademlia`.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field

from node.swarm.address import BzzAddr
from node.swarm.depth import BinSizes, expected_size, neighbourhood_depth, neighbourhood_radius
from node.swarm.params import KademliaParams

UNKNOWN_DEPTH = 255
"""Stands for "no bin lacks peers": nothing is lower than a stored depth less than this, and depths have 8 bits."""
NS_PER_S = 1_000_000_000


@dataclass(slots=True, kw_only=True)
class KnownAddress:
    """An entry of the table of known addresses.

    Attributes:
        address: the record as last heard.
        seen_at_s: when the entry was made, in seconds on the caller's clock.
        retries: how often it was suggested since then.
        live: whether we are connected.
        replaced_at_s: when the entry took the place of one with another underlay; None if it is the first.
    """

    address: BzzAddr
    seen_at_s: float
    retries: int = 0
    live: bool = False
    replaced_at_s: float | None = None

    def replaceable_at(self, now: float, params: KademliaParams) -> bool:
        """Whether hearsay of another underlay may make a fresh entry of this one, which may be dialed at once.

        At most once per retry interval; ours. The first time is free, so that who heard a wrong underlay first learns
        the right one, but a peer that goes on inventing them does not make us dial without end.
        """
        return self.replaced_at_s is None or now - self.replaced_at_s >= params.retry_interval_s

    def callable_at(self, now: float, params: KademliaParams) -> bool:
        """Whether it is this address's turn: at once, then after 4.2 s, 8.4 s, 16.8 s ... since the entry was made."""
        if self.live or self.retries > params.max_retries:
            return False
        # The common case first: a full bin of fresh entries is looked through on every tick.
        return self.retries == 0 or _intervals(now - self.seen_at_s, params) >= self.retries


def _intervals(elapsed_s: float, params: KademliaParams) -> int:
    """How often the time can be divided by the exponent before it is down to one interval."""
    interval_ns, rest_ns = round(params.retry_interval_s * NS_PER_S), round(elapsed_s * NS_PER_S)
    count = 0
    while rest_ns > interval_ns:
        rest_ns //= params.retry_exponent
        count += 1
    return count


@dataclass(slots=True, kw_only=True)
class Shortage:
    """Which bins lack peers.

    Attributes:
        by_size: bins that want another peer by how many they have, each list ascending.
        depth: the shallowest such bin among those that have a deeper peer, else :data:`UNKNOWN_DEPTH`.
        max_size: no wanted bin with this many peers or more is worth a dial.
    """

    by_size: dict[int, list[int]] = field(default_factory=lambda: defaultdict(list))
    depth: int = UNKNOWN_DEPTH
    max_size: int

    def bins_in_order(self) -> list[int]:
        """All wanted bins: the emptiest first, among those the shallowest."""
        return [po for size in sorted(self.by_size) if size < self.max_size for po in self.by_size[size]]

    def _want(self, po: int, size: int) -> None:
        self.by_size[size].append(po)
        self.depth = min(self.depth, po)


def find_shortage(live: BinSizes, *, deepest_known: int, params: KademliaParams) -> Shortage:
    """Compare the live bins with what they should be.

    Args:
        live: sizes of the bins of live peers.
        deepest_known: largest proximity order of any known address, 0 if there is none.
    """
    depth, radius = neighbourhood_depth(live, params), neighbourhood_radius(live, params)
    shortage = Shortage(max_size=params.min_bin_size)
    next_po, past_depth = 0, False
    for po, size in live:
        expected = expected_size(po, depth, params)
        shortage.max_size = max(shortage.max_size, expected)
        for empty in range(next_po, po):
            past_depth = True
            shortage._want(empty, 0)
        next_po = po + 1
        past_depth = past_depth or po >= radius
        # Inside the neighbourhood no number of peers is enough.
        wanted_size = expected - 1 if past_depth and size >= expected else size
        if wanted_size < expected:
            shortage._want(po, wanted_size)
    # These do not lower the saturation depth: nobody is known to be there.
    shortage.by_size[0].extend(range(next_po, deepest_known + 1))
    return shortage


@dataclass(frozen=True, slots=True, kw_only=True)
class Suggestion:
    """What one look at the tables came to.

    Attributes:
        address: whom to dial; None if nobody.
        depth: the new saturation depth if `changed`, else 0.
        changed: the saturation depth became lower, and connected peers should hear of it.
    """

    address: BzzAddr | None = None
    depth: int = 0
    changed: bool = False
