"""Radius, depth, expected size, saturation: what the sizes of the bins say (spec 05 section 7.3).

Pure functions of the non-empty bins, given as ``(po, size)`` from shallow to deep. Know neither addresses nor peers.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

from node.swarm.params import KademliaParams
from node.swarm.proximity import MAX_PO

BinSizes: TypeAlias = Sequence[tuple[int, int]]
"""``(po, size)`` of each non-empty bin, po ascending."""


def neighbourhood_radius(bins: BinSizes, params: KademliaParams) -> int:
    """Proximity order of the `neighbourhood_size`-th closest peer; 0 if there are not more peers than that."""
    if sum(size for _, size in bins) <= params.neighbourhood_size:
        return 0
    seen = 0
    for po, size in reversed(bins):
        # The address of the node itself counts above (health gives us sets that hold it) but is nobody's neighbour.
        if po < MAX_PO:
            seen += size
        if seen >= params.neighbourhood_size:
            return po
    return 0


def neighbourhood_depth(bins: BinSizes, params: KademliaParams) -> int:
    """The shallowest empty bin, but no deeper than the radius."""
    full = 0
    for po, _ in bins:
        if po != full:
            break
        full += 1
    return min(full, neighbourhood_radius(bins, params))


def expected_size(po: int, depth: int, params: KademliaParams) -> int:
    """How many peers bin `po` should have when the neighbourhood begins at `depth`."""
    # expected(po) = clamp(MinBinSize + depth - po - 1,  MinBinSize .. MaxBinSize)
    return max(params.min_bin_size, min(params.min_bin_size + depth - po - 1, params.max_bin_size))


def saturation(bins: BinSizes, params: KademliaParams) -> int:
    """The last of the bins from 0 on that are as large as expected and outside the radius.

    The bin that ends the run counts as reached, so one good bin and an unsaturated one give 1.
    """
    radius, depth = neighbourhood_radius(bins, params), neighbourhood_depth(bins, params)
    last = -1
    for po, size in bins:
        last += 1
        if po >= radius or po != last or size < expected_size(po, depth, params):
            break
    return max(last, 0)
