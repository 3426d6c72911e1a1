"""From the events of many nodes to the journey of one message, also when events are missing or clocks are wrong."""

from __future__ import annotations

import dataclasses
import datetime
import itertools
import json
import random
from collections.abc import Mapping

from hypothesis import given
from hypothesis import strategies as st

from node.events import Kind
from orchestrator.journey import Outcome
from orchestrator.trace import Journey, format_journey, join_events
from tests.unit.orchestrator.told import ALL, DIGEST, IDS, LINE, NAMES, ONE, SENT, START_S, Told, steps, tell


def test_a_line() -> None:
    journey = join_events(DIGEST, LINE, NAMES)
    assert (journey.origin, journey.mode, journey.to, journey.size) == ("alice", "asymmetric", "8f" * 32, 5)
    assert steps(journey) == [
        (0, "alice", "n01", "first"),
        (1, "n01", "bob", "first"),
        (2, "bob", "n01", "duplicate"),
    ]
    assert [hop.receiver for hop in journey.path_to("bob")] == ["n01", "bob"]
    assert journey.path_to("alice") == journey.path_to("carol") == []
    assert journey.duplicates == 1
    assert journey.relays == ["n01", "bob"]
    first = journey.hops[0]
    assert first.why is not None
    assert (first.why.mode, first.why.po, first.why.own_po, first.why.depth, first.why.threshold) == ("one", 3, 1, 0, 2)
    assert [round(hop.took_ms or 0, 1) for hop in journey.hops] == [1.0, 1.5, 0.5]
    assert [(note.node, round(note.at_ms, 1), note.text) for note in journey.deliveries] == [("bob", 2.6, "1 handler")]
    assert journey.summary == "delivered to bob after 2 hops in 2.6 ms: alice -> n01 -> bob"


def test_text() -> None:
    assert format_journey(join_events(DIGEST, LINE, NAMES)).splitlines() == [
        "message abababab… asymmetric, 5 bytes, to 8f8f8f8f…",
        "    0.0 ms              alice         sends it",
        "    1.0 ms     +1.0 ms    -> n01      nearest peer: 3 bits in common, sender 1",
        "    2.5 ms     +1.5 ms      -> bob    has the very address; delivered to 1 handler",
        "    3.0 ms     +0.5 ms        -> n01  duplicate",
        "delivered to bob after 2 hops in 2.6 ms: alice -> n01 -> bob",
    ]


def test_who_tried_to_read_it_and_who_could() -> None:
    told = tell(
        SENT,
        ("alice", 0.1, Kind.PSS_FORWARDED, "n01", ALL),
        ("alice", 0.2, Kind.PSS_FORWARDED, "n02", ALL),
        ("n01", 1.0, Kind.PSS_RECEIVED, "alice", {"keys_tried": 3, "opened": False, "passed_on": "no key fits"}),
        ("n02", 1.0, Kind.PSS_RECEIVED, "alice", {"keys_tried": 0, "opened": False, "passed_on": "elsewhere"}),
        ("n01", 1.5, Kind.PSS_FORWARDED, "bob", ALL),
        ("bob", 2.0, Kind.PSS_RECEIVED, "n01", {"keys_tried": 1, "opened": True}),
        ("bob", 3.0, Kind.PSS_RECEIVED, "n02", {"keys_tried": 0, "opened": False, "passed_on": "elsewhere"}),
        ("bob", 2.1, Kind.PSS_DELIVERED, "n01", {"handlers": 1}),
    )
    journey = join_events(DIGEST, told, NAMES)
    assert [(a.node, a.keys_tried, a.opened, a.passed_on) for a in journey.attempts] == [
        ("bob", 1, True, ""),
        ("n01", 3, False, "no key fits"),
        ("n02", 0, False, "elsewhere"),
    ]
    lines = format_journey(journey).splitlines()
    assert lines[-1] == "read by: bob; could not read it: n01 (3 keys tried); did not try: n02"
    assert "tried 3 keys: in vain" in next(line for line in lines if "-> n01" in line)
    assert "tried 1 key: opened it; delivered to 1 handler" in next(line for line in lines if "-> bob" in line)


def test_what_another_implementation_does_not_tell_is_left_out() -> None:
    told = tell(
        SENT,
        ("n01", 1.0, Kind.PSS_RECEIVED, "alice", {"keys_tried": "x", "opened": 1}),
        ("n02", 1.0, Kind.PSS_RECEIVED, "alice", {}),
    )
    assert join_events(DIGEST, told, NAMES).attempts == ()


