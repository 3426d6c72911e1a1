"""Order, back-pressure and large messages between two servers (spec 02 section 7)."""

from __future__ import annotations

import asyncio
import os

from node.events import Kind
from node.p2p.peer import Peer
from node.p2p.protocol import MAX_INBOX_BYTES, MessagePipe
from node.p2p.server import Server
from node.rlpx.snappy import MAX_DECOMPRESSED_BYTES
from tests.integration.p2p.conftest import Start
from tests.support.keys import make_key
from tests.support.peers import live_peer
from tests.support.servers import ECHO_CAPS, Collector, make_protocol, round_trip
from tests.support.waiting import recording, until

CHUNK = os.urandom(1 << 16)


class Sender:
    """A protocol that sends a list of payloads and then waits for the end."""

    def __init__(self, payloads: list[bytes]) -> None:
        self.payloads = payloads
        self.sent = 0
        self.pipe: MessagePipe

    async def run(self, peer: Peer, pipe: MessagePipe) -> None:
        self.pipe = pipe
        for payload in self.payloads:
            await pipe.send(0, payload)
            self.sent += 1
        await pipe.read()


def numbered(count: int) -> list[bytes]:
    return [number.to_bytes(4, "big") for number in range(count)]


async def connect(start: Start, sender: Sender, collector: Collector) -> tuple[Server, Server]:
    a, b = await start(1, make_protocol(sender.run)), await start(2, make_protocol(collector.run))
    a.add_peer(b.node)
    return a, b


async def test_5000_messages_arrive_in_order(start: Start) -> None:
    sender, collector = Sender(numbered(5000)), Collector()
    await connect(start, sender, collector)
    await until(lambda: len(collector.payloads) == 5000, timeout_s=20)
    assert collector.payloads == sender.payloads


async def test_both_directions_at_once(start: Start) -> None:
    got: dict[bool, list[bytes]] = {True: [], False: []}

    async def talk(peer: Peer, pipe: MessagePipe) -> None:
        async def say() -> None:
            for payload in numbered(2000):
                await pipe.send(1, payload)

        async with asyncio.TaskGroup() as group:
            group.create_task(say())
            while len(got[peer.inbound]) < 2000:
                got[peer.inbound].append((await pipe.read()).payload)
        await pipe.read()

    a, b = await start(1, make_protocol(talk)), await start(2, make_protocol(talk))
    a.add_peer(b.node)
    await until(lambda: all(len(payloads) == 2000 for payloads in got.values()), timeout_s=20)
    assert got[True] == got[False] == numbered(2000)


async def test_a_protocol_that_does_not_read_blocks_the_sender(start: Start) -> None:
    """Its side stops reading the socket; once it reads, everything arrives."""
    payloads = [number + CHUNK for number in numbered(400)]
    sender, collector = Sender(payloads), Collector(reading=False)
    _, b = await connect(start, sender, collector)
    await until(lambda: sender.sent and sender.pipe.congested)
    await until(lambda: b.peers[0]._paused)
    blocked_at = sender.sent
    assert blocked_at < 400
    for _ in range(100):  # nothing moves any more, however long the loop turns
        await asyncio.sleep(0)
    assert sender.sent == blocked_at
    waiting = b.peers[0].pipes["echo"].inbox.size_bytes
    assert MAX_INBOX_BYTES <= waiting < MAX_INBOX_BYTES + 2 * len(payloads[0])
    collector.go.set()
    await until(lambda: len(collector.payloads) == 400, timeout_s=20)
    assert collector.payloads == payloads
    assert not sender.pipe.congested
    assert not b.peers[0]._paused


async def test_small_messages_to_a_protocol_that_does_not_read(start: Start) -> None:
    sender, collector = Sender(numbered(3000)), Collector(reading=False)
    _, b = await connect(start, sender, collector)
    await until(lambda: b.peer_count and b.peers[0]._paused)
    collector.go.set()
    await until(lambda: len(collector.payloads) == 3000, timeout_s=20)
    assert collector.payloads == sender.payloads


async def test_one_slow_protocol_does_not_hold_up_other_peers(start: Start) -> None:
    slow = Collector(reading=False)

    async def run(peer: Peer, pipe: MessagePipe) -> None:
        if peer.id == make_key(50).public.node_id:
            await slow.run(peer, pipe)
        while True:
            await pipe.send(1, (await pipe.read()).payload)

    server = await start(1, make_protocol(run))
    async with (
        live_peer(server.node, make_key(50), ECHO_CAPS) as one,
        live_peer(server.node, make_key(51), ECHO_CAPS) as other,
    ):
        for _ in range(100):
            one.send(16, CHUNK[:100])
        await until(lambda: any(peer._paused for peer in server.peers))
        for _ in range(10):
            await round_trip(other)
        slow.go.set()
        await until(lambda: len(slow.payloads) == 100)


async def test_a_session_that_ends_frees_a_blocked_sender(start: Start) -> None:
    sender, collector = Sender([CHUNK] * 1000), Collector(reading=False)
    a, b = await connect(start, sender, collector)
    await until(lambda: sender.sent and sender.pipe.congested)
    with recording(a.events) as events:
        a.remove_peer(b.id)
        await events.wait(Kind.DROP)
    assert sender.sent < 1000


async def test_the_largest_message(start: Start) -> None:
    """16 MiB less one byte before compression, and it arrives whole."""
    payload = bytes(MAX_DECOMPRESSED_BYTES)
    sender, collector = Sender([payload]), Collector()
    await connect(start, sender, collector)
    await until(lambda: collector.payloads, timeout_s=20)
    assert collector.payloads == [payload]


async def test_a_message_too_large_ends_the_protocol_that_sends_it(start: Start) -> None:
    sender, collector = Sender([bytes(MAX_DECOMPRESSED_BYTES + 1)]), Collector()
    with_events = await start(1, make_protocol(sender.run))
    other = await start(2, make_protocol(collector.run))
    with recording(with_events.events) as events:
        with_events.add_peer(other.node)
        assert (await events.wait(Kind.DROP)).reason.startswith("message length >= 16MB")
