"""Events of many nodes as one stream: what is taken, in which order."""

from __future__ import annotations

import contextlib
import random
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import grpc
import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.control.client import ControlError, Feed, Position
from node.control.convert import event_to_pb
from node.control.gen import control_pb2 as pb
from node.events import EventFilter, Kind, NodeEvent
from orchestrator import event_stream
from orchestrator.errors import LabFileError
from orchestrator.event_stream import (
    AWAY,
    NO_EVENTS,
    NO_MESSAGES,
    RESTARTED,
    Follower,
    Merger,
    Notice,
    Told,
    merge,
    parse_filters,
    parse_kinds,
)


def event(seq: int, at_s: float, kind: Kind = Kind.ADD, *, protocol: str = "", code: int | None = None) -> NodeEvent:
    return NodeEvent(seq=seq, wall_s=at_s, mono_s=at_s, kind=kind, protocol=protocol, code=code)


@pytest.mark.parametrize(
    ("texts", "passing"),
    [
        ([], "add pss bzz:0 bzz:1"),
        (["pss"], "pss"),
        (["bzz:*"], "bzz:0 bzz:1"),
        (["bzz:1"], "bzz:1"),
        (["bzz:1", "bzz:0,7"], "bzz:0 bzz:1"),
        (["bzz:1", "bzz"], "bzz:0 bzz:1"),
        (["bzz", "bzz:1"], "bzz:0 bzz:1"),
        (["pss:0"], "pss"),
        (["pss:1"], ""),
        (["foo"], ""),
    ],
)
def test_filters(texts: list[str], passing: str) -> None:
    events = {
        "add": event(1, 1.0),
        "pss": event(2, 2.0, Kind.PSS_SENT, protocol="pss"),
        "bzz:0": event(3, 3.0, Kind.MSG_SEND, protocol="bzz", code=0),
        "bzz:1": event(4, 4.0, Kind.MSG_RECV, protocol="bzz", code=1),
    }
    only = EventFilter(protocols=parse_filters(texts))
    assert [name for name, one in events.items() if only.passes(one)] == passing.split()


@pytest.mark.parametrize("text", ["", ":", ":1", "bzz:", "bzz:a", "bzz:1,", "bzz:-1", "bzz:²"])
def test_filters_that_make_no_sense(text: str) -> None:
    with pytest.raises(LabFileError, match="expected PROTOCOL"):
        parse_filters([text])


@pytest.mark.parametrize("text", ["p2p", "p2p:*", "p2p:1"])
def test_messages_that_no_node_tells(text: str) -> None:
    with pytest.raises(LabFileError, match="do not tell of the messages of devp2p itself"):
        parse_filters([text])


def test_kinds() -> None:
    assert parse_kinds([]) == []
    assert parse_kinds(["add, drop", "add"]) == ["add", "drop"]
    assert parse_kinds(["kad"]) == ["kad.on", "kad.off"]
    with pytest.raises(LabFileError, match=r"no event of kind 'pss\.'"):
        parse_kinds(["pss."])


rows = st.lists(st.tuples(st.sampled_from("abc"), st.floats(0, 100)), max_size=40)


@given(rows, st.integers(0, 1000))
def test_all_events_by_time(rows: list[tuple[str, float]], seed: int) -> None:
    told = [Told(name, event(index, at_s)) for index, (name, at_s) in enumerate(rows)]
    random.Random(seed).shuffle(told)
    merged = merge(told)
    assert sorted(map(id, merged)) == sorted(map(id, told))
    assert [one.event.wall_s for one in merged] == sorted(one.event.wall_s for one in told)


@given(rows)
def test_a_stream_keeps_the_order_of_each_node(rows: list[tuple[str, float]]) -> None:
    """Also where its clock was set back."""
    merger, out = Merger(hold_s=1.0), []
    for now, (name, at_s) in enumerate(rows):
        merger.add(Told(name, event(now, at_s)), now=now / 4)
        out += merger.ready(now=now / 4)
    out += merger.rest()
    assert len(out) == len(rows)
    for name in "abc":
        seqs = [one.event.seq for one in out if one.node == name]
        assert seqs == sorted(seqs)


def test_an_event_waits_for_earlier_ones_of_others() -> None:
    merger = Merger(hold_s=1.0)
    merger.add(Told("a", event(1, 5.0)), now=0.0)
    assert list(merger.ready(now=0.9)) == []
    merger.add(Told("b", event(1, 4.0)), now=0.9)
    assert [one.node for one in merger.ready(now=1.0)] == ["b", "a"]
    assert list(merger.rest()) == []


# -- following


class Node:
    """A node whose streams are given: each what a feed says, or what keeps it from answering."""

    def __init__(self, *streams: Stream | ControlError, reference: bool = False) -> None:
        self.name, self.control, self.spec = "bob", self, self
        self.reference = object() if reference else None
        self.asked: list[Position | None] = []
        self._streams = iter(streams)
        self._closed = threading.Event()

    @contextlib.contextmanager
    def follow(self, only: EventFilter, *, since: Position | None = None) -> Iterator[Feed]:
        self.asked.append(since)
        stream = next(self._streams, None)
        if isinstance(stream, ControlError):
            raise stream
        if stream is None:
            self._closed.wait(10)
        yield Feed(iter(stream.responses() if stream else [MARK]), "bob", since)

    def close(self) -> None:
        self._closed.set()


START_S = 50.0
ALL = EventFilter()
MARK = pb.StreamEventsResponse(started_wall_s=START_S)


