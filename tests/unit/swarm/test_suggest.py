"""Whom to dial: the trace of spec 05 section 7.5, the waits between attempts, the choice of bins."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from node.ids import OverlayAddress
from node.swarm.kademlia import Kademlia
from node.swarm.params import DEFAULT_PARAMS
from node.swarm.suggest import UNKNOWN_DEPTH, KnownAddress, Suggestion, find_shortage
from tests.unit.swarm.samples import overlay_of, overlay_sets, overlays, record

NOTHING = Suggestion()


class Network:
    """A table whose peers go by their bits."""

    def __init__(self, base: str = "00000000") -> None:
        self.table: Kademlia[str] = Kademlia(overlay_of(base))

    def on(self, *peers: str) -> None:
        for bits in peers:
            self.last_on = self.table.on(record(bits), bits, 0.0)

    def register(self, *peers: str) -> None:
        self.table.register([record(bits) for bits in peers], 0.0)

    def suggest(self) -> str | None:
        address = self.table.suggest_peer(0.0).address
        return f"{address.overlay[0]:08b}" if address is not None else None


def test_trace_of_the_specification() -> None:
    net = Network()
    net.on("00100000", "00010000")
    assert net.suggest() is None
    for heard in (("11111000", "01110000"), ("11110000", "01100000")):
        net.register(*heard)
        for expected in heard:
            assert net.suggest() == expected
            net.on(expected)
    net.register("11100000", "01100011")
    assert net.suggest() == "11100000"
    net.on("11100000")
    assert net.last_on == (2, True)
    net.register("11000000")
    assert net.suggest() is None
    net.register("00111000", "00011100")
    assert net.suggest() == "00111000"
    net.on("00110000")
    assert net.suggest() == "00011100"
    net.on("00011100")
    assert net.last_on == (0, True)
    assert net.table.neighbourhood_depth == 3
    assert [net.suggest() for _ in range(3)] == ["01100011", "11000000", None]


def test_a_lost_peer_lowers_the_saturation_depth() -> None:
    net = Network()
    net.on("10000000", "11000000", "11100000", "01000000", "01100000")
    assert net.last_on == (1, True)
    net.on("00100000", "00010000")
    assert (net.table.saturation_depth, net.table.neighbourhood_depth) == (2, 2)
    net.table.off(record("01000000"), next(p for p, _ in net.table.each_conn() if p == "01000000"), 0.0)
    assert (net.table.saturation_depth, net.table.saturation) == (2, 1)
    suggestion = net.table.suggest_peer(0.0)
    assert suggestion == Suggestion(address=record("01000000"), depth=1, changed=True)
    assert net.table.saturation_depth == 1


def test_attempts_are_spread_out() -> None:
    table: Kademlia[str] = Kademlia(overlay_of("0"))
    table.register([record("1")], 100.0)
    attempts = [t for t in (step / 10 for step in range(1000, 2000)) if table.suggest_peer(t).address is not None]
    # At once, then after more than 4.2 s, 8.4 s, 16.8 s, 33.6 s, 67.2 s from when the entry was made.
    assert attempts == [100.0, 104.3, 108.5, 116.9, 133.7, 167.3]


def test_attempts_come_to_an_end() -> None:
    entry = KnownAddress(address=record("1"), seen_at_s=0.0)
    count = 0
    while entry.callable_at(1e18, DEFAULT_PARAMS):
        entry.retries += 1
        count += 1
    assert count == 43
    assert not KnownAddress(address=record("1"), seen_at_s=0.0, live=True).callable_at(0.0, DEFAULT_PARAMS)


@pytest.mark.parametrize(
    ("live", "deepest", "order", "depth"),
    [
        ([], 0, [0], UNKNOWN_DEPTH),
        ([], 3, [0, 1, 2, 3], UNKNOWN_DEPTH),
        ([(2, 1)], 2, [0, 1, 2], 0),
        ([(0, 5)], 0, [0], 0),
        ([(0, 3), (1, 2), (2, 1), (3, 1)], 4, [4, 2, 3], 2),
    ],
)
def test_which_bins(live: list[tuple[int, int]], deepest: int, order: list[int], depth: int) -> None:
    shortage = find_shortage(live, deepest_known=deepest, params=DEFAULT_PARAMS)
    assert (shortage.bins_in_order(), shortage.depth) == (order, depth)


@settings(deadline=None)
@given(overlays, overlay_sets, st.data())
def test_what_may_be_suggested(base: OverlayAddress, addresses: list[OverlayAddress], data: st.DataObject) -> None:
    """Every suggestion is known, not live, and not repeated at once; it ends."""
    others = [address for address in addresses if address != base]
    live = set(data.draw(st.lists(st.sampled_from(others), unique=True))) if others else set()
    table: Kademlia[OverlayAddress] = Kademlia(base)
    table.register([record(address) for address in others], 0.0)
    for address in live:
        table.on(record(address), address, 0.0)
    suggested = []
    while (found := table.suggest_peer(0.0).address) is not None:
        suggested.append(found.overlay)
    assert len(set(suggested)) == len(suggested)
    assert set(suggested) <= set(others) - live
    # With nobody connected every bin wants peers.
    if not live:
        assert set(suggested) == set(others)
    assert table.suggest_peer(0.0) == NOTHING
