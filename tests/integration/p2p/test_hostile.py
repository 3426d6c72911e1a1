"""Peers that break the rules or stop: dropped in time, as specified, while a good peer is served all along."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator

import pytest

from node.devp2p import session
from node.devp2p.messages import BaseCode
from node.events import Kind
from node.p2p import link
from node.p2p.peer import Peer
from node.p2p.protocol import MessagePipe
from node.p2p.server import Server
from node.rlpx.frame import MAX_FRAME_BYTES
from tests.integration.p2p.conftest import Start
from tests.support.keys import flip_bit, make_key
from tests.support.peers import CLOSED, RawPeer, encrypted_peer, live_peer, tcp_peer
from tests.support.servers import ECHO_CAPS, PING, PONG, make_protocol, round_trip, still_serves
from tests.support.waiting import Recorder, recording

KEY = make_key(50)
SHORT_S = 0.2
FLOOD = b"\x01"
"""A PING with this payload asks the server to send without end."""


async def answer_or_flood(peer: Peer, pipe: MessagePipe) -> None:
    chunk = os.urandom(1 << 16)
    while True:
        message = await pipe.read()
        while message.payload.startswith(FLOOD):
            if message.payload == FLOOD:
                await pipe.send(PONG, chunk)
            else:  # without looking whether the peer keeps up
                pipe.send_nowait(PONG, chunk)
                await asyncio.sleep(0)
        await pipe.send(PONG, message.payload)


@pytest.fixture
async def server(start: Start) -> Server:
    return await start(1, make_protocol(answer_or_flood))


@pytest.fixture
async def good(server: Server) -> AsyncIterator[RawPeer]:
    """Connected before anything bad happens; has to be served during it and afterwards."""
    async with live_peer(server.node, make_key(40), ECHO_CAPS) as peer:
        await round_trip(peer)
        yield peer


@pytest.fixture
def drops(server: Server) -> AsyncIterator[Recorder]:
    with recording(server.events) as recorder:
        yield recorder  # type: ignore[misc]


async def all_is_well(server: Server, good: RawPeer) -> None:
    await round_trip(good)
    await still_serves(server)
    assert good.connection.handshake_done


# -- before Hello


@pytest.mark.parametrize(
    "wire", [b"GET / HTTP/1.1\r\n\r\n" * 30, bytes(400), b"\x04" * 400, b"\x01\x80" + bytes(384)], ids=lambda w: w[:3]
)
async def test_garbage(server: Server, good: RawPeer, wire: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """Closed at once where no size fits, else with the handshake's time limit; nothing is ever said."""
    with monkeypatch.context() as patch:
        patch.setattr(session, "HANDSHAKE_TIMEOUT_S", SHORT_S)
        async with tcp_peer(server.node, KEY) as peer:
            peer.write(wire)
            await peer.closed()
            assert peer.received_bytes == 0
    await all_is_well(server, good)


