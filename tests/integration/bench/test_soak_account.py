"""bench.soak_account: which messages had to arrive. A rule that excused too much would make every soak a success."""

from __future__ import annotations

import itertools
from collections.abc import Iterable

from bench.soak_account import (
    DEADLINE_S,
    GUARD_S,
    NO_ROUTE,
    RECEIVER_DOWN,
    ROUTE_CHANGED,
    SENDER_DOWN,
    Account,
    Message,
    Timeline,
)
from node.ids import OverlayAddress

OVERLAYS = {
    name: OverlayAddress(bytes([first]) + bytes(31))
    for name, first in {"a": 0x00, "b": 0x80, "c": 0xC0, "d": 0xE0}.items()
}
"""Of the others c is the nearest to d, then b; a is in the other half."""
START = 100.0
SENT = START + 10.0


def connect(timeline: Timeline, a: str, b: str, at: float, *, on: bool = True) -> None:
    for one, other in ((a, b), (b, a)):
        timeline.table(one, timeline.incarnation(one), OVERLAYS[other], at, on=on)


def timeline_of(links: Iterable[str]) -> Timeline:
    timeline = Timeline(OVERLAYS)
    for name in OVERLAYS:
        timeline.introduced(name, START)
    for a, b in links:
        connect(timeline, a, b, START)
    return timeline


def lacks(timeline: Timeline, sender: str = "a", receiver: str = "d", *, at: float = SENT) -> str:
    return timeline.path(sender, receiver, at - GUARD_S, at + DEADLINE_S).lacks


def test_neighbours_have_a_path_whatever_becomes_of_the_others() -> None:
    timeline = timeline_of(["ab", "bc", "ad"])
    timeline.down("b", SENT + 0.1)
    connect(timeline, "a", "c", SENT + 0.2)
    assert lacks(timeline) == ""


def test_a_path_over_relays_is_up_while_all_of_it_is() -> None:
    assert lacks(timeline_of(["ab", "bc", "cd"])) == ""
    assert timeline_of(["ab", "bc", "cd"]).path("a", "d", SENT, SENT + 1).nodes == 4


def test_each_relay_has_to_stay() -> None:
    for relay in "bc":
        timeline = timeline_of(["ab", "bc", "cd"])
        timeline.down(relay, SENT + 0.1)
        assert lacks(timeline) == ROUTE_CHANGED


def test_a_relay_that_is_not_on_the_route_may_go() -> None:
    timeline = timeline_of(["ab", "ac", "bc", "cd"])
    timeline.down("b", SENT + 0.1)
    assert lacks(timeline) == ""


def test_the_ends_have_to_be_up_all_the_time() -> None:
    for ends, reason in (("a", SENDER_DOWN), ("d", RECEIVER_DOWN)):
        timeline = timeline_of(["ad"])
        timeline.down(ends, SENT + DEADLINE_S - 0.1)
        assert lacks(timeline) == reason
        assert lacks(timeline, at=SENT - 1) == ""
        timeline.introduced(ends, SENT + DEADLINE_S)
        connect(timeline, "a", "d", SENT + DEADLINE_S)
        assert lacks(timeline, at=SENT + DEADLINE_S) == reason
        assert lacks(timeline, at=SENT + DEADLINE_S + 2 * GUARD_S) == ""


def test_a_way_that_leads_away_is_no_route() -> None:
    # From c the nearest to a is itself: nobody it knows is nearer.
    assert lacks(timeline_of(["bc", "cd", "ab"]), "d", "a") == NO_ROUTE
    assert lacks(timeline_of(["ab", "bc"])) == NO_ROUTE


def test_both_ends_of_a_connection_have_to_show_it() -> None:
    timeline = timeline_of([])
    timeline.table("a", 0, OVERLAYS["d"], START, on=True)
    assert lacks(timeline) == NO_ROUTE


def test_a_connection_that_ends_or_is_too_young_is_no_path() -> None:
    timeline = timeline_of(["ad"])
    connect(timeline, "a", "d", SENT + 1, on=False)
    connect(timeline, "a", "d", SENT + 1.001)
    assert lacks(timeline) == ROUTE_CHANGED
    assert lacks(timeline, at=SENT + 1.001 + GUARD_S / 2) == ROUTE_CHANGED
    assert lacks(timeline, at=SENT + 1.001 + 1.1 * GUARD_S) == ""


def test_what_an_ended_node_still_reports_does_not_count() -> None:
    timeline = timeline_of(["ad"])
    timeline.down("d", SENT + 100)
    timeline.table("d", 0, OVERLAYS["b"], SENT + 100.1, on=True)
    timeline.table("d", 1, OVERLAYS["a"], SENT + 101, on=True)
    timeline.table("a", 0, OVERLAYS["d"], SENT + 101, on=True)
    timeline.introduced("d", SENT + 102)
    assert lacks(timeline, at=SENT + 103) == ""
    assert lacks(timeline, "b", "d", at=SENT + 103) == NO_ROUTE


NUMBERS = itertools.count()


def message(account: Account, sender: str = "a", receiver: str = "d") -> Message:
    sent = Message(
        number=next(NUMBERS), sender=sender, receiver=receiver, mode="raw", sent_at=SENT, taken_at=SENT + 0.001
    )
    account.add(sent)
    return sent


JUDGED = SENT + DEADLINE_S + 2 * GUARD_S


def test_a_message_that_arrives_in_time_is_a_success() -> None:
    account = Account(timeline_of(["ad"]))
    sent = message(account)
    account.arrived(sent.number, "d", 0, SENT + 0.01)
    assert account.judge(SENT + DEADLINE_S) == []
    assert account.deliverable == 0
    assert account.judge(JUDGED) == []
    assert (account.deliverable, account.relayed, account.failures, account.duplicates) == (1, 0, [], [])


def test_lost_and_late_messages_are_failures() -> None:
    account = Account(timeline_of(["ad"]))
    lost, late = message(account), message(account)
    account.arrived(late.number, "d", 0, SENT + DEADLINE_S + 0.1)
    assert account.judge(JUDGED) == [lost, late]
    assert account.failures == [lost, late]
    assert str(lost).endswith("lost")
    assert str(late).endswith("late")


def test_a_message_without_a_path_is_counted_apart() -> None:
    account = Account(timeline_of(["ab"]))
    message(account)
    there = message(account)
    account.arrived(there.number, "d", 0, SENT + 0.01)
    assert account.judge(JUDGED) == []
    assert (account.deliverable, account.apart) == (0, {NO_ROUTE: [2, 1]})


def test_twice_is_a_failure_with_and_without_a_path_unless_the_receiver_was_another() -> None:
    account = Account(timeline_of(["ad"]))
    twice, again, apart = message(account), message(account), message(account, "c")
    for sent, incarnations in ((twice, (0, 0)), (again, (0, 1)), (apart, (0, 0))):
        for incarnation in incarnations:
            account.arrived(sent.number, "d", incarnation, SENT + 0.01)
    account.judge(JUDGED)
    assert account.duplicates == [twice, apart]


def test_what_comes_to_the_wrong_node_or_was_never_sent_is_astray() -> None:
    account = Account(timeline_of(["ad"]))
    sent = message(account)
    account.arrived(sent.number, "b", 0, SENT + 0.01)
    account.arrived(-1, "d", 0, SENT + 0.01)
    assert len(account.strays) == 2
    assert account.judge(JUDGED) == [sent]
