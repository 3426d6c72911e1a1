"""node.events: what happens in a node, as data (spec 02 section 8)."""

from __future__ import annotations

import asyncio

import pytest

from node import events as events_module
from node.events import EventBus, EventFilter, Kind, NodeEvent


def test_listeners_get_every_event_in_order() -> None:
    bus = EventBus()
    one: list[NodeEvent] = []
    two: list[NodeEvent] = []
    with bus.listening(one.append):
        bus.emit(Kind.ADD, peer="aa")
        with bus.listening(two.append):
            bus.emit(Kind.MSG_SEND, peer="aa", protocol="foo", code=0, size=7)
        bus.emit(Kind.DROP, peer="aa", reason="client quitting")
    bus.emit(Kind.ADD, peer="bb")
    assert [event.kind for event in one] == [Kind.ADD, Kind.MSG_SEND, Kind.DROP]
    assert two == one[1:2]
    assert [event.seq for event in one] == [1, 2, 3]
    assert (one[1].protocol, one[1].code, one[1].size) == ("foo", 0, 7)
    assert one[0].mono_s <= one[2].mono_s


def test_the_wire_names_of_the_reference() -> None:
    assert [Kind.ADD, Kind.DROP, Kind.MSG_SEND, Kind.MSG_RECV] == ["add", "drop", "msgsend", "msgrecv"]


def test_nobody_listening_costs_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """No event is even built."""
    monkeypatch.setattr(events_module, "NodeEvent", None)
    bus = EventBus()
    assert not bus.active
    bus.emit(Kind.ADD, peer="aa")
    assert bus.history == []


def test_active_as_long_as_somebody_listens() -> None:
    bus = EventBus()
    with bus.listening(lambda event: None):
        with bus.listening(lambda event: None):
            assert bus.active
        assert bus.active
    assert not bus.active
    bus.keep_history()
    with bus.listening(lambda event: None):
        pass
    assert bus.active


def test_a_listener_is_removed_when_its_block_raises() -> None:
    bus = EventBus()
    with pytest.raises(KeyError), bus.listening(lambda event: None):
        raise KeyError
    assert not bus.active


def test_history_keeps_the_last_ones() -> None:
    bus = EventBus()
    bus.emit(Kind.ADD)
    bus.keep_history(limit=3)
    for number in range(5):
        bus.emit(Kind.MSG_SEND, code=number)
    assert [event.code for event in bus.history] == [2, 3, 4]
    assert [event.seq for event in bus.history] == [3, 4, 5]


def test_a_listener_may_leave_while_it_is_told() -> None:
    bus = EventBus()
    seen: list[str] = []
    last = bus.listening(lambda event: seen.append("last"))

    def first(event: NodeEvent) -> None:
        seen.append("first")
        last.__exit__(None, None, None)

    with bus.listening(first):
        last.__enter__()
        bus.emit(Kind.ADD)
        assert seen == ["first", "last"]


async def test_stream() -> None:
    bus = EventBus()
    async with bus.stream() as stream:
        bus.emit(Kind.ADD, peer="aa")
        bus.emit(Kind.DROP, peer="aa")
        assert (await anext(stream)).kind is Kind.ADD
        assert (await anext(stream)).kind is Kind.DROP
        waiting = asyncio.ensure_future(anext(stream))
        await asyncio.sleep(0)
        assert not waiting.done()
        bus.emit(Kind.ADD, peer="bb")
        assert (await waiting).peer == "bb"
    assert not bus.active


async def test_a_stream_begins_when_it_is_entered_and_picks_kinds() -> None:
    bus = EventBus()
    bus.emit(Kind.ADD, peer="too early")
    async with bus.stream(Kind.ADD, Kind.DROP) as stream:
        bus.emit(Kind.MSG_SEND)
        bus.emit(Kind.DROP, peer="aa")
        assert (await anext(stream)).kind is Kind.DROP


def test_what_is_forgotten_is_known() -> None:
    bus = EventBus()
    bus.emit(Kind.ADD)
    bus.keep_history(limit=3)
    assert bus.oldest_wall_s is None
    for _ in range(3):
        bus.emit(Kind.ADD)
    assert (bus.oldest_wall_s, bus.forgotten_after(0)) == (None, 0)
    bus.emit(Kind.ADD)
    bus.emit(Kind.ADD)
    oldest = bus.history[0]
    assert bus.oldest_wall_s == oldest.wall_s
    forgotten = [(seq, bus.forgotten_after(bus.last_seq - seq)) for seq in range(5)]
    assert forgotten == [(0, 0), (1, 0), (2, 0), (3, 0), (4, 1)]
    assert bus.forgotten_after(0) == 2