@dataclass
class Stream:
    """What one connection brings: what is remembered, the mark, what happens."""

    past: Sequence[NodeEvent] = ()
    live: Sequence[NodeEvent | pb.StreamEventsResponse] = ()
    started_s: float = START_S
    last_seq: int = 0
    forgotten: int = 0

    def responses(self) -> Iterator[pb.StreamEventsResponse]:
        yield from map(response, self.past)
        yield pb.StreamEventsResponse(started_wall_s=self.started_s, last_seq=self.last_seq, forgotten=self.forgotten)
        yield from (one if isinstance(one, pb.StreamEventsResponse) else response(one) for one in self.live)


def response(event: NodeEvent, *, lost: int = 0) -> pb.StreamEventsResponse:
    return pb.StreamEventsResponse(event=event_to_pb(event, "bob"), lost=lost)


def unavailable() -> ControlError:
    return ControlError("bob", grpc.StatusCode.UNAVAILABLE, "refused")


def follow(node: Node, last: str, only: EventFilter = ALL, **options: Any) -> tuple[list[str], list[str]]:
    """Notices and sequence numbers of events, up to the one that is named. Which comes first is not certain."""
    notices: list[str] = []
    events: list[str] = []
    with Follower([node], only, **options) as stream:  # type: ignore[list-item]
        for item in stream:
            if isinstance(item, Notice):
                notices.append(item.text)
            else:
                events.append(str(item.event.seq))
            if last in (*notices, *events):
                return notices, events
    raise AssertionError("unreachable: it follows without end")


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """No waiting, and every failure is told."""
    monkeypatch.setattr(event_stream, "RETRY_S", 0.0)
    monkeypatch.setattr(event_stream, "PATIENCE_S", -1.0)


@pytest.mark.usefixtures("quick")
def test_a_node_that_goes_away_is_waited_for_and_tells_what_was_missed() -> None:
    """Whatever its clock says meanwhile."""
    node = Node(
        Stream(live=[event(1, 100.0)], last_seq=0),
        unavailable(),
        Stream(past=[event(2, 30.0)], last_seq=2, live=[event(3, 31.0)]),
    )
    notices, events = follow(node, "3")
    assert events == ["1", "2", "3"]
    assert notices[:3] == ["is followed", f"{AWAY}: its events ended", "is back"]
    assert node.asked[:3] == [None, Position(START_S, 1), Position(START_S, 1)]


@pytest.mark.usefixtures("quick")
def test_it_goes_on_where_the_node_was_although_nothing_was_wanted() -> None:
    node = Node(Stream(last_seq=5, live=[pb.StreamEventsResponse(last_seq=9)]), Stream(live=[event(10, 1.0)]))
    follow(node, "10")
    assert node.asked[:2] == [None, Position(START_S, 9)]


@pytest.mark.usefixtures("quick")
def test_gaps_are_told() -> None:
    node = Node(
        Stream(live=[event(1, 1.0), response(event(9, 2.0), lost=7)]),
        Stream(past=[event(50, 3.0)], last_seq=50, forgotten=40),
    )
    notices, events = follow(node, "50")
    assert events == ["1", "9", "50"]
    assert [notice for notice in notices if "lost" in notice] == [
        "7 of its events are lost: they came faster than they were read",
        "up to 40 of its events are lost: it has forgotten them",
    ]


@pytest.mark.usefixtures("quick")
def test_a_restart_is_told_and_counting_begins_anew() -> None:
    node = Node(Stream(last_seq=900), Stream(past=[event(1, 1.0)], last_seq=1, started_s=60.0))
    notices, events = follow(node, "1")
    assert events == ["1"]
    assert [notice for notice in notices if not notice.startswith(AWAY)][:2] == ["is followed", RESTARTED]


@pytest.mark.usefixtures("quick")
def test_messages_of_the_time_between_are_not_known() -> None:
    node = Node(Stream(), Stream(live=[event(1, 1.0)]))
    notices, _ = follow(node, "1", EventFilter(protocols={"": None}))
    assert [notice for notice in notices if not notice.startswith(AWAY)][:3] == ["is followed", "is back", NO_MESSAGES]


@pytest.mark.usefixtures("quick")
def test_a_node_that_never_answered_is_followed_as_soon_as_it_does() -> None:
    """What it did before we began is not shown, what it did since then is."""
    now = time.time()
    node = Node(
        unavailable(), Stream(past=[event(1, now - 100), event(2, now + 100)], last_seq=2, live=[event(3, 7.0)])
    )
    notices, events = follow(node, "3")
    assert (notices[:2], events) == ([f"{AWAY}: refused", "is followed"], ["2", "3"])


def test_a_short_failure_is_not_worth_a_word() -> None:
    notices, events = follow(Node(unavailable(), Stream(live=[event(1, 1.0)])), "1")
    assert (notices, events) == (["is followed"], ["1"])


@pytest.mark.usefixtures("quick")
def test_what_is_known_already_is_not_asked_for() -> None:
    node = Node(Stream(past=[event(2, 6.0)], last_seq=2))
    notices, events = follow(node, "2", seen={"bob": Position(START_S, 1)})
    assert (notices[0], events) == ("is followed", ["2"])
    assert node.asked[0] == Position(START_S, 1)


def test_reference_nodes_tell_nothing() -> None:
    assert follow(Node(reference=True), NO_EVENTS) == ([NO_EVENTS], [])


def test_a_wrong_token_ends_it() -> None:
    node = Node(ControlError("bob", grpc.StatusCode.UNAUTHENTICATED, "wrong token"))
    with pytest.raises(ControlError, match="wrong token"):
        follow(node, "1")
