"""What a lab should look like: against the node's own table and against the specification's example."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from node.ids import OverlayAddress
from node.swarm.depth import neighbourhood_depth
from node.swarm.params import DEFAULT_PARAMS
from orchestrator.errors import UnknownNode
from orchestrator.oracle import (
    NEIGHBOURHOOD_SIZE,
    expected_peers,
    expected_table,
    peer_pot,
    table_difference,
    table_of,
)
from orchestrator.topology import make_spec


def address(bits: str) -> OverlayAddress:
    return OverlayAddress(int(bits.ljust(256, "0"), 2).to_bytes(32, "big"))


def test_neighbourhood_size_is_the_nodes() -> None:
    assert DEFAULT_PARAMS.neighbourhood_size == NEIGHBOURHOOD_SIZE


@pytest.mark.parametrize(
    ("base", "peers", "depth"),
    [
        # the table of spec 05 section 7.3, "Vectors [run]"
        ("00000000", "00000001 00000011", 0),
        ("00000000", "00000001 00000011 10000000", 1),
        ("00000000", "00000001 00000011 10000000 01000000", 2),
        ("00000000", "00000001 00000011 10000000 01000000 00100000", 3),
        ("00000000", "00000001 00000011 10000000 01000000 00100000 00010000 00001000 00000100", 6),
        ("00000000", "00000001 10000000 01000000 00100000 00010000 00001000 00000100", 5),
        ("00000000", "00000001 10000000 01000000 00100000 00001000 00000100", 3),
        ("11111111", "00000000 10000000", 0),
        ("11111111", "00000000 10000000 11100000", 1),
        ("11111111", "00000000 10000000 11100000 11110000 11111000", 2),
        ("11111111", "00000000 10000000 11100000 11110000 11111000 11000000", 4),
        ("00000000", "10000000 11000000 11100000 01000000", 0),
        ("00000000", "10000000 11000000 11100000 01000000 01100000", 1),
    ],
)
def test_depths_of_the_specification(base: str, peers: str, depth: int) -> None:
    assert table_of(address(base), [address(peer) for peer in peers.split()]).depth == depth


@settings(deadline=None)
@given(st.binary(min_size=32, max_size=32), st.sets(st.binary(min_size=1, max_size=1), max_size=40))
def test_depth_is_what_the_node_computes(base: bytes, firsts: set[bytes]) -> None:
    peers = {OverlayAddress(first + bytes(31)) for first in firsts} - {OverlayAddress(base)}
    table = table_of(OverlayAddress(base), peers)
    sizes = [(po, len(members)) for po, members in sorted(table.bins.items())]
    assert sum(size for _, size in sizes) == len(peers)
    assert table.depth == neighbourhood_depth(sizes, DEFAULT_PARAMS)


def test_peers_are_those_of_the_links() -> None:
    spec = make_spec("x", kind="line", n=3, seed=1)
    assert expected_peers(spec) == {"alice": {"n01"}, "n01": {"alice", "bob"}, "bob": {"n01"}}
    assert all(expected_peers(spec)[name] == spec.neighbours(name) for name in spec.node_names)


def test_a_table_that_agrees() -> None:
    spec = make_spec("x", kind="full", n=12, seed=1)
    for name in spec.node_names:
        table = expected_table(spec, name)
        assert sum(map(len, table.bins.values())) == 11
        assert table_difference(spec, name, {**table.bins, 200: frozenset()}, table.depth) == []


def test_differences_are_told_by_name() -> None:
    spec = make_spec("x", kind="line", n=4, seed=1)
    table = expected_table(spec, "alice")
    ((po, (n01,)),) = table.bins.items()
    bob = spec.node("bob").overlay
    assert table_difference(spec, "alice", {}, 0) == [f"alice lacks n01 in bin {po}"]
    assert table_difference(spec, "alice", {po + 1: {n01}}, 0) == [f"alice has n01 in bin {po + 1}, not in bin {po}"]
    assert table_difference(spec, "alice", {po: {n01}, 9: {bob}}, 0) == [
        "alice has bob in bin 9, with whom it is not linked"
    ]
    assert table_difference(spec, "alice", {po: {n01}, 9: {b"\xab" * 32}}, 2) == [
        "alice has the unknown node abababab… in bin 9, with whom it is not linked",
        "alice has a depth of 2, not of 0",
    ]


def test_peer_pot() -> None:
    spec = make_spec("x", kind="line", n=3, seed=1, auto_connect=True)
    pot = peer_pot(spec, "bob")
    assert set(pot.nn_set) == {spec.node("alice").overlay, spec.node("n01").overlay}
    # with a node less it is another network
    smaller = dataclasses.replace(spec, nodes=spec.nodes[1:])
    assert set(peer_pot(smaller, "bob").nn_set) == {spec.node("n01").overlay}


def test_unknown_node() -> None:
    spec = make_spec("x", kind="line", n=3, seed=1)
    with pytest.raises(UnknownNode, match="carol"):
        expected_table(spec, "carol")
    with pytest.raises(UnknownNode, match="carol"):
        peer_pot(spec, "carol")
