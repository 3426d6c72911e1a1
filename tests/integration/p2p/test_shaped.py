"""Links with conditions: back-pressure, full buffers, changes and ends, over real sockets."""

from __future__ import annotations

import asyncio
import random

import pytest

from node.disconnect import DisconnectReason
from node.events import Kind
from node.p2p import link as link_module
from node.p2p.link import WRITE_HIGH_WATER_BYTES
from node.p2p.peer import Peer
from node.p2p.protocol import MessagePipe
from node.p2p.server import Server
from node.p2p.shaper import NONE, Conditions
from tests.integration.p2p.conftest import Start
from tests.support.keys import make_key
from tests.support.peers import RawPeer, live_peer
from tests.support.servers import ECHO_CAPS, Collector, make_protocol, round_trip, stay
from tests.support.waiting import recording, until

KEY = make_key(50)
MESSAGE_BYTES = 8_000
NARROW = Conditions(rate_bps=80_000)
"""A message takes 0.8 s."""
SLACK_BYTES = 2 * MESSAGE_BYTES + 10_000
"""Of what is bounded: the message that made it full, and what the frames around messages take."""


def message(number: int) -> bytes:
    """Of random bytes, so that compression leaves it as long as it is."""
    return random.Random(number).randbytes(MESSAGE_BYTES)


class Sender:
    """A protocol that sends while the link takes it, as pss does, and counts what it could not send."""

    def __init__(self) -> None:
        self.pipe: MessagePipe
        self.sent: list[bytes] = []
        self.refused = 0

    async def run(self, peer: Peer, pipe: MessagePipe) -> None:
        self.pipe = pipe
        await stay(peer, pipe)

    def offer(self, count: int) -> None:
        for _ in range(count):
            if self.pipe.congested:
                self.refused += 1
                continue
            self.sent.append(message(len(self.sent)))
            self.pipe.send_nowait(0, self.sent[-1])


async def connect(start: Start) -> tuple[Server, Server, Sender, Collector]:
    """Two servers, what the first sends, what the second gets."""
    sender, collector = Sender(), Collector()
    a, b = await start(1, make_protocol(sender.run)), await start(2, make_protocol(collector.run))
    await a.connect(b.node)
    await until(lambda: hasattr(sender, "pipe") and b.peers)
    return a, b, sender, collector


def shape(server: Server, other: Server, conditions: Conditions) -> None:
    """What goes from one to the other; the seed has nothing to decide here."""
    server.shaping.set({other.id: conditions}, seed=1)


def held_bytes(server: Server) -> int:
    shaper = server.peers[0].link._shaper
    return shaper.held_bytes if shaper is not None else 0


async def fill(sender: Sender) -> None:
    """Offer 400 messages of 8 kB, a few in each turn of the loop."""
    for _ in range(100):
        sender.offer(4)
        await asyncio.sleep(0)


@pytest.mark.parametrize(
    "conditions",
    [NARROW, Conditions(delay_s=60.0), Conditions(blocked=True), Conditions(loss=1.0)],
    ids=["rate", "delay", "blocked", "loss"],
)
async def test_a_shaped_link_fills_up_and_then_takes_no_more(start: Start, conditions: Conditions) -> None:
    a, b, sender, collector = await connect(start)
    shape(a, b, conditions)
    await fill(sender)
    assert sender.pipe.congested
    assert sender.refused > 200
    assert held_bytes(a) <= WRITE_HIGH_WATER_BYTES + 4 * MESSAGE_BYTES + SLACK_BYTES
    sender.offer(1)
    shape(a, b, NONE)
    await until(lambda: len(collector.payloads) == len(sender.sent))
    assert collector.payloads == sender.sent
    assert not sender.pipe.congested
    assert a.peers[0].link._shaper is None


async def test_what_is_offered_in_one_turn_counts_as_well(start: Start) -> None:
    a, b, sender, _ = await connect(start)
    shape(a, b, NARROW)
    sender.offer(400)
    assert sender.refused > 200
    await until(lambda: held_bytes(a))
    assert held_bytes(a) <= WRITE_HIGH_WATER_BYTES + SLACK_BYTES


