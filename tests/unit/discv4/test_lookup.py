"""node.discv4.lookup: whom a search asks, in which order, and when it is over (spec 04 section 6)."""

from __future__ import annotations

import random

import pytest

from node.discv4 import lookup as lookup_module
from node.discv4.lookup import ALPHA, RESULT_SIZE, Lookup, distance_key
from node.enode import Node, parse_ip
from tests.support.keys import make_key

TARGET = bytes(32)
OWN = make_key(1)
NODES = sorted(
    (Node(make_key(n).public, parse_ip("10.0.0.1"), 1, 1) for n in range(2, 80)),
    key=lambda node: distance_key(TARGET, node.id),
)


def search(*start: Node) -> Lookup:
    return Lookup(TARGET, start, own_id=OWN.public.node_id)


def test_the_constants() -> None:
    assert (ALPHA, RESULT_SIZE) == (3, 16)


def test_nobody_to_ask() -> None:
    lookup = search()
    assert lookup.next_queries() == []
    assert lookup.finished
    assert lookup.closest == []


def test_the_three_closest_first() -> None:
    lookup = search(*reversed(NODES[:10]))
    assert lookup.next_queries() == NODES[:3]
    assert lookup.next_queries() == []
    lookup.answered([])
    assert lookup.next_queries() == NODES[3:4]
    assert not lookup.finished


def test_what_is_found_is_asked_if_it_is_closer() -> None:
    lookup = search(*NODES[20:30])
    lookup.next_queries()
    lookup.answered([NODES[40], NODES[0], NODES[0], NODES[20]])
    assert lookup.next_queries() == [NODES[0]]


def test_everybody_is_asked_once_and_we_never() -> None:
    own = Node(OWN.public, parse_ip("10.0.0.1"), 1, 1)
    lookup, asked = search(own, *NODES[:5]), list[Node]()
    while not lookup.finished:
        queries = lookup.next_queries()
        asked += queries
        for _ in queries:
            lookup.answered([own, *NODES[:5]])
    assert sorted(asked, key=NODES.index) == NODES[:5]
    assert lookup.closest == NODES[:5]


def test_it_is_over_when_the_closest_sixteen_were_asked() -> None:
    lookup, rng, asked = search(*NODES[60:63]), random.Random(1), 0
    while not lookup.finished:
        for _ in lookup.next_queries():
            asked += 1
            lookup.answered(rng.sample(NODES, 16))
    assert lookup.closest == NODES[:16]
    assert 16 <= asked < len(NODES)


def test_ever_closer_nodes_do_not_keep_it_busy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lookup_module, "MAX_QUERIES", 10)
    lookup, closer, asked = search(NODES[-1]), list(NODES[:-1]), 0
    while not lookup.finished:
        for _ in lookup.next_queries():
            asked += 1
            lookup.answered([closer.pop()])
    assert asked == 10
