"""Walks from any target against sorting all peers."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from node.ids import OverlayAddress
from node.swarm.kademlia import Kademlia
from node.swarm.proximity import closer, proximity_order
from tests.unit.swarm.samples import overlay_sets, overlays, record


@settings(deadline=None)
@given(overlays, overlay_sets, st.data())
def test_groups_against_brute_force(base: OverlayAddress, addresses: list[OverlayAddress], data: st.DataObject) -> None:
    table: Kademlia[OverlayAddress] = Kademlia(base)
    for address in addresses:
        table.on(record(address), address, 0.0)
    target = data.draw(st.one_of(overlays, st.just(base), *([st.sampled_from(addresses)] if addresses else [])))

    expected: dict[int, set[OverlayAddress]] = {}
    for address in addresses:
        expected.setdefault(proximity_order(target, address), set()).add(address)
    groups = table.bins_by(target)
    assert [po for po, _ in groups] == sorted(expected, reverse=True)
    assert all(len(peers) == len(expected[po]) and set(peers) == expected[po] for po, peers in groups)

    assert list(table.each_conn(target)) == [(peer, po) for po, peers in groups for peer in peers]
    assert table.is_closest(target) == (not any(a != target and closer(a, base, base=target) for a in addresses))
    assert table.is_closest(target, lambda peer: False)
    assert table.is_within_depth(target) == (proximity_order(base, target) >= table.neighbourhood_depth)


@settings(deadline=None)
@given(overlays, overlay_sets)
def test_asking_twice_gives_the_same(base: OverlayAddress, addresses: list[OverlayAddress]) -> None:
    table: Kademlia[OverlayAddress] = Kademlia(base)
    for address in addresses:
        table.on(record(address), address, 0.0)
    assert table.bins_by(base) == table.bins_by(base)
    assert list(table.each_conn()) == list(table.each_conn(base))
