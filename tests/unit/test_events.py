"""node.events: what happens in a node, as data (spec 02 section 8)."""

from __future__ import annotations

import asyncio

import pytest

from node import events as events_module
from node.events import EventBus, Kind, NodeEvent


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


async def test_a_slow_stream_loses_the_oldest_and_can_tell(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events_module, "QUEUE_EVENTS", 2)
    bus = EventBus()
    async with bus.stream() as stream:
        for _ in range(5):
            bus.emit(Kind.ADD)
        assert [(await anext(stream)).seq for _ in range(2)] == [4, 5]


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