async def test_a_sender_that_waits_goes_on_at_the_speed_of_the_line(start: Start) -> None:
    """`send` returns while there is room, and then as often as the line makes some."""
    a, b, sender, collector = await connect(start)
    shape(a, b, Conditions(rate_bps=40e6))
    most = 0
    for number in range(500):
        await sender.pipe.send(0, message(number))
        most = max(most, held_bytes(a))
    assert WRITE_HIGH_WATER_BYTES * 0.9 < most <= WRITE_HIGH_WATER_BYTES + SLACK_BYTES
    assert held_bytes(a) > 0
    await until(lambda: len(collector.payloads) == 500)
    assert collector.payloads == [message(number) for number in range(500)]
    assert not sender.pipe.congested


async def test_a_set_delay_is_no_write_time_out(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(link_module, "WRITE_TIMEOUT_S", 0.05)
    a, b, sender, collector = await connect(start)
    with recording(a.events) as events:
        shape(a, b, Conditions(delay_s=0.5))
        await fill(sender)
        assert sender.pipe.congested
        await until(lambda: len(collector.payloads) == len(sender.sent))
        await until(lambda: not sender.pipe.congested)
    assert events.of(Kind.DROP) == []


async def test_a_peer_that_does_not_read_is_a_write_time_out_all_the_same(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(link_module, "WRITE_TIMEOUT_S", 0.2)
    sender = Sender()
    server = await start(1, make_protocol(sender.run))
    async with live_peer(server.node, KEY, ECHO_CAPS) as peer:
        peer.writer.transport.pause_reading()  # type: ignore[attr-defined]
        await until(lambda: server.peers)
        server.shaping.set({KEY.public.node_id: Conditions(delay_s=0.01)}, seed=1)
        with recording(server.events) as events:
            while not events.of(Kind.DROP):
                sender.offer(1)
                await asyncio.sleep(0)
        assert "i/o timeout: nothing taken" in events.of(Kind.DROP)[0].reason


async def test_a_peer_that_reads_slowly_is_none(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each time the limit has passed something was taken; the connection ends when nothing is."""
    monkeypatch.setattr(link_module, "WRITE_TIMEOUT_S", 0.05)
    sender = Sender()
    server = await start(1, make_protocol(sender.run))
    async with live_peer(server.node, KEY, ECHO_CAPS) as peer:
        peer.writer.transport.pause_reading()  # type: ignore[attr-defined]
        await until(lambda: server.peers)
        transport = server.peers[0].link._transport
        with recording(server.events) as events:
            while not sender.pipe.congested:
                sender.offer(1)
                await asyncio.sleep(0)
            sizes = iter(range(900, 400, -100))
            asked: list[int] = []

            def size() -> int:
                asked.append(next(sizes, 500))
                return asked[-1]

            monkeypatch.setattr(transport, "get_write_buffer_size", size)
            await until(lambda: bool(events.of(Kind.DROP)))
        assert len(asked) >= 6
        assert "i/o timeout: nothing taken" in events.of(Kind.DROP)[0].reason


async def test_both_buffers_count_together(start: Start) -> None:
    """Half of it waits in the socket's buffer, as the peer does not read, the other half in the shaper."""
    sender = Sender()
    server = await start(1, make_protocol(sender.run))
    async with live_peer(server.node, KEY, ECHO_CAPS) as peer:
        peer.writer.transport.pause_reading()  # type: ignore[attr-defined]
        await until(lambda: server.peers)
        link = server.peers[0].link
        while link._transport.get_write_buffer_size() < WRITE_HIGH_WATER_BYTES // 2:
            sender.offer(1)
            await asyncio.sleep(0)
        assert not link.congested
        server.shaping.set({KEY.public.node_id: Conditions(blocked=True)}, seed=1)
        while not link.congested:
            sender.offer(1)
            await asyncio.sleep(0)
        full = held_bytes(server) + link._transport.get_write_buffer_size()
        assert WRITE_HIGH_WATER_BYTES < full <= WRITE_HIGH_WATER_BYTES + SLACK_BYTES
        server.shaping.set({}, seed=1)
        peer.writer.transport.resume_reading()
        reading = asyncio.create_task(peer.closed())
        await until(lambda: not link.congested)
        reading.cancel()


async def test_one_layer_taken_back_counts_for_what_waits(start: Start) -> None:
    a, b, sender, collector = await connect(start)
    shape(a, b, Conditions(rate_bps=8_000, delay_s=0.01))
    await fill(sender)
    assert collector.payloads == []
    shape(a, b, Conditions(delay_s=0.01))
    await until(lambda: len(collector.payloads) == len(sender.sent))
    assert collector.payloads == sender.sent


async def test_a_way_that_is_free_again_keeps_its_rate(start: Start) -> None:
    a, b, sender, collector = await connect(start)
    shape(a, b, Conditions(blocked=True))
    await fill(sender)
    shape(a, b, NARROW)
    await until(lambda: collector.payloads)
    assert held_bytes(a) > WRITE_HIGH_WATER_BYTES - 5 * MESSAGE_BYTES
    assert sender.pipe.congested


async def test_what_is_held_is_said_as_the_connection_ends(start: Start) -> None:
    a, b, sender, collector = await connect(start)
    shape(a, b, NARROW)
    sender.offer(20)
    await until(lambda: held_bytes(a))
    with recording(b.events) as events:
        a.remove_peer(b.id)
        dropped = await events.wait(Kind.DROP)
    assert dropped.reason == DisconnectReason.REQUESTED.text
    assert collector.payloads == sender.sent


async def test_what_is_blocked_is_lost_as_the_connection_ends(start: Start) -> None:
    a, b, sender, collector = await connect(start)
    shape(a, b, Conditions(blocked=True))
    await fill(sender)
    shaper = a.peers[0].link._shaper
    assert shaper is not None
    with recording(b.events) as events:
        a.remove_peer(b.id)
        dropped = await events.wait(Kind.DROP)
    assert dropped.reason == "EOF"
    assert collector.payloads == []
    assert shaper.held_bytes == 0


async def test_who_waits_for_room_is_let_go_as_the_connection_ends(start: Start) -> None:
    a, b, sender, _ = await connect(start)
    shape(a, b, Conditions(blocked=True))
    await fill(sender)
    waiting = asyncio.create_task(a.peers[0].link.drained())
    link = a.peers[0].link
    b.remove_peer(a.id)
    a.remove_peer(b.id)
    async with asyncio.timeout(5):
        await waiting
        await link.ended
    assert link._shaper_timer is None or link._shaper_timer.cancelled()


async def test_a_shaped_link_serves_both_ways_while_it_is_full(start: Start) -> None:
    """One direction only: what comes in is read although nothing goes out."""
    a, b, sender, _ = await connect(start)
    shape(a, b, NARROW)
    await fill(sender)
    got: list[bytes] = []
    link = a.peers[0].link
    link.sink.dispatch = lambda code, payload: got.append(payload)  # type: ignore[union-attr,method-assign]
    b.peers[0].pipes["echo"].send_nowait(1, b"\x83are")
    await until(lambda: got == [b"\x83are"])


async def test_a_link_without_conditions_has_no_shaper(server: Server) -> None:
    async with live_peer(server.node, KEY, ECHO_CAPS) as peer:
        await round_trip(peer)
        assert server.peers[0].link._shaper is None
        await slow_and_back(server, peer)
        assert server.peers[0].link._shaper is None


async def slow_and_back(server: Server, peer: RawPeer) -> None:
    server.shaping.set({KEY.public.node_id: Conditions(delay_s=0.05)}, seed=1)
    await round_trip(peer)
    server.shaping.set({}, seed=1)
    await round_trip(peer)
