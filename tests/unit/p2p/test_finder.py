"""node.p2p.finder: whom to dial because discovery found it (spec 02 section 9.5, step 3)."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from node.enode import Node, parse_ip
from node.p2p.dialer import MAX_ACTIVE_DIALS, REDIAL_S, Dial, DialScheduler
from node.p2p.finder import BOOTNODE_FALLBACK_S, LOOKUP_INTERVAL_S, MAX_FOUND, Finder
from tests.support.keys import make_key

NODES = [Node(make_key(n).public, parse_ip("127.0.0.1"), 1000 + n, 1000 + n) for n in range(1, 100)]
BOOTNODES = NODES[90:92]


def first_of(known: Sequence[Node]) -> Callable[[int], Sequence[Node]]:
    """A table that draws the same nodes every time."""
    return lambda count: known[:count]


def finder(*known: Node, **options: object) -> Finder:
    values: dict[str, object] = {"max_dialed": 4, "now": 0.0}
    return Finder(first_of(known), **(values | options))  # type: ignore[arg-type]


def fill(found_by: Finder, need: int, *, alone: bool = False, now: float = 0.0) -> list[Node]:
    dialed: list[Node] = []

    def dial(node: Node) -> bool:
        if node in dialed:
            return False
        dialed.append(node)
        return True

    found_by.fill(need, dial, alone=alone, now=now)
    return dialed


def test_the_constants() -> None:
    assert (LOOKUP_INTERVAL_S, BOOTNODE_FALLBACK_S) == (4.0, 20.0)


def test_half_from_the_table_the_rest_from_the_last_search() -> None:
    one = finder(*NODES[:20])
    assert fill(one, 4) == NODES[:2]
    assert one.begins_search(0.0)
    one.found(NODES[20:36])
    assert fill(one, 4) == [*NODES[:2], *NODES[20:22]]
    assert not one.begins_search(100.0)
    assert fill(one, 4) == [*NODES[:2], *NODES[22:24]]


def test_one_search_at_a_time_and_four_seconds_apart() -> None:
    one = finder()
    assert not one.begins_search(0.0)
    fill(one, 1)
    assert one.next_deadline() == 0.0
    assert one.begins_search(1.0)
    assert one.next_deadline() is None
    assert not one.begins_search(50.0)
    one.found([])
    fill(one, 1, now=2.0)
    assert one.next_deadline() == 5.0
    assert not one.begins_search(4.9)
    assert one.begins_search(5.0)


def test_nothing_is_searched_when_nothing_is_needed() -> None:
    one = finder(*NODES)
    assert fill(one, 0) == []
    assert fill(one, -3) == []
    assert not one.begins_search(10.0)
    assert one.next_deadline() is None


def test_bootnodes_take_turns_when_there_is_nobody_else_after_20_s() -> None:
    one = finder(bootnodes=BOOTNODES)
    assert fill(one, 2, alone=True, now=19.9) == []
    assert fill(one, 2, alone=False, now=20.0) == []
    turns = [fill(one, 2, alone=True, now=20.0 + n) for n in range(3)]
    assert turns == [BOOTNODES[:1], BOOTNODES[1:], BOOTNODES[:1]]


def test_nodes_that_cannot_or_may_not_be_dialed() -> None:
    no_tcp = Node(NODES[0].key, NODES[0].ip, 0, 1000)
    no_address = Node(NODES[1].key)
    one = finder(allowed=lambda node: node != NODES[2])
    one.found([no_tcp, no_address, *NODES[2:4]])
    assert fill(one, 4) == [NODES[3]]


def test_what_is_kept_is_bounded() -> None:
    one = finder()
    for _ in range(10):
        one.found(NODES[:16])
    assert len(one._found) == MAX_FOUND


# -- in the scheduler


def scheduler(*found: Node, **options: object) -> DialScheduler:
    one = DialScheduler()
    one.finder = finder(**options)
    one.finder.found(found)
    return one


def test_found_nodes_are_dialed_as_such() -> None:
    assert scheduler(NODES[0]).due(connected=(), now=0.0) == [Dial(NODES[0], control=False, static=False)]


def test_static_nodes_come_first_and_take_no_place_of_the_found() -> None:
    one = scheduler(*NODES[:10], max_dialed=2)
    one.add(NODES[50])
    dials = one.due(connected=(), now=0.0)
    assert [dial.node for dial in dials] == [NODES[50], *NODES[:2]]
    assert [dial.static for dial in dials] == [True, False, False]


def test_peers_and_attempts_take_places() -> None:
    one = scheduler(*NODES[:10], max_dialed=4)
    first = one.due(connected=(), now=0.0, dynamic_peers=2)
    assert len(first) == 2
    assert one.due(connected=(), now=0.0, dynamic_peers=2) == []
    one.finished(first[0].node.id, now=1.0)
    assert [dial.node for dial in one.due(connected=(), now=1.0, dynamic_peers=2)] == [NODES[2]]


def test_not_the_connected_nor_those_tried_lately() -> None:
    one = scheduler(*NODES[:2], max_dialed=4)
    assert [dial.node for dial in one.due(connected={NODES[0].id}, now=0.0)] == [NODES[1]]
    one.unreachable(NODES[1].id, now=0.0)
    assert one.finder is not None
    for now, expected in ((REDIAL_S - 1, []), (REDIAL_S, [NODES[1]])):
        one.finder.found([NODES[1]])
        assert [dial.node for dial in one.due(connected=(), now=now)] == expected


def test_sixteen_attempts_in_all() -> None:
    one = scheduler(*NODES[20:40], max_dialed=50)
    for node in NODES[:10]:
        one.add(node)
    assert len(one.due(connected=(), now=0.0)) == MAX_ACTIVE_DIALS


def test_the_next_search_is_a_deadline() -> None:
    one = scheduler(max_dialed=4)
    assert one.next_deadline() is None
    one.due(connected=(), now=3.0)
    assert one.next_deadline() == 0.0
    assert one.finder is not None
    assert one.finder.begins_search(3.0)
    one.finder.found([])
    assert one.next_deadline() == 7.0