def test_the_order_of_events_does_not_matter() -> None:
    shuffled = [*LINE, *LINE]
    random.Random(1).shuffle(shuffled)
    assert join_events(DIGEST, shuffled, NAMES) == join_events(DIGEST, LINE, NAMES)


def test_other_messages_are_left_out() -> None:
    other = [(name, dataclasses.replace(event, digest="cd" * 32)) for name, event in LINE]
    assert join_events(DIGEST, LINE + other, NAMES) == join_events(DIGEST, LINE, NAMES)
    assert join_events(DIGEST, other, NAMES) == Journey(digest=DIGEST)
    assert Journey(digest=DIGEST).summary == "no node knows of it"


def test_json() -> None:
    record = json.loads(json.dumps(join_events(DIGEST, LINE, NAMES).to_json()))
    assert record["origin"] == "alice"
    assert record["hops"][1]["why"]["mode"] == "exact"
    assert record["relays"] == ["n01", "bob"]


def test_two_ways_and_the_first_arrival_counts() -> None:
    told = tell(
        SENT,
        ("alice", 0.1, Kind.PSS_FORWARDED, "n01", ALL),
        ("alice", 0.2, Kind.PSS_FORWARDED, "n02", ALL),
        ("n01", 1.0, Kind.PSS_RECEIVED, "alice", {}),
        ("n02", 1.0, Kind.PSS_RECEIVED, "alice", {}),
        ("n01", 5.0, Kind.PSS_FORWARDED, "bob", ALL),
        ("n02", 1.5, Kind.PSS_FORWARDED, "bob", ALL),
        ("bob", 2.0, Kind.PSS_RECEIVED, "n02", {}),
        ("bob", 6.0, Kind.PSS_DUPLICATE, "n01", {}),
    )
    journey = join_events(DIGEST, told, NAMES)
    assert steps(journey) == [
        (0, "alice", "n01", "first"),
        (1, "n01", "bob", "duplicate"),
        (0, "alice", "n02", "first"),
        (1, "n02", "bob", "first"),
    ]
    assert [hop.receiver for hop in journey.path_to("bob")] == ["n02", "bob"]


def test_a_receiver_that_says_nothing() -> None:
    journey = join_events(DIGEST, LINE[:4], NAMES)
    assert steps(journey)[-1] == (1, "n01", "bob", "unseen")
    assert journey.hops[-1].arrived_ms is None
    assert journey.summary == "it came as far as n01; it was sent to bob, who did not report it"
    assert "unseen" in str(journey)


def test_a_relay_that_says_nothing() -> None:
    """Bob says from whom he has it; how it got there nobody tells."""
    told = [(name, event) for name, event in LINE if name != "n01"]
    journey = join_events(DIGEST, told, NAMES)
    assert steps(journey) == [(0, "alice", "n01", "unseen"), (0, "n01", "bob", "first"), (1, "bob", "n01", "unseen")]
    assert journey.hops[1].why is None
    assert [hop.sender for hop in journey.path_to("bob")] == ["n01"]
    # How long it took from there, nobody knows, for nobody knows when it came there; nor how many hops it were.
    assert [(hop.detached, hop.took_ms) for hop in journey.hops[:2]] == [(False, None), (True, None)]
    assert journey.summary == "delivered to bob; its way is known only from n01 on: n01 -> bob"
    lines = [line.split() for line in str(journey).splitlines()]
    assert ["2.5", "ms", "n01", "->", "bob", "delivered", "to", "1", "handler"] in lines


def test_nodes_that_have_forgotten_it_are_named() -> None:
    told = [(name, event) for name, event in LINE if name != "n01"]
    since = {"alice": START_S - 60, "n01": START_S + 60, "n02": START_S + 61, "bob": START_S}
    journey = join_events(DIGEST, told, NAMES, since=since)
    assert [(lost.node, lost.since_s) for lost in journey.forgetful] == [("n01", START_S + 60), ("n02", START_S + 61)]
    n01, n02 = (datetime.datetime.fromtimestamp(START_S + s).strftime("%H:%M:%S") for s in (60, 61))
    assert str(journey).splitlines()[-1] == (
        f"n01 remembers nothing before {n01}, n02 remembers nothing before {n02}: "
        "what happened there before is missing here"
    )
    both = join_events(DIGEST, told, NAMES, since=dict.fromkeys(("n01", "n02"), START_S + 60))
    assert f"n01 and n02 remember nothing before {n01}: " in str(both)
    many = {f"n{number:02}": START_S + 60 * number for number in range(1, 7)}
    assert f"n05 and n06 remember nothing before {n01} or later times: " in str(
        join_events(DIGEST, told, NAMES, since=many)
    )
    assert join_events(DIGEST, LINE, NAMES, since=dict.fromkeys(NAMES.values(), START_S)).forgetful == ()


