"""pss with a scripted peer: duplicates, expiry, malformed messages (spec 06 sections 2 to 4)."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator

import pytest

from node.disconnect import DisconnectReason
from node.events import Kind
from node.pss.message import MAX_MESSAGE_BYTES, PssMessage
from node.pss.topic import topic_from_text
from node.rlp.codec import decode, encode
from tests.support.nodes import (
    BZZ,
    HIVE,
    PSS,
    PSS_CODE,
    LabNode,
    bzz_key,
    greet,
    greeted_peer,
    lab_node,
    overlay_peer,
    receive_hive,
    still_welcomes,
    told_why,
)
from tests.support.peers import RawPeer
from tests.support.waiting import until

TOPIC = topic_from_text("foo")
HOUR_S = 3600


@pytest.fixture
async def node() -> AsyncIterator[LabNode]:
    async with lab_node(1) as running:
        running.listen(TOPIC, raw=True)
        yield running


@pytest.fixture
async def peer(node: LabNode) -> AsyncIterator[RawPeer]:
    async with greeted_peer(node, 2) as greeted:
        yield greeted


def raw(to: bytes = b"", payload: bytes = b"hello", *, expire: int | None = None) -> PssMessage:
    expire = int(time.time()) + HOUR_S if expire is None else expire
    return PssMessage(to=to, raw=True, expire=expire, topic=TOPIC, payload=payload)


async def marked(node: LabNode, peer: RawPeer) -> None:
    """Send a message that arrives, so that everything before it has been looked at."""
    count = len(node.inbox)
    peer.send(PSS_CODE, raw(payload=b"mark %d" % count).encode())
    await until(lambda: node.inbox and node.inbox[-1].payload.startswith(b"mark"))


async def receive_pss(peer: RawPeer) -> PssMessage:
    while True:
        message = await peer.receive()
        if message.code == PSS_CODE:
            return PssMessage.decode(message.payload)


async def test_a_message_is_taken_as_it_stands_in_the_specification(node: LabNode, peer: RawPeer) -> None:
    wire = encode([node.address, b"\x02", b"\xff\xff\xff\xff", TOPIC, b"xyzzy"])
    peer.send(PSS_CODE, wire)
    await until(lambda: node.inbox)
    assert node.inbox[0].payload == b"xyzzy"
    assert node.inbox[0].digest == PssMessage.decode(wire).digest


async def test_what_we_send_is_what_the_specification_says(node: LabNode, peer: RawPeer) -> None:
    before = int(time.time())
    digest = node.pss.send_raw(bzz_key(2).public.overlay, TOPIC, b"xyzzy")
    while (message := await peer.receive()).code != PSS_CODE:
        pass
    to, flags, expire, topic, payload = decode(message.payload)
    assert (to, flags, topic, payload) == (bzz_key(2).public.overlay, b"\x02", TOPIC, b"xyzzy")
    assert before + 120 <= int.from_bytes(bytes(expire), "big") <= time.time() + 120
    assert PssMessage.decode(message.payload).digest == digest


async def test_a_message_is_relayed_byte_for_byte_less_unknown_flags(node: LabNode, peer: RawPeer) -> None:
    to = bytes([node.address[0] ^ 0xFF]) + bytes(31)
    async with greeted_peer(node, 3) as other:
        for flags in (b"\x00", b"\x01", b"\x02", b"\x03", b"\xfe"):
            wire = encode([to, flags, b"\xff\xff\xff\xff", TOPIC, b"payload" + flags])
            peer.send(PSS_CODE, wire)
            # It goes to both neighbours, the one it came from among them.
            for end in (other, peer):
                expected = (
                    wire if flags < b"\x80" else encode([to, b"\x02", b"\xff\xff\xff\xff", TOPIC, b"payload\xfe"])
                )
                assert (await receive_pss(end)).encode() == expected


async def test_a_duplicate_is_swallowed(node: LabNode, peer: RawPeer) -> None:
    message = raw(node.address)
    for _ in range(3):
        peer.send(PSS_CODE, message.encode())
    # Flags and expiry are not part of what makes two messages the same (spec 06 section 2.1).
    peer.send(PSS_CODE, encode([node.address, b"\x00", b"\xff\xff\xff\xff", TOPIC, b"hello"]))
    await marked(node, peer)
    assert [delivery.payload for delivery in node.inbox][:-1] == [b"hello"]
    duplicates = [event for event in node.events.of(Kind.PSS_DUPLICATE) if event.digest == message.digest.hex()]
    assert len(duplicates) == 3
    assert {event.peer for event in duplicates} == {node.events.of(Kind.ADD)[0].peer}


async def test_an_expired_message_is_neither_delivered_nor_passed_on(node: LabNode, peer: RawPeer) -> None:
    expired = raw(expire=int(time.time()) - 2)
    peer.send(PSS_CODE, expired.encode())
    event = await node.events.wait(Kind.PSS_DROPPED)
    assert (event.reason, event.digest) == ("expired", expired.digest.hex())
    await marked(node, peer)
    assert len(node.inbox) == 1
    # It is not even remembered: the same message with time left is news.
    peer.send(PSS_CODE, raw().encode())
    await until(lambda: len(node.inbox) == 2)


async def test_a_message_that_nobody_here_can_open_goes_on(node: LabNode, peer: RawPeer) -> None:
    """Not an offence, even if the address is ours (spec 06 section 4, step 7)."""
    async with greeted_peer(node, 3) as other:
        message = PssMessage(to=node.address, expire=2**32 - 1, topic=TOPIC, payload=b"no envelope at all")
        peer.send(PSS_CODE, message.encode())
        assert await receive_pss(other) == message
        assert node.node.server.peer_count == 2
    assert not node.inbox


async def test_the_largest_message(node: LabNode, peer: RawPeer) -> None:
    message = raw(node.address, bytes(1_048_524))
    assert len(message.encode()) == MAX_MESSAGE_BYTES
    peer.send(PSS_CODE, message.encode())
    await until(lambda: node.inbox)
    assert len(node.inbox[0].payload) == 1_048_524


def fields(*changes: tuple[int, object]) -> bytes:
    items: list[object] = [b"", b"\x02", b"\xff\xff\xff\xff", TOPIC, b"hello"]
    for index, value in changes:
        items[index] = value
    return encode(items)  # type: ignore[arg-type]


MALFORMED = {
    "4 items": encode([b"", b"\x02", b"\xff\xff\xff\xff", TOPIC]),
    "6 items": encode([b"", b"\x02", b"\xff\xff\xff\xff", TOPIC, b"", b""]),
    "To of 33 bytes": fields((0, bytes(33))),
    "flags as the integer 0": fields((1, b"")),
    "flags of 2 bytes": fields((1, b"\x00\x02")),
    "expiry of 33 bits": fields((2, b"\x01\x00\x00\x00\x00")),
    "expiry with a leading zero": fields((2, b"\x00\x01")),
    "topic of 3 bytes": fields((3, TOPIC[:3])),
    "topic of 5 bytes": fields((3, TOPIC + b"\x00")),
    "a list as payload": fields((4, [b"hello"])),
    "trailing bytes": fields() + b"\x00",
    "truncated": fields()[:-1],
    "no list": b"\x80",
    "nothing": b"",
    "one byte over 1 MiB": fields((4, bytes(MAX_MESSAGE_BYTES - 19))),
}


@pytest.mark.parametrize("payload", MALFORMED.values(), ids=MALFORMED)
async def test_a_malformed_message_ends_the_connection_and_nothing_else(node: LabNode, payload: bytes) -> None:
    async with greeted_peer(node, 3) as other:
        async with greeted_peer(node, 2) as peer:
            peer.send(PSS_CODE, payload)
            assert await told_why(peer) == DisconnectReason.SUBPROTOCOL_ERROR
            await node.events.wait(Kind.DROP)
        await marked(node, other)
    assert not [event for event in node.events.of(Kind.PSS_RECEIVED) if event.peer != node.events.of(Kind.ADD)[0].peer]
    await still_welcomes(node)


def test_the_message_that_is_too_big_is_so_by_one_byte() -> None:
    assert len(MALFORMED["one byte over 1 MiB"]) == MAX_MESSAGE_BYTES + 1


async def test_another_code_is_of_no_protocol(node: LabNode) -> None:
    async with greeted_peer(node, 2) as peer:
        peer.send(PSS_CODE + 1, fields())
        await peer.closed()
        assert (await node.events.wait(Kind.DROP)).reason == f"msg code out of range: {PSS_CODE + 1}"
    await still_welcomes(node)


async def test_who_speaks_pss_alone_may_send_and_is_never_sent_anything(node: LabNode, peer: RawPeer) -> None:
    """Spec 05 section 5.3: it is in no table."""
    async with overlay_peer(node, 3, [PSS]) as alone:
        alone.send(0x10, raw().encode())
        await until(lambda: node.inbox)
        assert (await receive_pss(peer)).payload == b"hello"
        node.pss.send_raw(b"", TOPIC, b"to all")
        assert (await receive_pss(peer)).payload == b"to all"
        with pytest.raises(TimeoutError):
            await alone.receive(timeout_s=0.05)


async def test_a_peer_without_pss_is_asked_last_and_the_next_best_gets_it(node: LabNode, peer: RawPeer) -> None:
    async with overlay_peer(node, 3, [BZZ, HIVE]) as mute:
        await greet(mute, 3)
        await receive_hive(mute)
        await until(lambda: node.overlay.kademlia.conn_count == 2)
        digest = node.pss.send_raw(bzz_key(3).public.overlay, TOPIC, b"for node 3")
        assert (await receive_pss(peer)).digest == digest
        event = next(e for e in node.events.of(Kind.PSS_FORWARDED) if e.digest == digest.hex())
        assert event.data["refused"] == 1