@pytest.mark.parametrize("sent", [0, 1, 306, 383])
async def test_half_a_handshake(server: Server, good: RawPeer, sent: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Dropped when the handshake's time is over, not before. The smallest EIP-8 packet has 384 bytes."""
    with monkeypatch.context() as patch:
        patch.setattr(session, "HANDSHAKE_TIMEOUT_S", SHORT_S)
        began = time.monotonic()
        async with tcp_peer(server.node, KEY) as peer:
            peer.write(peer.connection.data_to_send()[:sent])
            await round_trip(good)
            await peer.closed()
            assert SHORT_S * 0.9 <= time.monotonic() - began < SHORT_S + 2
            assert peer.received_bytes == 0
    await all_is_well(server, good)


async def test_a_drip_of_bytes_does_not_extend_the_time(
    server: Server, good: RawPeer, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(session, "HANDSHAKE_TIMEOUT_S", SHORT_S)
        began = time.monotonic()
        async with tcp_peer(server.node, KEY) as peer:
            auth = peer.connection.data_to_send()
            closed = asyncio.create_task(peer.closed())
            for byte in auth[:-1]:
                if closed.done():
                    break
                peer.write(bytes([byte]))
                await asyncio.sleep(0.01)
            await closed
            assert time.monotonic() - began < SHORT_S + 2
    await all_is_well(server, good)


async def test_no_hello(server: Server, good: RawPeer, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(session, "HANDSHAKE_TIMEOUT_S", SHORT_S)
        async with encrypted_peer(server.node, KEY) as peer:
            await peer.receive_hello()
            assert await peer.farewell() is CLOSED
    await all_is_well(server, good)


def test_the_limits_as_specified() -> None:
    """Patched above and below, so their values stand here (spec 01 section 7)."""
    assert session.HANDSHAKE_TIMEOUT_S == 5.0
    assert session.READ_TIMEOUT_S == 30.0
    assert link.WRITE_TIMEOUT_S == 20.0
    assert link.DISCONNECT_WRITE_TIMEOUT_S == 1.0
    assert link.MAX_WRITE_BUFFER_BYTES > 2 * MAX_FRAME_BYTES


async def test_a_hello_over_2048_bytes(server: Server, good: RawPeer) -> None:
    async with encrypted_peer(server.node, KEY) as peer:
        peer.send(BaseCode.HELLO, bytes(2049))
        assert await peer.farewell() is CLOSED
    await all_is_well(server, good)


async def test_a_hello_of_2048_bytes_is_read(server: Server, good: RawPeer) -> None:
    async with encrypted_peer(server.node, KEY) as peer:
        peer.follow_hello = False
        hello = good_hello()
        peer.send(BaseCode.HELLO, hello + bytes(2048 - len(hello)))
        await peer.receive_hello()
        peer.connection.snappy = True
        await round_trip(peer)
    await all_is_well(server, good)


def good_hello() -> bytes:
    from node.devp2p.messages import Hello

    return Hello(version=5, name="long", caps=ECHO_CAPS, id=KEY.public.raw).encode()


async def test_16_mib_announced_before_hello(server: Server, good: RawPeer) -> None:
    """Refused by the header alone: the peer need not send the body, the server does not wait for it."""
    async with encrypted_peer(server.node, KEY) as peer:
        peer.write(peer.frame(BaseCode.HELLO, bytes(MAX_FRAME_BYTES - 1))[:32])
        assert await peer.farewell() is CLOSED
    await all_is_well(server, good)


async def test_a_bad_mac_before_hello(server: Server, good: RawPeer) -> None:
    async with encrypted_peer(server.node, KEY) as peer:
        peer.write(flip_bit(peer.frame(BaseCode.HELLO, good_hello()), 300))
        assert await peer.farewell() is CLOSED
    await all_is_well(server, good)


# -- after Hello


@pytest.mark.parametrize(
    ("block", "text"),
    [
        ("8080800800", "decompressed message too big: 16777216 > 16777215 bytes"),
        ("ffffffff0f00", "decompressed message too big: 4294967295 > 16777215 bytes"),
        ("ffffff0700", "snappy: corrupt input"),
        ("", "snappy: corrupt input"),
    ],
    ids=["one over", "4 GiB", "16 MiB that never come", "nothing"],
)
async def test_a_snappy_bomb(server: Server, good: RawPeer, drops: Recorder, block: str, text: str) -> None:
    async with live_peer(server.node, KEY, ECHO_CAPS) as peer:
        peer.connection.snappy = False
        peer.send(16, bytes.fromhex(block))
        peer.connection.snappy = True
        assert await peer.farewell() is CLOSED
    assert (await drops.wait(Kind.DROP)).reason.startswith(text)
    await all_is_well(server, good)


async def test_an_idle_peer(server: Server, good: RawPeer, drops: Recorder, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(session, "READ_TIMEOUT_S", SHORT_S)
        async with live_peer(server.node, KEY, ECHO_CAPS) as peer:
            await round_trip(good)
            assert await peer.farewell() is CLOSED
        assert (await drops.wait(Kind.DROP)).reason.startswith("i/o timeout: nothing read")
    await all_is_well(server, good)


async def test_a_peer_that_answers_pings_is_not_idle(
    server: Server, good: RawPeer, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(session, "READ_TIMEOUT_S", 0.3)
        patch.setattr(session, "PING_INTERVAL_S", 0.1)
        async with live_peer(server.node, KEY, ECHO_CAPS) as peer:
            for _ in range(6):
                assert (await peer.receive()).code == BaseCode.PING
                peer.send(BaseCode.PONG, b"\xc0")
            await round_trip(peer)
    await all_is_well(server, good)


async def stuck(peer: RawPeer, payload: bytes) -> None:
    """Ask for a flood and read nothing of it."""
    peer.writer.transport.pause_reading()  # type: ignore[attr-defined]
    peer.send(16 + PING, payload)


async def test_a_peer_that_never_reads(
    server: Server, good: RawPeer, drops: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(link, "WRITE_TIMEOUT_S", SHORT_S)
        async with live_peer(server.node, KEY, ECHO_CAPS) as peer:
            await stuck(peer, FLOOD)
            await round_trip(good)
            assert (await drops.wait(Kind.DROP)).reason.startswith("i/o timeout: nothing taken")
    await all_is_well(server, good)


async def test_a_peer_that_never_reads_what_is_sent_without_looking(
    server: Server, good: RawPeer, drops: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(link, "MAX_WRITE_BUFFER_BYTES", 4 << 20)
        async with live_peer(server.node, KEY, ECHO_CAPS) as peer:
            await stuck(peer, FLOOD + FLOOD)
            await round_trip(good)
            assert (await drops.wait(Kind.DROP)).reason == f"write buffer over {4 << 20} bytes"
    await all_is_well(server, good)


async def test_many_at_once(server: Server, good: RawPeer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Forty silent connections take most of the pending places for as long as the handshake may last, and no more."""
    with monkeypatch.context() as patch:
        patch.setattr(session, "HANDSHAKE_TIMEOUT_S", SHORT_S)
        connections = [await asyncio.open_connection("127.0.0.1", server.node.tcp) for _ in range(40)]
        await round_trip(good)
        for reader, writer in connections:
            async with asyncio.timeout(5):
                assert await reader.read() == b""
            writer.close()
            await writer.wait_closed()
    await all_is_well(server, good)
