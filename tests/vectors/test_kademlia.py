"""The Kademlia tables against the recorded ones."""

from __future__ import annotations

import pytest

from node.ids import OverlayAddress, overlay_address
from node.swarm.address import BzzAddr
from node.swarm.health import PeerPot, check_health, peer_pots
from node.swarm.kademlia import Kademlia
from node.swarm.params import KademliaParams
from node.swarm.proximity import closer, compare_distance, distance, proximity_order
from tests.vectors.loader import Case, unhex

pytestmark = pytest.mark.vectors("kademlia.json")

NOW = 1000.0


def overlays(texts: list[str]) -> list[OverlayAddress]:
    return [overlay_address(unhex(text)) for text in texts]


class Table:
    """A table whose live peers are indices into the case's list, and the list."""

    def __init__(self, case: Case) -> None:
        self.peers = [BzzAddr(overlay=overlay, underlay=b"enode://") for overlay in overlays(case["peers"])]
        self.kademlia: Kademlia[int] = Kademlia(overlay_address(unhex(case["base"])))

    def apply(self, op: str, index: int) -> None:
        match op:
            case "register":
                self.kademlia.register([self.peers[index]], NOW)
            case "on":
                self.kademlia.on(self.peers[index], index, NOW)
            case "off":
                self.kademlia.off(self.peers[index], index, NOW)
            case _:
                raise AssertionError(op)

    def indices(self, addresses: list[BzzAddr]) -> list[int]:
        return sorted(self.peers.index(address) for address in addresses)


@pytest.fixture
def table(case_table: Case) -> Table:
    """The table at the end of the operations, checked after each."""
    made = Table(case_table)
    afters = zip(case_table["ops"], case_table["depth_after"], case_table["saturation_after"], strict=True)
    for (op, index), depth, saturation in afters:
        made.apply(op, index)
        assert (made.kademlia.neighbourhood_depth, made.kademlia.saturation) == (depth, saturation)
    return made


def test_table(case_table: Case, table: Table) -> None:
    kademlia = table.kademlia
    assert [proximity_order(kademlia.base, peer.overlay) for peer in table.peers] == case_table["po"]
    assert table.indices(kademlia.connected) == sorted(case_table["connected"])
    assert table.indices(kademlia.known) == sorted(case_table["known"])
    assert (kademlia.conn_count, kademlia.known_count) == (len(case_table["connected"]), len(case_table["known"]))
    assert kademlia.neighbourhood_depth == case_table["neighbourhood_depth"]
    assert kademlia.saturation == case_table["saturation"]
    assert [po for _, po in kademlia.each_conn()] == case_table["each_conn_po"]


def test_seen_from_elsewhere(case_table: Case, table: Table) -> None:
    for expected in case_table["targets"]:
        target = unhex(expected["target"])
        bins = [{"po": po, "peers": sorted(peers)} for po, peers in table.kademlia.bins_by(target)]
        assert bins == [{"po": b["po"], "peers": sorted(b["peers"])} for b in expected["bins_desc"]]
        assert table.kademlia.is_within_depth(target) == expected["within_depth"]
        assert table.kademlia.is_closest(target) == expected["closest"]


def test_suggestions(case_table: Case, table: Table) -> None:
    """Any admissible peer will do, but the next answers depend on it: so ours goes on as if it had been Go's."""
    for expected in case_table["suggest"]:
        suggestion = table.kademlia.suggest_peer(NOW)
        assert (suggestion.depth, suggestion.changed) == (expected["saturation_depth"], expected["changed"])
        if expected["peer"] is None:
            assert suggestion.address is None
            continue
        assert suggestion.address is not None
        ours = table.peers.index(suggestion.address)
        assert ours in expected["admissible"]
        assert proximity_order(table.kademlia.base, suggestion.address.overlay) == expected["po"]
        pretend_suggested(table, instead_of=ours, index=expected["peer"])


def pretend_suggested(table: Table, *, instead_of: int, index: int) -> None:
    entries = [table.kademlia.get_known(table.peers[i].overlay) for i in (instead_of, index)]
    assert entries[0] is not None
    assert entries[1] is not None
    entries[0].retries -= 1
    entries[1].retries += 1


def test_peer_pots(case_peerpot_map: Case) -> None:
    addresses = overlays(case_peerpot_map["addrs"])
    params = KademliaParams(neighbourhood_size=case_peerpot_map["neighbourhood_size"])
    pots = peer_pots(addresses, params=params)
    for address, expected in zip(addresses, case_peerpot_map["map"], strict=True):
        pot = pots[address]
        assert set(pot.nn_set) == {addresses[index] for index in expected["nn_set"]}
        assert list(pot.peers_per_bin) == expected["peers_per_bin"]


def test_health(case_health: Case) -> None:
    made = Table(case_health)
    for index in case_health["known"]:
        made.apply("register", index)
    for index in case_health["connected"]:
        made.apply("on", index)
    assert made.kademlia.neighbourhood_depth == case_health["neighbourhood_depth"]
    pot = peer_pots([made.kademlia.base, *(peer.overlay for peer in made.peers)])[made.kademlia.base]
    by_index = [peer.overlay for peer in made.peers]
    assert {by_index.index(OverlayAddress(a)) for a in pot.nn_set} == set(case_health["peerpot"]["nn_set"])
    assert list(pot.peers_per_bin) == case_health["peerpot"]["peers_per_bin"]

    recorded = PeerPot(
        nn_set=tuple(by_index[index] for index in case_health["peerpot"]["nn_set"]),
        peers_per_bin=tuple(case_health["peerpot"]["peers_per_bin"]),
    )
    health, expected = check_health(made.kademlia, recorded), case_health["health"]
    for field in ("know_nn", "count_know_nn", "connect_nn", "count_connect_nn", "saturated", "healthy"):
        assert getattr(health, field) == expected[field], field
    for field in ("missing_know_nn", "missing_connect_nn"):
        assert {by_index.index(a) for a in getattr(health, field)} == set(expected[field]), field


def test_distance(case_distance: Case) -> None:
    a, x, y = (unhex(case_distance[name]) for name in ("a", "x", "y"))
    assert proximity_order(a, x) == case_distance["po_a_x"]
    assert proximity_order(a, y) == case_distance["po_a_y"]
    assert distance(a, x) == int(case_distance["distance_a_x"], 16)
    assert compare_distance(a, x, y) == case_distance["distance_cmp"]
    assert closer(x, y, base=a) == (case_distance["distance_cmp"] == 1)