async def test_messages_are_told_to_those_who_ask_and_not_remembered() -> None:
    bus, all_else = EventBus(), []
    bus.keep_history(limit=1)
    bus.listen(all_else.append)
    bus.emit(Kind.ADD)
    assert not bus.messages
    async with (
        bus.stream(Kind.MSG_SEND) as sent,
        bus.stream(only=EventFilter(protocols={"bzz": frozenset({1})})) as one,
    ):
        assert bus.messages
        for kind, protocol, code in (
            (Kind.MSG_SEND, "bzz", 0),
            (Kind.MSG_RECV, "bzz", 0),
            (Kind.MSG_RECV, "bzz", 1),
            (Kind.MSG_SEND, "pss", 1),
        ):
            bus.emit_message(kind, protocol=protocol, code=code, size=3)
        first, second = [await anext(sent) for _ in range(2)]
        assert [(event.protocol, event.code, event.size) for event in (first, second)] == [("bzz", 0, 3), ("pss", 1, 3)]
        only = await anext(one)
        assert (only.kind, only.code) == (Kind.MSG_RECV, 1)
        assert first.seq < only.seq < second.seq
    assert not bus.messages
    bus.emit_message(Kind.MSG_SEND, protocol="bzz", code=0)
    assert [event.kind for event in (*all_else, *bus.history)] == [Kind.ADD, Kind.ADD]


async def test_messages_are_not_among_what_is_forgotten() -> None:
    bus = EventBus()
    bus.keep_history()
    async with bus.stream(Kind.MSG_SEND):
        bus.emit_message(Kind.MSG_SEND, protocol="bzz", code=0)
    bus.emit(Kind.ADD)
    assert [event.seq for event in bus.history] == [2]
    assert (bus.oldest_wall_s, bus.forgotten_after(0)) == (None, 0)


async def test_a_message_that_nobody_wants_is_not_even_built(monkeypatch: pytest.MonkeyPatch) -> None:
    bus = EventBus()
    async with bus.stream(only=EventFilter(protocols={"bzz": None})):
        monkeypatch.setattr(events_module, "NodeEvent", None)
        bus.emit_message(Kind.MSG_SEND, protocol="pss", code=0)
    assert bus.last_seq == 0


async def test_where_messages_are_for_all_nobody_hears_them_twice() -> None:
    bus, heard = EventBus(), []
    bus.tell_messages()
    bus.keep_history()
    bus.listen(heard.append)
    async with bus.stream(Kind.MSG_SEND) as stream:
        bus.emit_message(Kind.MSG_SEND, protocol="bzz", code=0)
        bus.emit_message(Kind.MSG_SEND, protocol="bzz", code=1)
        assert [(await anext(stream)).code for _ in range(2)] == [0, 1]
    assert bus.messages
    assert [event.code for event in heard] == [event.code for event in bus.history] == [0, 1]


@pytest.mark.parametrize(
    ("only", "wants"),
    [
        (EventFilter(), False),
        (EventFilter(kinds=frozenset({Kind.ADD})), False),
        (EventFilter(kinds=frozenset({Kind.ADD, Kind.MSG_RECV})), True),
        (EventFilter(protocols={"bzz": None}), True),
        (EventFilter(protocols={"bzz": None}, kinds=frozenset({Kind.ADD})), False),
        (EventFilter(protocols={"bzz": None}, digest="ab"), False),
    ],
)
def test_who_asks_for_messages(only: EventFilter, wants: bool) -> None:
    assert only.wants_messages is wants


@pytest.mark.parametrize(
    ("only", "passes"),
    [
        (EventFilter(), True),
        (EventFilter(kinds=frozenset({Kind.PSS_SENT})), True),
        (EventFilter(kinds=frozenset({Kind.ADD})), False),
        (EventFilter(protocols={"pss": None}), True),
        (EventFilter(protocols={"pss": frozenset({0})}), True),
        (EventFilter(protocols={"pss": frozenset({1})}), False),
        (EventFilter(protocols={"bzz": None}), False),
        (EventFilter(digest="ab"), True),
        (EventFilter(digest="cd"), False),
    ],
)
def test_what_happens_to_a_pss_message_is_about_the_one_code_of_pss(only: EventFilter, passes: bool) -> None:
    event = NodeEvent(seq=1, wall_s=1.0, mono_s=1.0, kind=Kind.PSS_SENT, protocol="pss", digest="ab")
    assert only.passes(event) is passes


async def test_a_slow_stream_loses_the_oldest_and_can_tell(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events_module, "QUEUE_EVENTS", 2)
    bus = EventBus()
    async with bus.stream() as stream:
        for _ in range(5):
            bus.emit(Kind.ADD)
        assert [(await anext(stream)).seq for _ in range(2)] == [4, 5]
        assert stream.lost == 3


async def test_streams_do_not_take_events_from_each_other() -> None:
    bus = EventBus()
    async with bus.stream() as one, bus.stream() as two:
        bus.emit(Kind.ADD)
        assert (await anext(one)).seq == (await anext(two)).seq == 1


def test_a_listener_goes_on_until_it_is_stopped() -> None:
    bus, heard = EventBus(), []
    stop = bus.listen(heard.append)
    bus.emit(Kind.ADD)
    stop()
    stop()
    bus.emit(Kind.ADD)
    assert [event.kind for event in heard] == [Kind.ADD]
    assert not bus.active
