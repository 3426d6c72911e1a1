"""Subscriptions and events over control: nothing missed, nothing twice, nothing left behind."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import pytest

from node import events as events_module
from node.control import eventstream, servicer
from node.control.convert import event_from_pb
from node.control.gen import control_pb2 as pb
from node.events import Kind
from node.ids import Topic
from node.pss.handlers import Delivery
from node.pss.keystore import format_pubkey_id
from tests.support.control import Caller, controlled, refused
from tests.support.nodes import LabNode, connect, lab_node
from tests.support.waiting import DEADLINE_S, until

TOPIC = Topic(bytes.fromhex("2c26b46b"))


@pytest.fixture
async def sender(node: LabNode) -> AsyncIterator[LabNode]:
    async with lab_node(2) as other:
        await connect(other, node)
        yield other


async def begin(stream: Any) -> None:
    """Take the first response, from which on nothing is missed."""
    async with asyncio.timeout(DEADLINE_S):
        first = await stream.read()
    assert not first.HasField("event" if isinstance(first, pb.StreamEventsResponse) else "message")


async def take(stream: Any, count: int) -> list[Any]:
    async with asyncio.timeout(DEADLINE_S):
        return [await stream.read() for _ in range(count)]


# -- messages


async def test_messages_of_all_kinds(control: Caller, node: LabNode, sender: LabNode) -> None:
    stream = control.Subscribe(pb.SubscribeRequest(topic=TOPIC, raw=True))
    await begin(stream)
    shared = node.pss.keys.set_symmetric_key(bytes(range(32)), TOPIC, b"", add_to_cache=True)
    sym = sender.pss.keys.set_symmetric_key(bytes(range(32)), TOPIC, node.address, add_to_cache=False)
    asym = sender.pss.keys.set_peer_public_key(node.key.public, TOPIC, node.address)
    digests = [
        sender.pss.send_raw(node.address, TOPIC, b"raw"),
        sender.pss.send_symmetric(sym, TOPIC, b"sym"),
        sender.pss.send_asymmetric(asym, TOPIC, b"asym"),
    ]
    messages = [response.message for response in await take(stream, 3)]
    assert [message.digest for message in messages] == digests
    assert [(m.payload, m.asymmetric, m.key_id) for m in messages] == [
        (b"raw", False, ""),
        (b"sym", False, shared),
        (b"asym", True, format_pubkey_id(sender.key.public)),
    ]
    stream.cancel()
    await until(lambda: not node.pss.handlers.topics())


async def test_raw_messages_only_for_those_who_want_them(unix: Caller, node: LabNode, sender: LabNode) -> None:
    stream = unix.Subscribe(pb.SubscribeRequest(topic=TOPIC))
    await begin(stream)
    sender.pss.send_raw(node.address, TOPIC, b"raw")
    key_id = sender.pss.keys.set_peer_public_key(node.key.public, TOPIC, node.address)
    sender.pss.send_asymmetric(key_id, TOPIC, b"sealed")
    (response,) = await take(stream, 1)
    assert response.message.payload == b"sealed"


async def test_a_subscriber_that_is_too_slow_is_told(
    unix: Caller, node: LabNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(servicer, "MAX_QUEUED_MESSAGES", 2)
    stream = unix.Subscribe(pb.SubscribeRequest(topic=TOPIC))
    await begin(stream)
    (handler,) = node.pss.handlers.listening(TOPIC, raw=False)
    delivery = delivery_of(b"hello")
    for _ in range(3):  # in one go: nothing is read in between
        handler.callback(delivery)

    async def read_on() -> None:
        while await stream.read() is not grpc.aio.EOF:
            pass

    await refused(read_on(), grpc.StatusCode.RESOURCE_EXHAUSTED, "subscriber is too slow")
    await until(lambda: not node.pss.handlers.topics())


def delivery_of(payload: bytes) -> Delivery:
    return Delivery(
        digest=bytes(32),  # type: ignore[arg-type]
        topic=TOPIC,
        payload=payload,
        raw=False,
        asymmetric=False,
        key_id="",
        sender=None,
        sender_address=b"",
    )


@pytest.mark.parametrize("topic", [b"", b"abc", b"abcde"])
async def test_a_subscription_needs_a_topic(unix: Caller, topic: bytes) -> None:
    stream = unix.Subscribe(pb.SubscribeRequest(topic=topic))
    await refused(stream.read(), grpc.StatusCode.INVALID_ARGUMENT, f"topic: want 4 bytes, got {len(topic)}")


# -- events


async def history(caller: Caller, *kinds: str, digest: str = "") -> list[Any]:
    request = pb.StreamEventsRequest(kinds=kinds, history=True, digest=digest)
    responses = [response async for response in caller.StreamEvents(request)]
    assert not responses.pop().HasField("event"), "the last one says that history is over"
    return [response.event for response in responses]


async def test_history_is_what_happened_since_control_began(control: Caller, node: LabNode) -> None:
    assert await history(control) == []
    async with lab_node(2) as other:
        await connect(node, other)
        events = await history(control)
        assert [event.seq for event in events] == list(range(events[0].seq, events[0].seq + len(events)))
        assert {"dial", "add", "kad.on"} <= {event.kind for event in events}
        assert {event.node for event in events} == {"alice"}
        (added,) = await history(control, "add")
        assert (added.peer, added.remote) == (other.enode.id.hex(), other.node.server.listen_addr)
        assert [event_from_pb(event) for event in events] == node.events.events[-len(events) :]


async def test_history_of_one_message(unix: Caller, node: LabNode, sender: LabNode) -> None:
    node.listen(TOPIC, raw=True)
    digests = [sender.pss.send_raw(node.address, TOPIC, b"%d" % number).hex() for number in range(3)]
    await until(lambda: len(node.inbox) == 3)
    events = await history(unix, digest=digests[1])
    assert [event.kind for event in events] == ["pss.received", "pss.delivered"]
    assert [event.kind for event in await history(unix, "pss.delivered", digest=digests[2])] == ["pss.delivered"]


async def test_history_then_live_without_gap_or_duplicate(control: Caller, node: LabNode) -> None:
    """Events keep coming while history is being sent."""
    bus = node.node.events
    total = 3000
    for number in range(1000):
        bus.emit(Kind.MSG_SEND, size=number)
    stream = control.StreamEvents(pb.StreamEventsRequest(kinds=["msgsend"], history=True, follow=True))

    async def emit_more() -> None:
        for number in range(1000, total):
            bus.emit(Kind.MSG_SEND, size=number)
            if number % 10 == 0:
                await asyncio.sleep(0)

    emitting = asyncio.create_task(emit_more())
    sizes: list[int] = []
    marks = 0
    async with asyncio.timeout(DEADLINE_S):
        while len(sizes) < total:
            response = await stream.read()
            if response.HasField("event"):
                sizes.append(response.event.size)
            else:
                marks += 1
    await emitting
    assert sizes == list(range(total))
    assert marks == 1


async def test_following_shows_what_happens_from_now_on(control: Caller, node: LabNode) -> None:
    node.node.events.emit(Kind.ADD, peer="before")
    stream = control.StreamEvents(pb.StreamEventsRequest(kinds=["add", "drop"], follow=True))
    await begin(stream)
    node.node.events.emit(Kind.DIAL, peer="other kind")
    node.node.events.emit(Kind.ADD, peer="after")
    node.node.events.emit(Kind.DROP, peer="after", reason="EOF", code=0)
    added, dropped = [response.event for response in await take(stream, 2)]
    assert (added.peer, added.HasField("code")) == ("after", False)
    assert (dropped.kind, dropped.reason, dropped.HasField("code"), dropped.code) == ("drop", "EOF", True, 0)


async def test_messages_only_for_those_who_ask_for_them(control: Caller, node: LabNode) -> None:
    """By kind or by a filter; others hear the rest, and nobody remembers them."""
    everything = control.StreamEvents(pb.StreamEventsRequest(follow=True))
    sent = control.StreamEvents(pb.StreamEventsRequest(kinds=["msgsend"], follow=True))
    bzz = pb.EventFilter(protocol="bzz", codes=[0])
    shakes = control.StreamEvents(pb.StreamEventsRequest(filters=[bzz], follow=True))
    for stream in (everything, sent, shakes):
        await begin(stream)
    async with lab_node(2) as other:
        await connect(other, node)
        sends, both = await take(sent, 1), await take(shakes, 2)
        assert {(one.event.kind, one.event.protocol, one.event.code) for one in both} == {
            ("msgrecv", "bzz", 0),
            ("msgsend", "bzz", 0),
        }
        assert all(one.event.size > 40 and one.event.peer == other.enode.id.hex() for one in both)
        assert {one.event.kind for one in sends} == {"msgsend"}
        node.node.events.emit(Kind.DIAL, peer="the end")
        kinds = []
        while not kinds or kinds[-1] != "dial":
            kinds += [one.event.kind for one in await take(everything, 1)]
        assert {"add", "kad.on"} <= set(kinds)
        assert not {"msgsend", "msgrecv"} & set(kinds)
    for stream in (everything, sent, shakes):
        stream.cancel()
    await until(lambda: not node.node.events.messages)
    assert not {"msgsend", "msgrecv"} & {event.kind for event in await history(control)}


async def test_history_by_protocol_and_code(unix: Caller, node: LabNode, sender: LabNode) -> None:
    node.listen(TOPIC, raw=True)
    sender.pss.send_raw(node.address, TOPIC, b"hi")
    await until(lambda: node.inbox)
    for codes, expected in (
        ([], ["pss.received", "pss.delivered"]),
        ([0], ["pss.received", "pss.delivered"]),
        ([1], []),
    ):
        request = pb.StreamEventsRequest(history=True, filters=[pb.EventFilter(protocol="pss", codes=codes)])
        assert [one.event.kind async for one in unix.StreamEvents(request) if one.HasField("event")] == expected


async def test_the_last_of_history(unix: Caller, node: LabNode) -> None:
    bus = node.node.events
    for kind in (Kind.DROP, Kind.ADD, Kind.DROP, Kind.DROP, Kind.ADD):
        bus.emit(kind)
    request = pb.StreamEventsRequest(history=True, kinds=["drop"], limit=2)
    *past, mark = [response async for response in unix.StreamEvents(request)]
    assert [bus.last_seq - one.event.seq for one in past] == [2, 1]
    assert (mark.last_seq, mark.started_wall_s, mark.oldest_wall_s) == (bus.last_seq, bus.started_wall_s, 0.0)


async def test_going_on_where_one_left_off(unix: Caller, node: LabNode) -> None:
    bus = node.node.events
    bus.keep_history(limit=3)
    for _ in range(6):
        bus.emit(Kind.ADD)
    last = bus.last_seq

    async def ask(after: int, started_wall_s: float) -> tuple[list[int], int]:
        request = pb.StreamEventsRequest(history=True, after_seq=after, started_wall_s=started_wall_s)
        *past, mark = [response async for response in unix.StreamEvents(request)]
        assert mark.oldest_wall_s == bus.history[0].wall_s
        return [last - one.event.seq for one in past], mark.forgotten

    assert await ask(last - 1, bus.started_wall_s) == ([0], 0)
    assert await ask(last - 3, bus.started_wall_s) == ([2, 1, 0], 0)
    assert await ask(last - 5, bus.started_wall_s) == ([2, 1, 0], 2)
    # Restarted meanwhile: what was counted then says nothing of now.
    assert await ask(last - 1, bus.started_wall_s - 1) == ([2, 1, 0], 3)


async def test_events_that_come_too_fast_are_counted(
    unix: Caller, node: LabNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events_module, "QUEUE_EVENTS", 2)
    stream = unix.StreamEvents(pb.StreamEventsRequest(kinds=["add"], follow=True))
    await begin(stream)
    for _ in range(5):
        node.node.events.emit(Kind.ADD)
    first, second = await take(stream, 2)
    assert (first.lost, second.lost) == (3, 0)


async def test_how_far_the_node_has_come_while_nothing_is_wanted(
    unix: Caller, node: LabNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(eventstream, "POSITION_S", 0.01)
    stream = unix.StreamEvents(pb.StreamEventsRequest(kinds=["drop"], follow=True))
    await begin(stream)
    node.node.events.emit(Kind.ADD)
    (position,) = await take(stream, 1)
    assert (position.HasField("event"), position.last_seq) == (False, node.node.events.last_seq)


async def test_neither_history_nor_following_is_just_the_mark(unix: Caller, node: LabNode) -> None:
    node.node.events.emit(Kind.ADD)
    responses = [response async for response in unix.StreamEvents(pb.StreamEventsRequest())]
    assert [response.HasField("event") for response in responses] == [False]


async def test_an_unknown_kind_is_named(unix: Caller) -> None:
    stream = unix.StreamEvents(pb.StreamEventsRequest(kinds=["add", "nonsense"], history=True))
    await refused(stream.read(), grpc.StatusCode.INVALID_ARGUMENT, "kinds: 'nonsense' is not a valid Kind")


async def test_events_hold_neither_plaintext_nor_keys(unix: Caller, node: LabNode, sender: LabNode) -> None:
    node.listen(TOPIC)
    key = bytes(range(200, 232))
    node.pss.keys.set_symmetric_key(key, TOPIC, b"", add_to_cache=True)
    key_id = sender.pss.keys.set_symmetric_key(key, TOPIC, node.address, add_to_cache=False)
    sender.pss.send_symmetric(key_id, TOPIC, b"for two only")
    await until(lambda: node.inbox)
    everything = str(await history(unix)) + repr(sender.events.events) + repr(node.inbox)
    for secret in ("for two only", key.hex(), b"for two only".hex(), node.key.secret.hex(), sender.key.secret.hex()):
        assert secret not in everything


async def test_the_control_interface_goes_away_while_streams_are_open(node: LabNode, tmp_path: Path) -> None:
    """Within its grace, and without a task left over."""
    before = asyncio.all_tasks()
    async with asyncio.timeout(DEADLINE_S):
        async with controlled(node, tmp_path) as caller:
            streams = [
                caller.Subscribe(pb.SubscribeRequest(topic=TOPIC)),
                caller.StreamEvents(pb.StreamEventsRequest(follow=True)),
            ]
            for stream in streams:
                await begin(stream)
        await until(lambda: not node.pss.handlers.topics())
        await until(lambda: {task for task in asyncio.all_tasks() if "StreamEvents" in repr(task)} <= before)
