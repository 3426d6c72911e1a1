"""node.p2p.dialer: whom to dial and when (spec 02 section 9.5)."""

from __future__ import annotations

from node.enode import Node, parse_ip
from node.ids import NodeId
from node.p2p.dialer import (
    DIAL_TIMEOUT_S,
    FIRST_RETRY_S,
    MAX_ACTIVE_DIALS,
    MAX_RESOLVING,
    REDIAL_S,
    Dial,
    DialScheduler,
)
from tests.support.keys import make_key


def make_node(number: int, port: int = 30303) -> Node:
    return Node(make_key(number).public, parse_ip("127.0.0.1"), port, port)


NODE = make_node(1)
NOBODY: set[NodeId] = set()


def dialed(scheduler: DialScheduler, now: float, connected: set[NodeId] = NOBODY) -> list[Node]:
    return [dial.node for dial in scheduler.due(connected=connected, now=now)]


def test_the_constants() -> None:
    assert (MAX_ACTIVE_DIALS, REDIAL_S, DIAL_TIMEOUT_S) == (16, 35.0, 15.0)


def test_a_new_node_is_dialed_at_once() -> None:
    scheduler = DialScheduler()
    assert scheduler.next_deadline() is None
    scheduler.add(NODE)
    assert scheduler.due(connected=NOBODY, now=0.0) == [Dial(NODE, control=False)]


def test_the_first_dial_says_whether_somebody_asked_for_it() -> None:
    scheduler = DialScheduler()
    scheduler.add(NODE, control=True)
    assert scheduler.due(connected=NOBODY, now=0.0) == [Dial(NODE, control=True)]
    scheduler.finished(NODE.id, now=0.0)
    assert scheduler.due(connected=NOBODY, now=35.0) == [Dial(NODE, control=False)]


def test_not_while_dialing() -> None:
    scheduler = DialScheduler()
    scheduler.add(NODE)
    dialed(scheduler, 0.0)
    assert dialed(scheduler, 1000.0) == []


def test_not_while_connected() -> None:
    scheduler = DialScheduler()
    scheduler.add(NODE)
    assert dialed(scheduler, 0.0, {NODE.id}) == []
    assert dialed(scheduler, 0.0) == [NODE]


def test_again_35_s_after_the_end_of_an_attempt() -> None:
    scheduler = DialScheduler()
    scheduler.add(NODE)
    dialed(scheduler, 0.0)
    scheduler.finished(NODE.id, now=10.0)
    assert scheduler.next_deadline() == 45.0
    assert dialed(scheduler, 44.9) == []
    assert scheduler.due(connected=NOBODY, now=45.0) == [Dial(NODE, control=False)]


def test_at_once_after_a_connection_that_lived_longer() -> None:
    scheduler = DialScheduler()
    scheduler.add(NODE)
    dialed(scheduler, 0.0)
    scheduler.finished(NODE.id, now=0.1)
    assert dialed(scheduler, 40.0, {NODE.id}) == []
    assert dialed(scheduler, 40.0) == [NODE]


def test_asking_again_waits_unless_it_should_be_immediate() -> None:
    scheduler = DialScheduler()
    scheduler.add(NODE)
    dialed(scheduler, 0.0)
    scheduler.finished(NODE.id, now=0.0)
    scheduler.add(NODE)
    assert dialed(scheduler, 1.0) == []
    scheduler.add(NODE, immediately=True)
    assert dialed(scheduler, 1.0) == [NODE]


def test_immediately_does_not_dial_twice_at_a_time() -> None:
    scheduler = DialScheduler()
    scheduler.add(NODE)
    dialed(scheduler, 0.0)
    scheduler.add(NODE, immediately=True)
    assert dialed(scheduler, 0.0) == []


def test_sixteen_at_a_time() -> None:
    scheduler = DialScheduler()
    nodes = [make_node(n) for n in range(1, 41)]
    for node in nodes:
        scheduler.add(node)
    first = dialed(scheduler, 0.0)
    assert first == nodes[:16]
    assert dialed(scheduler, 0.0) == []
    scheduler.finished(first[0].id, now=0.0)
    scheduler.finished(first[1].id, now=0.0)
    assert dialed(scheduler, 0.0) == nodes[16:18]


def test_remove() -> None:
    scheduler = DialScheduler()
    scheduler.add(NODE)
    assert NODE.id in scheduler
    dialed(scheduler, 0.0)
    scheduler.remove(NODE.id)
    scheduler.finished(NODE.id, now=0.0)
    assert NODE.id not in scheduler
    assert scheduler.next_deadline() is None
    assert dialed(scheduler, 100.0) == []
    scheduler.remove(NODE.id)


def test_remove_and_add_do_not_shorten_the_wait() -> None:
    """Spec 02 pitfall 10."""
    scheduler = DialScheduler()
    scheduler.add(NODE)
    dialed(scheduler, 0.0)
    scheduler.finished(NODE.id, now=0.0)
    scheduler.remove(NODE.id)
    scheduler.add(NODE)
    assert dialed(scheduler, 34.9) == []
    assert dialed(scheduler, 35.0) == [NODE]


def test_the_same_id_replaces_the_entry() -> None:
    scheduler = DialScheduler()
    moved = make_node(1, port=40404)
    scheduler.add(NODE)
    scheduler.add(moved)
    assert scheduler.nodes == [moved]
    assert dialed(scheduler, 0.0) == [moved]


