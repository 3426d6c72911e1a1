"""The same message sent more than once: each sending has a tree, a time and a way of its own."""

from __future__ import annotations

import dataclasses

from node.events import Kind
from orchestrator.trace import join_events
from tests.unit.orchestrator.told import DIGEST, IDS, LINE, NAMES, ONE, START_S, Told, steps, tell


def again_from(name: str, at_ms: float, seq: int, *more: Kind) -> Told:
    """A node sends it itself, and with `more` what it does then, a millisecond apart."""
    rows = [(name, at_ms, Kind.PSS_SENT, "", {"mode": "raw", "to": "8f" * 32})]
    rows += [(name, at_ms + number, kind, "bob", ONE) for number, kind in enumerate(more, start=1)]
    return [(node, dataclasses.replace(event, seq=seq + number)) for number, (node, event) in enumerate(tell(*rows))]


def test_what_was_sent_again_is_no_part_of_what_was_sent_before() -> None:
    """A raw message, sent by a relay later on: bob has it, and takes it for a duplicate."""
    told = LINE + again_from("n01", 14_000.0, 20, Kind.PSS_FORWARDED)
    ((_, event),) = tell(("bob", 14_002.5, Kind.PSS_DUPLICATE, "n01", {"reason": "duplicate"}))
    journey = join_events(DIGEST, [*told, ("bob", dataclasses.replace(event, seq=20))], NAMES)
    assert [(sent.node, sent.at_ms and round(sent.at_ms), sent.first_hop) for sent in journey.sendings] == [
        ("alice", 0.0, 0),
        ("n01", 14_000, 3),
    ]
    assert steps(journey)[3:] == [(0, "n01", "bob", "duplicate")]
    assert round(journey.hops[3].took_ms or 0, 1) == 2.5
    lines = str(journey).splitlines()
    assert [line.split() for line in lines[5:7]] == [
        ["14000.0", "ms", "n01", "sends", "it"],
        ["14002.5", "ms", "+2.5", "ms", "->", "bob", "duplicate"],
    ]
    assert journey.summary == "delivered to bob after 2 hops in 2.6 ms: alice -> n01 -> bob"


def test_each_sending_has_a_way_of_its_own() -> None:
    """After half a minute nobody takes it for a duplicate any more."""
    later = [(name, dataclasses.replace(event, seq=event.seq + 50, wall_s=event.wall_s + 40)) for name, event in LINE]
    journey = join_events(DIGEST, LINE + later, NAMES)
    assert steps(journey) == [
        (0, "alice", "n01", "first"),
        (1, "n01", "bob", "first"),
        (2, "bob", "n01", "duplicate"),
        (0, "alice", "n01", "again"),
        (1, "n01", "bob", "again"),
        (2, "bob", "n01", "duplicate"),
    ]
    assert [round(hop.took_ms or 0, 1) for hop in journey.hops] == [1.0, 1.5, 0.5] * 2
    assert journey.path_to("bob") == list(journey.hops[:2])
    assert journey.last_path_to("bob") == list(journey.hops[3:5])
    assert "sends it again" in str(journey)
    assert journey.summary == (
        "delivered to bob after 2 hops in 2.6 ms: alice -> n01 -> bob; delivered to bob again, after 40002.6 ms"
    )


def test_a_node_that_only_the_second_sender_reaches() -> None:
    """The time it took counts from when that one sent it, and the way begins there."""
    told = [row for row in LINE if row[0] != "bob" and row[1].peer != IDS["bob"]]
    told += again_from("n01", 14_000.0, 20, Kind.PSS_FORWARDED)
    told += tell(
        ("bob", 14_002.0, Kind.PSS_RECEIVED, "n01", {}), ("bob", 14_003.0, Kind.PSS_DELIVERED, "n01", {"handlers": 1})
    )
    journey = join_events(DIGEST, told, NAMES)
    assert journey.summary == "delivered to bob after 1 hop in 3.0 ms: n01 -> bob"


def test_who_sent_it_again_and_has_forgotten_that_is_not_where_it_began() -> None:
    """Alice was restarted, and sent it once more: what came of it before is no news of this sending."""
    told = [row for row in LINE if row[0] != "alice"] + again_from("alice", 9_000.0, 1)
    since = {"alice": START_S + 5}
    journey = join_events(DIGEST, told, NAMES, since=since)
    assert journey.origin == ""
    assert [(sent.node, sent.at_ms and round(sent.at_ms)) for sent in journey.sendings] == [("alice", 8_999)]
    assert [(hop.receiver, hop.detached) for hop in journey.hops] == [("n01", True), ("bob", False), ("n01", False)]
    assert journey.last_path_to("bob") == []


def test_what_is_left_of_a_link_is_not_taken_for_what_is_forgotten() -> None:
    """N01 was restarted between two sendings, and remembers the second arrival only."""
    told = LINE[:2] + again_from("alice", 14_000.0, 20)
    told += [
        ("alice", dataclasses.replace(LINE[1][1], seq=21, wall_s=START_S + 14.1)),
        ("n01", dataclasses.replace(LINE[2][1], wall_s=START_S + 14.2)),
    ]
    journey = join_events(DIGEST, told, NAMES, since={"n01": START_S + 5})
    assert steps(journey) == [(0, "alice", "n01", "unseen"), (0, "alice", "n01", "first")]
    assert round(journey.hops[1].took_ms or 0) == 200
