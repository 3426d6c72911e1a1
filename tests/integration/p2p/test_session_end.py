"""How sessions end: what is written, and what the `drop` event says (the table of spec 02 section 7)."""

from __future__ import annotations

import asyncio

import pytest

from node.devp2p.messages import BaseCode, encode_disconnect
from node.disconnect import DisconnectReason
from node.errors import LabError, MalformedMessage, PeerDisconnected, RemoteProtocolError
from node.events import Kind
from node.p2p.peer import Peer
from node.p2p.protocol import MessagePipe
from node.p2p.server import Server
from tests.integration.p2p.conftest import Start
from tests.support.keys import flip_bit, make_key
from tests.support.peers import CLOSED, live_peer
from tests.support.servers import ECHO_CAPS, Collector, Run, make_protocol, round_trip, stay, still_serves
from tests.support.waiting import recording, until

KEY = make_key(50)


def fails_with(error: Exception | None) -> Run:
    """A protocol that reads one message and ends."""

    async def run(peer: Peer, pipe: MessagePipe) -> None:
        await pipe.read()
        if error is not None:
            raise error

    return run


async def sends_a_bad_code(peer: Peer, pipe: MessagePipe) -> None:
    await pipe.read()
    await pipe.send(2, b"")


async def drops_the_peer(peer: Peer, pipe: MessagePipe) -> None:
    await pipe.read()
    peer.disconnect(DisconnectReason.SUBPROTOCOL_ERROR)
    await pipe.read()


@pytest.mark.parametrize(
    ("run", "reason", "text"),
    [
        (fails_with(None), 8, "protocol returned"),
        (fails_with(PeerDisconnected("too many peers", reason=DisconnectReason.TOO_MANY_PEERS)), 4, "too many peers"),
        (fails_with(MalformedMessage("invalid message")), 2, "invalid message"),
        (sends_a_bad_code, 2, "invalid message code: echo has 2 codes, not handled: 2"),
        (fails_with(RemoteProtocolError("bad manners")), 16, "bad manners"),
        (fails_with(MalformedMessage("mine", reason=DisconnectReason.SUBPROTOCOL_ERROR)), 16, "mine"),
        (fails_with(LookupError("anything else")), 16, "anything else"),
        (fails_with(LabError("ours")), 16, "ours"),
        (fails_with(EOFError("EOF")), 16, "EOF"),
        (fails_with(TimeoutError()), 16, "TimeoutError"),
        (drops_the_peer, 16, "subprotocol error"),
    ],
    ids=[
        "returned",
        "reason",
        "raw decode error",
        "bad code",
        "peer at fault",
        "judged",
        "other",
        "ours",
        "EOF",
        "no text",
        "dropped",
    ],
)
async def test_a_protocol_ends_the_session(start: Start, run: Run, reason: int, text: str) -> None:
    server = await start(1, make_protocol(run))
    with recording(server.events) as events:
        async with live_peer(server.node, KEY, ECHO_CAPS) as peer:
            peer.send(16, b"\xc0")
            assert await peer.farewell() == reason
        assert (await events.wait(Kind.DROP)).reason == text


async def test_the_other_side_sees_client_quitting(start: Start) -> None:
    async def leave(peer: Peer, pipe: MessagePipe) -> None:
        return

    a, b = await start(1, make_protocol(leave)), await start(2, make_protocol(stay))
    with recording(a.events) as of_a, recording(b.events) as of_b:
        a.add_peer(b.node)
        assert (await of_a.wait(Kind.DROP)).reason == "protocol returned"
        assert (await of_b.wait(Kind.DROP)).reason == "client quitting"


async def test_remove_peer_is_reason_0(server: Server) -> None:
    with recording(server.events) as events:
        async with live_peer(server.node, KEY, ECHO_CAPS) as peer:
            await until(lambda: server.peer_count)
            server.remove_peer(KEY.public.node_id)
            assert await peer.farewell() == DisconnectReason.REQUESTED
        assert (await events.wait(Kind.DROP)).reason == "disconnect requested"


async def test_stop_is_reason_8(server: Server) -> None:
    with recording(server.events) as events:
        async with live_peer(server.node, KEY, ECHO_CAPS) as peer:
            await round_trip(peer)
            await server.stop()
            assert await peer.farewell() == DisconnectReason.QUITTING
        assert [event.reason for event in events.of(Kind.DROP)] == ["client quitting"]


@pytest.mark.parametrize(
    ("payload", "echoed", "text"),
    [
        ("c180", 0, "disconnect requested"),
        ("c104", 4, "too many peers"),
        ("c110", 16, "subprotocol error"),
        ("c108ff", 8, "client quitting"),
        ("08", 0, "disconnect requested"),
        ("c101", CLOSED, "network error"),
        ("c10c", CLOSED, ""),
        ("c111", CLOSED, "unknown disconnect reason 17"),
        ("c3820104", CLOSED, "unknown disconnect reason 260"),
    ],
)
async def test_a_disconnect_is_echoed(server: Server, payload: str, echoed: int | None, text: str) -> None:
    """Spec 02 section 4.3, except for numbers that no peer should be sent."""
    with recording(server.events) as events:
        async with live_peer(server.node, KEY, ECHO_CAPS) as peer:
            peer.send(BaseCode.DISCONNECT, bytes.fromhex(payload))
            assert await peer.farewell() == echoed
        assert (await events.wait(Kind.DROP)).reason == text


