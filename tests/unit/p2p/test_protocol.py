"""node.p2p.protocol: a protocol's end of a connection (spec 02 section 7)."""

from __future__ import annotations

import asyncio
from typing import cast

import pytest

from node.disconnect import DisconnectReason
from node.errors import LocalProtocolError, PeerDisconnected
from node.events import EventBus, EventFilter, Kind
from node.p2p.inbox import Message
from node.p2p.peer import Peer
from node.p2p.protocol import MAX_INBOX_MESSAGES, MessagePipe, Protocol

OFFSET = 20
GONE = PeerDisconnected("client quitting", reason=DisconnectReason.QUITTING)


class FakeLink:
    congested = False

    def __init__(self) -> None:
        self.sent: list[tuple[int, bytes]] = []

    def send(self, code: int, payload: bytes) -> None:
        self.sent.append((code, payload))

    async def drained(self) -> None:
        return


class FakePeer:
    """What a pipe sees of a peer."""

    def __init__(self) -> None:
        self.link, self.events = FakeLink(), EventBus()
        self.drained = 0
        self.told = 0

    def inbox_drained(self) -> None:
        self.drained += 1

    def emit_message(self, kind: Kind, *, protocol: str, code: int, size: int) -> None:
        self.told += 1
        self.events.emit_message(kind, protocol=protocol, code=code, size=size)


async def nothing(peer: Peer, pipe: MessagePipe) -> None:
    """Never called here."""


def make_pipe() -> tuple[MessagePipe, FakePeer]:
    peer = FakePeer()
    return MessagePipe(cast(Peer, peer), Protocol(name="foo", version=1, length=3, run=nothing), OFFSET), peer


async def test_messages_are_read_in_order() -> None:
    pipe, _ = make_pipe()
    for code in range(3):
        assert pipe.deliver(code, bytes([code]))
    assert [await pipe.read() for _ in range(3)] == [Message(code, bytes([code])) for code in range(3)]


async def test_read_waits_for_a_message() -> None:
    pipe, _ = make_pipe()
    reading = asyncio.create_task(pipe.read())
    await asyncio.sleep(0)
    assert not reading.done()
    pipe.deliver(1, b"x")
    assert await reading == Message(1, b"x")


def test_a_full_inbox_asks_for_a_pause() -> None:
    pipe, _ = make_pipe()
    answers = [pipe.deliver(0, b"") for _ in range(MAX_INBOX_MESSAGES)]
    assert answers == [True] * (MAX_INBOX_MESSAGES - 1) + [False]