def test_a_sender_that_has_forgotten_it() -> None:
    told = [(name, event) for name, event in LINE if name != "alice"]
    journey = join_events(DIGEST, told, NAMES, since={"alice": START_S + 60})
    assert (journey.origin, journey.sendings) == ("", ())
    assert journey.summary == "delivered to bob; its way is known only from alice on: alice -> n01 -> bob"
    assert str(journey).splitlines()[1].split(maxsplit=1) == ["?", "sent it: no node tells who, or when"]


def test_a_delivery_of_which_the_arrival_is_forgotten() -> None:
    told = [(name, event) for name, event in LINE if name != "bob" or event.kind is Kind.PSS_DELIVERED]
    assert join_events(DIGEST, told, NAMES).summary == "delivered to bob; its way there is not known"


def test_a_sender_that_is_known_though_it_does_not_report() -> None:
    journey = join_events(DIGEST, told_by("n01", "bob"), NAMES, silent={"alice"}, sender="alice")
    assert journey.origin == "alice"
    assert journey.summary == "delivered to bob after 2 hops: alice -> n01 -> bob"
    assert str(journey).splitlines()[1].split() == ["alice", "sends", "it"]
    # Who reports is believed.
    assert join_events(DIGEST, LINE, NAMES, sender="n02") == join_events(DIGEST, LINE, NAMES)


def told_by(*names: str) -> Told:
    """What these nodes say of a message on the line."""
    return [(name, event) for name, event in LINE if name in names]


def test_a_relay_that_never_says_anything_had_it_from_whoever_sent_it_there() -> None:
    journey = join_events(DIGEST, told_by("alice", "bob"), NAMES, silent={"n01"})
    assert steps(journey) == [
        (0, "alice", "n01", "first"),
        (1, "n01", "bob", "first"),
        (2, "bob", "n01", "unseen"),
    ]
    assert [hop.receiver for hop in journey.path_to("bob")] == ["n01", "bob"]
    assert journey.hops[0].arrived_ms is None
    assert journey.summary == "delivered to bob after 2 hops in 2.6 ms: alice -> n01 -> bob"
    assert format_journey(journey).splitlines()[-1] == "no events from reference nodes: n01"


def test_a_sender_that_never_says_anything() -> None:
    """Nobody brought it to the sender, though the relay sends it back there."""
    back = tell(("n01", 1.3, Kind.PSS_FORWARDED, "alice", ALL))
    journey = join_events(DIGEST, [*told_by("n01", "bob"), *back], NAMES, silent={"alice"})
    assert (0, "alice", "n01", "first") in steps(journey)
    assert (1, "n01", "alice", "unseen") in steps(journey)
    assert [hop.receiver for hop in journey.path_to("bob")] == ["n01", "bob"]
    # When it was sent, nobody knows.
    assert journey.path_to("bob")[0].took_ms is None


def test_a_receiver_that_never_says_anything() -> None:
    told = [(name, event) for name, event in told_by("alice", "n01") if event.kind is not Kind.PSS_DUPLICATE]
    unknown = join_events(DIGEST, told, NAMES, silent={"bob"})
    assert steps(unknown)[1] == (1, "n01", "bob", "unseen")
    known = join_events(DIGEST, told, NAMES, silent={"bob"}, arrived={"bob"})
    assert steps(known)[1] == (1, "n01", "bob", "first")
    assert [hop.receiver for hop in known.path_to("bob")] == ["n01", "bob"]


def test_a_message_without_a_digest() -> None:
    journey = join_events("", [], NAMES, silent={"alice"})
    assert journey.path_to("bob") == []
    assert "does not tell the digest" in journey.summary


def test_without_the_sender() -> None:
    journey = join_events(DIGEST, [(name, event) for name, event in LINE if name != "alice"], NAMES)
    assert (journey.origin, journey.mode) == ("", "asymmetric")
    assert [hop.receiver for hop in journey.path_to("bob")] == ["n01", "bob"]
    assert str(journey)