async def test_an_uncompressed_disconnect_is_understood(server: Server) -> None:
    """Spec 01 pitfall 10."""
    with recording(server.events) as events:
        async with live_peer(server.node, KEY, ECHO_CAPS) as peer:
            peer.connection.snappy = False
            peer.send(BaseCode.DISCONNECT, encode_disconnect(DisconnectReason.USELESS_PEER))
            assert (await events.wait(Kind.DROP)).reason == "useless peer"


async def test_nothing_after_a_disconnect_is_processed(start: Start) -> None:
    collector = Collector()
    server = await start(1, make_protocol(collector.run))
    with recording(server.events) as events:
        async with live_peer(server.node, KEY, ECHO_CAPS) as peer:
            peer.write(
                peer.frame(16, b"before")
                + peer.frame(BaseCode.DISCONNECT, encode_disconnect(DisconnectReason.QUITTING))
                + peer.frame(16, b"after")
            )
            await events.wait(Kind.DROP)
    assert collector.payloads == [b"before"]


async def test_last_words_reach_the_protocol(start: Start) -> None:
    """Hello, messages and Disconnect in one piece: a protocol gets every message that came before the end (A4)."""
    collector = Collector()
    server = await start(1, make_protocol(collector.run))
    with recording(server.events) as events:
        async with live_peer(server.node, make_key(51), ECHO_CAPS) as peer:
            words = [bytes([n]) for n in range(10)]
            peer.write(
                b"".join(peer.frame(16, word) for word in words)
                + peer.frame(BaseCode.DISCONNECT, encode_disconnect(DisconnectReason.QUITTING))
            )
            assert (await events.wait(Kind.DROP)).reason == "client quitting"
    assert collector.payloads == words


async def test_last_words_of_a_server_that_leaves_at_once(start: Start) -> None:
    """Tutorial A4: send one message and return."""

    async def say_and_leave(peer: Peer, pipe: MessagePipe) -> None:
        for n in range(10):
            await pipe.send(0, bytes([n]))

    collector = Collector()
    a, b = await start(1, make_protocol(say_and_leave)), await start(2, make_protocol(collector.run))
    with recording(b.events) as events:
        a.add_peer(b.node)
        await events.wait(Kind.DROP)
    assert collector.payloads == [bytes([n]) for n in range(10)]


async def test_an_unknown_wire_code_closes_silently(server: Server) -> None:
    with recording(server.events) as events:
        async with live_peer(server.node, KEY, ECHO_CAPS) as peer:
            peer.send(18, b"\xc0")
            assert await peer.farewell() is CLOSED
        assert (await events.wait(Kind.DROP)).reason == "msg code out of range: 18"
    await still_serves(server)


async def test_the_end_of_the_tcp_stream(server: Server) -> None:
    with recording(server.events) as events:
        async with live_peer(server.node, KEY, ECHO_CAPS) as peer:
            peer.writer.write_eof()
            assert await peer.farewell() is CLOSED
        assert (await events.wait(Kind.DROP)).reason == "EOF"


async def test_a_reset(server: Server) -> None:
    with recording(server.events) as events:
        async with live_peer(server.node, KEY, ECHO_CAPS):
            await until(lambda: server.peer_count)
        assert (await events.wait(Kind.DROP)).reason


@pytest.mark.parametrize(("bit", "text"), [(0, "bad header MAC"), (200, "bad header MAC"), (256, "bad frame MAC")])
async def test_a_bad_mac(server: Server, bit: int, text: str) -> None:
    with recording(server.events) as events:
        async with live_peer(server.node, KEY, ECHO_CAPS) as peer:
            peer.write(flip_bit(peer.frame(16, b"payload"), bit))
            assert await peer.farewell() is CLOSED
        assert (await events.wait(Kind.DROP)).reason == text
    await still_serves(server)


async def test_base_messages_that_are_ignored(server: Server) -> None:
    """A second Hello, Pong and the reserved codes; Ping is answered whatever it carries."""
    with recording(server.events) as events:
        async with live_peer(server.node, KEY, ECHO_CAPS) as peer:
            for code in (0, 3, *range(4, 16)):
                peer.send(code, b"\xff")
            peer.send(BaseCode.PING, b"anything")
            assert (await peer.receive()).code == BaseCode.PONG
            await round_trip(peer)
    assert not events.of(Kind.MSG_RECV, Kind.MSG_SEND)


async def test_one_protocol_ends_the_others(start: Start) -> None:
    ended: list[PeerDisconnected] = []

    async def wait_for_the_end(peer: Peer, pipe: MessagePipe) -> None:
        try:
            await pipe.read()
        except PeerDisconnected as error:
            ended.append(error)
            with pytest.raises(PeerDisconnected, match="shutting down"):
                await pipe.send(0, b"")
            await asyncio.sleep(0)  # drop comes after us all the same
            raise

    server = await start(1, make_protocol(wait_for_the_end, name="aaa"), make_protocol(fails_with(LookupError("x"))))
    caps = [*ECHO_CAPS, type(ECHO_CAPS[0])("aaa", 1)]
    with recording(server.events) as events:
        async with live_peer(server.node, KEY, caps) as peer:
            peer.send(18, b"")
            assert await peer.farewell() == DisconnectReason.SUBPROTOCOL_ERROR
        assert (await events.wait(Kind.DROP)).reason == "x"
    assert [(error.reason, error.by_remote) for error in ended] == [(DisconnectReason.SUBPROTOCOL_ERROR, False)]