async def test_reading_half_of_it_ends_the_pause() -> None:
    pipe, peer = make_pipe()
    for _ in range(MAX_INBOX_MESSAGES):
        pipe.deliver(0, b"")
    for _ in range(MAX_INBOX_MESSAGES // 2 - 1):
        await pipe.read()
    assert peer.drained == 0
    await pipe.read()
    assert peer.drained == 1


@pytest.mark.parametrize("code", [-1, 3, 100])
def test_a_code_that_is_not_ours_is_not_sent(code: int) -> None:
    pipe, peer = make_pipe()
    with pytest.raises(LocalProtocolError, match=r"invalid message code.*not handled"):
        pipe.send_nowait(code, b"")
    assert peer.link.sent == []


async def test_codes_are_relative() -> None:
    pipe, peer = make_pipe()
    await pipe.send(2, b"x")
    assert peer.link.sent == [(22, b"x")]


async def test_after_the_end_nothing_can_be_read_or_sent() -> None:
    pipe, peer = make_pipe()
    pipe.end(GONE)
    assert pipe.closed
    with pytest.raises(PeerDisconnected) as caught:
        await pipe.read()
    assert caught.value is GONE
    with pytest.raises(PeerDisconnected, match="shutting down") as caught:
        await pipe.send(0, b"")
    assert caught.value.reason is DisconnectReason.QUITTING
    assert peer.link.sent == []


async def test_a_waiting_reader_is_told_of_the_end() -> None:
    pipe, _ = make_pipe()
    reading = asyncio.create_task(pipe.read())
    await asyncio.sleep(0)
    pipe.end(GONE)
    with pytest.raises(PeerDisconnected):
        await reading


async def test_what_came_before_the_peer_left_can_still_be_read() -> None:
    """The reference's reader hands a message over before it looks at the next, Disconnect included."""
    pipe, _ = make_pipe()
    pipe.deliver(0, b"last words")
    pipe.end(GONE)
    assert await pipe.read() == Message(0, b"last words")
    with pytest.raises(PeerDisconnected):
        await pipe.read()


async def test_what_waits_is_dropped_when_we_end_it() -> None:
    pipe, _ = make_pipe()
    pipe.deliver(0, b"")
    pipe.end(PeerDisconnected("disconnect requested", by_remote=False))
    with pytest.raises(PeerDisconnected):
        await pipe.read()


async def test_serve_hands_over_what_waits_and_what_comes() -> None:
    pipe, _ = make_pipe()
    got: list[tuple[int, bytes]] = []
    pipe.deliver(0, b"before")
    serving = asyncio.create_task(pipe.serve(lambda code, payload: got.append((code, payload))))
    await asyncio.sleep(0)
    assert pipe.deliver(1, b"at once")
    assert got == [(0, b"before"), (1, b"at once")]
    pipe.end(GONE)
    await serving


async def test_a_handler_never_fills_the_inbox() -> None:
    pipe, _ = make_pipe()
    serving = asyncio.create_task(pipe.serve(lambda code, payload: None))
    await asyncio.sleep(0)
    assert all(pipe.deliver(0, b"") for _ in range(2 * MAX_INBOX_MESSAGES))
    pipe.end(GONE)
    await serving


async def test_what_a_handler_raises_ends_serve() -> None:
    pipe, _ = make_pipe()
    seen = []

    def handler(code: int, payload: bytes) -> None:
        seen.append(code)
        raise LookupError("no such thing")

    serving = asyncio.create_task(pipe.serve(handler))
    await asyncio.sleep(0)
    pipe.deliver(0, b"")
    pipe.deliver(1, b"")
    with pytest.raises(LookupError, match="no such thing"):
        await serving
    assert seen == [0]


async def test_message_events_at_read_and_send() -> None:
    pipe, peer = make_pipe()
    async with peer.events.stream(Kind.MSG_SEND, Kind.MSG_RECV) as events:
        pipe.deliver(1, b"abc")
        assert peer.told == 0
        await pipe.read()
        await pipe.send(0, b"")
        told = [await anext(events) for _ in range(2)]
    assert [(one.kind, one.protocol, one.code, one.size) for one in told] == [
        (Kind.MSG_RECV, "foo", 1, 3),
        (Kind.MSG_SEND, "foo", 0, 0),
    ]


async def test_message_events_of_a_handler() -> None:
    pipe, peer = make_pipe()
    codes: list[int] = []
    serving = asyncio.create_task(pipe.serve(lambda code, payload: codes.append(code)))
    await asyncio.sleep(0)
    pipe.deliver(0, b"")
    async with peer.events.stream(only=EventFilter(protocols={"foo": frozenset({2})})) as events:
        pipe.deliver(1, b"")
        pipe.deliver(2, b"")
        assert (await anext(events)).code == 2
    pipe.deliver(2, b"")
    assert codes == [0, 1, 2, 2]
    assert peer.told == 2, "only while somebody asked"
    serving.cancel()


async def test_messages_cost_nothing_while_nobody_asks_for_them() -> None:
    """Also while somebody listens to all else, and history is kept: nothing is gathered."""
    pipe, peer = make_pipe()
    peer.events.keep_history()
    async with peer.events.stream():
        pipe.deliver(1, b"abc")
        await pipe.read()
        await pipe.send(0, b"")
    assert peer.told == 0
