"""What a table should be, against brute force; the comparison; the JSON forms of spec 05 section 9."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from node.ids import OverlayAddress
from node.swarm.health import PeerPot, check_health, peer_pots
from node.swarm.kademlia import Kademlia
from node.swarm.params import KademliaParams
from node.swarm.proximity import proximity_order
from tests.unit.swarm.samples import overlay_of, overlay_sets, record
from tests.unit.swarm.test_depth import brute_depth


def first_byte(value: int) -> OverlayAddress:
    return overlay_of(f"{value:08b}")


def test_example_of_the_specification() -> None:
    pots = peer_pots(first_byte(value) for value in (0x00, 0x80, 0x40, 0x20, 0xC0))
    found = {a[0]: ({n[0] for n in pot.nn_set}, pot.peers_per_bin) for a, pot in pots.items()}
    assert found == {
        0x00: ({0x20, 0x40}, (2,)),
        0x20: ({0x00, 0x40}, (2,)),
        0x40: ({0x00, 0x20}, (2,)),
        0x80: ({0xC0, 0x00, 0x20, 0x40}, ()),
        0xC0: ({0x80, 0x00, 0x20, 0x40}, ()),
    }


@settings(deadline=None)
@given(overlay_sets, st.integers(1, 4))
def test_peer_pots_against_brute_force(addresses: list[OverlayAddress], size: int) -> None:
    pots = peer_pots(addresses, params=KademliaParams(neighbourhood_size=size))
    assert set(pots) == set(addresses)
    for a in addresses:
        pos = {b: proximity_order(a, b) for b in addresses}
        depth = brute_depth(list(pos.values()), size)
        assert set(pots[a].nn_set) == {b for b, po in pos.items() if po >= depth and b != a}
        assert pots[a].peers_per_bin == tuple(list(pos.values()).count(po) for po in range(depth))


@settings(deadline=None)
@given(overlay_sets)
def test_a_full_mesh_is_healthy(addresses: list[OverlayAddress]) -> None:
    for base, pot in peer_pots(addresses).items():
        table: Kademlia[OverlayAddress] = Kademlia(base)
        for other in addresses:
            if other != base:
                table.on(record(other), other, 0.0)
        health = check_health(table, pot)
        # The reference counts the node itself among the three that make a depth, its table does not.
        if len(addresses) > 3:
            assert health.healthy
        assert health.know_nn
        assert health.connect_nn


@pytest.fixture
def pair() -> Kademlia[int]:
    table: Kademlia[int] = Kademlia(overlay_of("0"))
    table.on(record("1"), 1, 0.0)
    return table


def test_a_connected_pair(pair: Kademlia[int]) -> None:
    health = check_health(pair, PeerPot(nn_set=(overlay_of("1"),)))
    assert health.healthy
    assert health.to_json(table="T") == {
        "KnowNN": True,
        "CountKnowNN": 1,
        "MissingKnowNN": None,
        "ConnectNN": True,
        "CountConnectNN": 1,
        "MissingConnectNN": None,
        "Saturated": True,
        "Hive": "T",
    }


def test_missing_neighbours_of_any_length(pair: Kademlia[int]) -> None:
    stranger, short = b"\x01" * 32, b"\x01\x02"
    health = check_health(pair, PeerPot(nn_set=(stranger, short), peers_per_bin=(1,)))
    assert [health.know_nn, health.connect_nn, health.saturated, health.healthy] == [False] * 4
    assert health.to_json(table="")["MissingKnowNN"] == [base64.b64encode(a).decode() for a in (stranger, short)]
    assert health.count_connect_nn == 0


def test_known_is_not_connected(pair: Kademlia[int]) -> None:
    pair.register([record("01")], 0.0)
    health = check_health(pair, PeerPot(nn_set=(overlay_of("1"), overlay_of("01"))))
    assert (health.know_nn, health.connect_nn, health.count_connect_nn) == (True, False, 1)
    assert health.missing_connect_nn == (overlay_of("01"),)


def test_saturation_asks_for_what_there_is() -> None:
    table: Kademlia[int] = Kademlia(overlay_of("0"))
    for index, bits in enumerate(("1", "01", "001")):
        table.on(record(bits), index, 0.0)
    assert table.neighbourhood_depth == 1
    assert check_health(table, PeerPot(peers_per_bin=(1,))).saturated
    assert not check_health(table, PeerPot(peers_per_bin=(2,))).saturated
    table.on(record("11"), 9, 0.0)
    assert check_health(table, PeerPot(peers_per_bin=(7,))).saturated


def test_nothing_asked_is_trivially_there_but_not_healthy(pair: Kademlia[int]) -> None:
    # Spec 05 section 9.2: the tutorial passes the whole map, whose keys are unknown fields.
    pot = PeerPot.from_json({"7b4c": {"NNSet": [], "PeersPerBin": []}})
    health = check_health(pair, pot)
    assert (pot, health.know_nn, health.connect_nn, health.healthy) == (PeerPot(), True, True, False)


def test_json_of_a_peer_pot() -> None:
    pot = PeerPot(nn_set=(b"\x01" * 32,), peers_per_bin=(2, 1))
    assert PeerPot.from_json(pot.to_json()) == pot
    assert PeerPot.from_json({"NNSet": None, "PeersPerBin": None}) == PeerPot()
    assert pot.to_json()["NNSet"] == ["AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE="]


@pytest.mark.parametrize(
    "value", [{"NNSet": "x"}, {"NNSet": [1]}, {"NNSet": ["*"]}, {"PeersPerBin": ["1"]}, {"PeersPerBin": 3}]
)
def test_bad_json(value: dict[str, object]) -> None:
    with pytest.raises(ValueError):
        PeerPot.from_json(value)