def test_waiting_and_giving_up() -> None:
    told = tell(SENT, ("alice", 0.1, Kind.PSS_QUEUED, "", {"reason": "unable to forward to any peers"}))
    assert join_events(DIGEST, told, NAMES).summary == "alice found nobody to send it to"
    told += tell(SENT, SENT, ("alice", 9.0, Kind.PSS_DROPPED, "", {"reason": "no peer took it"}))[2:]
    journey = join_events(DIGEST, told, NAMES)
    assert journey.summary == "alice dropped it: no peer took it; alice found nobody to send it to"
    assert journey.hops == ()
    assert join_events(DIGEST, tell(SENT), NAMES).summary == "it never left alice"


def test_dropped_on_arrival() -> None:
    told = [*LINE[:2], *tell(("n01", 1.0, Kind.PSS_DROPPED, "alice", {"reason": "expired"}))]
    journey = join_events(DIGEST, told, NAMES)
    assert (journey.hops[0].outcome, journey.hops[0].reason) == (Outcome.DROPPED, "expired")
    assert journey.drops == ()
    assert journey.summary == "n01 dropped it: expired"


def test_a_message_sent_twice() -> None:
    """Raw messages of the same content have the same digest."""
    told = tell(
        SENT,
        ("alice", 0.1, Kind.PSS_FORWARDED, "n01", ONE),
        SENT,
        ("alice", 9.1, Kind.PSS_FORWARDED, "n01", ONE),
        ("n01", 1.0, Kind.PSS_RECEIVED, "alice", {}),
        ("n01", 10.0, Kind.PSS_RECEIVED, "alice", {}),
    )
    assert steps(join_events(DIGEST, told, NAMES)) == [(0, "alice", "n01", "first"), (0, "alice", "n01", "again")]


def test_a_stranger_is_shown_by_its_id() -> None:
    told = tell(SENT, ("alice", 0.1, Kind.PSS_FORWARDED, "f" * 64, ONE))
    assert join_events(DIGEST, told, NAMES).hops[0].receiver == "ffffffff…"


def test_a_node_of_another_make_need_not_say_why() -> None:
    told = tell(SENT, ("alice", 0.1, Kind.PSS_FORWARDED, "n01", {"mode": "one"}))
    assert join_events(DIGEST, told, NAMES).hops[0].why is None


def check_times(journey: Journey) -> None:
    had = {journey.origin: 0.0}
    for hop in journey.hops:
        times = [value for value in (hop.sent_ms, hop.arrived_ms) if value is not None]
        assert times == sorted(times)
        assert all(value >= had.get(hop.sender, 0.0) for value in times)
        assert hop.took_ms is None or hop.took_ms >= 0
        if hop.outcome is Outcome.FIRST:
            assert hop.arrived_ms is not None
            had[hop.receiver] = hop.arrived_ms
    assert all(note.at_ms >= 0 for note in (*journey.deliveries, *journey.drops, *journey.queued))


@given(st.fixed_dictionaries({name: st.floats(-5, 5) for name in IDS}))
def test_clocks_that_disagree(offsets_s: dict[str, float]) -> None:
    told = [(name, dataclasses.replace(event, wall_s=event.wall_s + offsets_s[name])) for name, event in LINE]
    journey = join_events(DIGEST, told, NAMES)
    check_times(journey)
    assert steps(journey) == steps(join_events(DIGEST, LINE, NAMES))


@given(
    st.lists(
        st.tuples(
            st.sampled_from(list(IDS)),
            st.floats(-100, 100),
            st.sampled_from([kind for kind in Kind if kind.startswith("pss.")]),
            st.sampled_from(["", *IDS]),
            st.sampled_from([{}, ONE, ALL, {"to": ""}]),
        ),
        max_size=30,
    ),
    st.dictionaries(st.sampled_from(list(IDS)), st.floats(START_S - 0.1, START_S + 0.1)),
)
def test_any_events_make_a_journey(
    rows: list[tuple[str, float, Kind, str, Mapping[str, object]]], since: dict[str, float]
) -> None:
    journey = join_events(DIGEST, tell(*rows), NAMES, since=since)
    assert len(journey.sendings) == sum(row[2] is Kind.PSS_SENT for row in rows)
    departures = sum(row[2] is Kind.PSS_FORWARDED for row in rows)
    assert departures <= len(journey.hops) <= len(rows)
    check_times(journey)
    assert str(journey)
    json.dumps(journey.to_json())
    for name in NAMES.values():
        path = journey.path_to(name)
        assert all(one.receiver == two.sender for one, two in itertools.pairwise(path))
        last = journey.last_path_to(name)
        assert all(one.receiver == two.sender for one, two in itertools.pairwise(last))