def test_the_deadline_is_the_earliest_redial() -> None:
    scheduler = DialScheduler()
    for number, end in ((1, 5.0), (2, 3.0)):
        scheduler.add(make_node(number))
        dialed(scheduler, 0.0)
        scheduler.finished(make_node(number).id, now=end)
    assert scheduler.next_deadline() == 38.0


def test_retry_forgets_the_wait() -> None:
    scheduler = DialScheduler()
    scheduler.add(NODE)
    dialed(scheduler, 0.0)
    scheduler.finished(NODE.id, now=0.0)
    scheduler.retry(NODE.id)
    assert scheduler.next_deadline() is None
    assert dialed(scheduler, 0.0) == [NODE]


def test_a_node_that_is_not_there_is_tried_with_growing_pauses() -> None:
    scheduler = DialScheduler()
    scheduler.add(NODE)
    now, pauses = 0.0, []
    for _ in range(8):
        assert [dial.node for dial in scheduler.due(connected=(), now=now)] == [NODE]
        scheduler.unreachable(NODE.id, now=now)
        deadline = scheduler.next_deadline()
        assert deadline is not None
        pauses.append(deadline - now)
        now = deadline
    assert pauses == [1, 2, 4, 8, 16, 32, REDIAL_S, REDIAL_S]


def test_a_connection_begins_the_pauses_anew() -> None:
    scheduler = DialScheduler()
    scheduler.add(NODE)
    scheduler.due(connected=(), now=0.0)
    scheduler.unreachable(NODE.id, now=0.0)
    scheduler.due(connected=(), now=1.0)
    scheduler.finished(NODE.id, now=1.0)
    scheduler.due(connected=(), now=1.0 + REDIAL_S)
    scheduler.unreachable(NODE.id, now=40.0)
    assert scheduler.next_deadline() == 40.0 + FIRST_RETRY_S


# -- where an unreachable node is now


def test_a_node_that_is_not_there_is_looked_for() -> None:
    scheduler = DialScheduler()
    assert not scheduler.begins_resolving(NODE.id, now=0.0)
    scheduler.add(NODE)
    dialed(scheduler, 0.0)
    scheduler.unreachable(NODE.id, now=0.0)
    assert scheduler.begins_resolving(NODE.id, now=0.0)
    assert not scheduler.begins_resolving(NODE.id, now=1000.0)
    moved = make_node(1, port=40404)
    scheduler.resolved(NODE.id, moved, now=0.5)
    assert dialed(scheduler, 0.5) == [moved]


def test_where_it_was_it_is_not_dialed_again_at_once() -> None:
    scheduler = DialScheduler()
    scheduler.add(NODE)
    dialed(scheduler, 0.0)
    scheduler.unreachable(NODE.id, now=0.0)
    scheduler.begins_resolving(NODE.id, now=0.0)
    scheduler.resolved(NODE.id, NODE, now=0.5)
    assert dialed(scheduler, 0.5) == []
    assert dialed(scheduler, FIRST_RETRY_S) == [NODE]


def pauses(scheduler: DialScheduler, found: list[Node | None], now: float = 0.0) -> list[float]:
    """How long each attempt to find NODE keeps the next one waiting, to a second."""
    waits = []
    for node in found:
        assert scheduler.begins_resolving(NODE.id, now=now)
        scheduler.resolved(NODE.id, node, now=now)
        wait = next(s for s in range(5000) if scheduler.begins_resolving(NODE.id, now=now + s))
        scheduler._resolving.clear()
        waits.append(wait)
        now += wait
    return waits


def test_the_pauses_between_attempts_to_find_it() -> None:
    scheduler = DialScheduler()
    scheduler.add(NODE)
    assert pauses(scheduler, [None] * 8) == [60, 120, 240, 480, 960, 1920, 3600, 3600]
    assert pauses(scheduler, [NODE, None, None], now=1e6) == [60, 60, 120]


def test_asking_for_it_again_does_not_shorten_the_pause() -> None:
    scheduler = DialScheduler()
    scheduler.add(NODE)
    assert scheduler.begins_resolving(NODE.id, now=0.0)
    scheduler.resolved(NODE.id, None, now=0.0)
    scheduler.add(NODE, immediately=True)
    assert not scheduler.begins_resolving(NODE.id, now=59.0)
    assert scheduler.begins_resolving(NODE.id, now=60.0)


def test_few_are_looked_for_at_a_time() -> None:
    scheduler = DialScheduler()
    nodes = [make_node(n) for n in range(1, MAX_RESOLVING + 2)]
    for node in nodes:
        scheduler.add(node)
    assert [scheduler.begins_resolving(node.id, now=0.0) for node in nodes] == [True] * MAX_RESOLVING + [False]
    scheduler.resolved(nodes[0].id, None, now=1.0)
    assert scheduler.begins_resolving(nodes[-1].id, now=1.0)


def test_a_node_that_is_no_longer_wanted_is_forgotten_while_it_is_looked_for() -> None:
    scheduler = DialScheduler()
    scheduler.add(NODE)
    assert scheduler.begins_resolving(NODE.id, now=0.0)
    scheduler.remove(NODE.id)
    scheduler.resolved(NODE.id, make_node(1, port=40404), now=1.0)
    assert dialed(scheduler, 1.0) == []
    scheduler.add(NODE)
    assert scheduler.begins_resolving(NODE.id, now=2.0)
