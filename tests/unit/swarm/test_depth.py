"""Radius, depth and saturation: the tables of spec 05 section 7.3, and brute force."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from node.ids import OverlayAddress
from node.swarm.depth import expected_size, neighbourhood_depth, neighbourhood_radius, saturation
from node.swarm.kademlia import Kademlia
from node.swarm.params import DEFAULT_PARAMS, KademliaParams
from node.swarm.proximity import MAX_PO, proximity_order
from tests.unit.swarm.samples import overlay_of, overlay_sets, overlays, record


def brute_radius(pos: list[int], size: int) -> int:
    """By definition: sort all peers, count from the closest."""
    others = sorted((po for po in pos if po < MAX_PO), reverse=True)
    return others[size - 1] if len(pos) > size else 0


def brute_depth(pos: list[int], size: int) -> int:
    if len(pos) <= size:
        return 0
    empty = next(d for d in range(MAX_PO + 1) if d not in pos)
    return min(empty, brute_radius(pos, size))


def brute_saturation(pos: list[int], size: int) -> int:
    """The first bin that is in the radius or has fewer peers than it should."""
    depth, radius = brute_depth(pos, size), brute_radius(pos, size)
    return next(d for d in range(MAX_PO + 1) if d >= radius or pos.count(d) < max(2, min(depth - d + 1, 16)))


@settings(deadline=None)
@given(overlays, overlay_sets, st.integers(1, 4))
def test_depth_against_brute_force(base: OverlayAddress, addresses: list[OverlayAddress], size: int) -> None:
    params = KademliaParams(neighbourhood_size=size)
    pos = [proximity_order(base, address) for address in addresses]
    bins = sorted(Counter(pos).items())
    assert neighbourhood_radius(bins, params) == brute_radius(pos, size)
    assert neighbourhood_depth(bins, params) == brute_depth(pos, size)
    # What depth means: at least so many peers are in the neighbourhood, and no bin outside it is empty.
    depth = neighbourhood_depth(bins, params)
    assert set(range(depth)) <= set(pos)
    if depth:
        assert sum(depth <= po < MAX_PO for po in pos) >= size
    assert saturation(bins, params) == brute_saturation(pos, size)


@settings(deadline=None)
@given(overlays, overlay_sets)
def test_the_table_keeps_its_depth_up_to_date(base: OverlayAddress, addresses: list[OverlayAddress]) -> None:
    table: Kademlia[int] = Kademlia(base)
    pos: list[int] = []
    for index, address in enumerate(addresses):
        table.on(record(address), index, 0.0)
        pos.append(proximity_order(base, address))
        assert table.neighbourhood_depth == brute_depth(pos, 2)
    for index, address in enumerate(addresses):
        table.off(record(address), index, 0.0)
        pos.remove(proximity_order(base, address))
        assert table.neighbourhood_depth == brute_depth(pos, 2)


@pytest.mark.parametrize(
    ("po", "depth", "expected"), [(0, 0, 2), (0, 1, 2), (0, 2, 3), (1, 2, 2), (5, 2, 2), (0, 15, 16), (0, 200, 16)]
)
def test_expected_size(po: int, depth: int, expected: int) -> None:
    assert expected_size(po, depth, DEFAULT_PARAMS) == expected


# Base, then steps: +bits connects, -bits disconnects; then depth and saturation (spec 05 section 7.3; None: not given).
TABLES = [
    (
        "00000000",
        [
            ("+00000001 +00000011", 0, 0),
            ("+10000000", 1, 0),
            ("+01000000", 2, 0),
            ("+00100000", 3, 0),
            ("+00010000", 4, 0),
            ("+00001000", 5, 0),
            ("+00000100", 6, 0),
            ("-00000011", 5, 0),
            ("-00010000", 3, 0),
        ],
    ),
    (
        "11111111",
        [
            ("+00000000 +10000000", 0, 0),
            ("+11100000", 1, 0),
            ("+11110000", 2, 0),
            ("+11111000", 2, 0),
            ("+11000000", 4, 0),
        ],
    ),
    (
        "00000000",
        [
            ("+10000000 +11000000 +11100000 +01000000", 0, 0),
            ("+01100000", 1, 1),
            ("+00100000", 1, 1),
            ("+00010000", 2, 2),
            ("-01000000", 2, 1),
        ],
    ),
]


@pytest.mark.parametrize(("base", "steps"), TABLES)
def test_tables_of_the_specification(base: str, steps: list[tuple[str, int, int]]) -> None:
    table: Kademlia[str] = Kademlia(overlay_of(base))
    for moves, depth, saturated in steps:
        for move in moves.split():
            bits = move[1:]
            if move[0] == "+":
                table.on(record(bits), bits, 0.0)
            else:
                table.off(record(bits), next(p for p, _ in table.each_conn() if p == bits), 0.0)
        assert (table.neighbourhood_depth, table.saturation) == (depth, saturated), moves
