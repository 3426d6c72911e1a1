"""node.discv4.packet: the six packets to the byte, and everything that is no packet (spec 04 sections 2, 3 and 8)."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.crypto.keccak import keccak256
from node.crypto.secp256k1 import PrivateKey
from node.discv4.endpoint import Address, Endpoint, Neighbor
from node.discv4.packet import (
    HASH_BYTES,
    HEADER_BYTES,
    MAX_NEIGHBORS,
    MAX_PACKET_BYTES,
    MIN_PACKET_BYTES,
    EnrRequest,
    EnrResponse,
    FindNode,
    Neighbors,
    Packet,
    PacketType,
    Ping,
    Pong,
    decode_packet,
    encode_packet,
    expired,
    seq_element,
)
from node.enode import Node, parse_ip
from node.enr import make_record
from node.errors import MalformedMessage
from node.rlp.codec import decode, encode
from tests.support.keys import KEY_A, KEY_B, flip_bit, make_key
from tests.unit.discv4 import vectors
from tests.unit.discv4.vectors import EXPIRATION

LOCAL = parse_ip("127.0.0.1")
RECORD = make_record(KEY_B, seq=1, ip=LOCAL, tcp=30303, udp=30303)
EXAMPLES: list[tuple[PrivateKey, bytes, Packet]] = [
    (
        KEY_A,
        vectors.PING,
        Ping(
            sender=Endpoint.of(Address(LOCAL, 30301), tcp=30303),
            to=Endpoint.of(Address(parse_ip("10.0.0.2"), 30304)),
            expiration=EXPIRATION,
            rest=seq_element(1),
        ),
    ),
    (
        KEY_B,
        vectors.PONG,
        Pong(
            to=Endpoint.of(Address(LOCAL, 30301), tcp=30303),
            ping_hash=vectors.PING[:HASH_BYTES],
            expiration=EXPIRATION,
            rest=seq_element(1),
        ),
    ),
    (KEY_A, vectors.FINDNODE, FindNode(target=KEY_B.public.raw, expiration=EXPIRATION)),
    (
        KEY_B,
        vectors.NEIGHBORS,
        Neighbors(
            nodes=[
                Neighbor.of(Node(KEY_A.public, parse_ip("10.0.0.3"), 30303, 30303)),
                Neighbor.of(Node(KEY_B.public, parse_ip("2001:4860:4860::8888"), 0, 30305)),
            ],
            expiration=EXPIRATION,
        ),
    ),
    (KEY_B, vectors.NO_NEIGHBORS, Neighbors(nodes=[], expiration=EXPIRATION)),
    (KEY_A, vectors.ENRREQUEST, EnrRequest(expiration=EXPIRATION)),
    (KEY_B, vectors.ENRRESPONSE, EnrResponse(request_hash=vectors.ENRREQUEST[:HASH_BYTES], record=RECORD)),
    (
        KEY_A,
        vectors.PING_FROM_NOWHERE,
        Ping(
            sender=Endpoint(),
            to=Endpoint.of(Address(LOCAL, 30304)),
            expiration=EXPIRATION,
            rest=seq_element(1),
        ),
    ),
]
DATAGRAMS = [datagram for _, datagram, _ in EXAMPLES]
ids = [f"{type(packet).__name__}-{len(datagram)}" for _, datagram, packet in EXAMPLES]


def envelope(key: PrivateKey, content: bytes) -> bytes:
    """Hash and signature around type and body, whatever they are."""
    signed = key.sign(keccak256(content)) + content
    return keccak256(signed) + signed


def with_body(datagram: bytes, change: object) -> bytes:
    """The datagram of A with its body as a list changed by a function, signed again."""
    items = decode(datagram[MIN_PACKET_BYTES:])
    assert isinstance(items, list)
    changed = change(items)  # type: ignore[operator]
    return envelope(KEY_A, datagram[HEADER_BYTES:MIN_PACKET_BYTES] + encode(changed))


def test_the_constants() -> None:
    assert (MIN_PACKET_BYTES, MAX_PACKET_BYTES, HEADER_BYTES) == (98, 1280, 97)


@pytest.mark.parametrize(("key", "datagram", "packet"), EXAMPLES, ids=ids)
def test_the_worked_examples(key: PrivateKey, datagram: bytes, packet: Packet) -> None:
    assert encode_packet(key, packet) == datagram
    received = decode_packet(datagram)
    assert received.packet == packet
    assert received.sender == key.public
    assert received.hash == datagram[:HASH_BYTES]


def test_the_record_of_the_worked_example() -> None:
    assert RECORD.text == vectors.RECORD_OF_B
    received = decode_packet(vectors.ENRRESPONSE).packet
    assert isinstance(received, EnrResponse)
    assert received.record == RECORD


@given(st.sampled_from(DATAGRAMS), st.data())
def test_truncated(datagram: bytes, data: st.DataObject) -> None:
    with pytest.raises(MalformedMessage):
        decode_packet(datagram[: data.draw(st.integers(0, len(datagram) - 1))])


@pytest.mark.parametrize("datagram", DATAGRAMS, ids=ids)
def test_a_truncated_body_with_a_good_hash(datagram: bytes) -> None:
    for length in range(HEADER_BYTES, len(datagram)):
        with pytest.raises(MalformedMessage):
            decode_packet(envelope(KEY_A, datagram[HEADER_BYTES:length]))


@given(st.sampled_from(DATAGRAMS), st.data())
def test_a_flipped_bit(datagram: bytes, data: st.DataObject) -> None:
    with pytest.raises(MalformedMessage):
        decode_packet(flip_bit(datagram, data.draw(st.integers(0, len(datagram) * 8 - 1))))


@given(st.sampled_from(DATAGRAMS), st.data())
def test_a_flipped_bit_under_a_good_hash_is_another_sender_or_nothing(datagram: bytes, data: st.DataObject) -> None:
    bit = data.draw(st.integers(HASH_BYTES * 8, len(datagram) * 8 - 1))
    rest = flip_bit(datagram, bit)[HASH_BYTES:]
    try:
        received = decode_packet(keccak256(rest) + rest)
    except MalformedMessage:
        return
    assert received.sender not in (KEY_A.public, KEY_B.public)


@given(st.binary(max_size=200))
def test_any_bytes(data: bytes) -> None:
    for datagram in (data, envelope(KEY_A, data)):
        try:
            decode_packet(datagram)
        except MalformedMessage:
            continue


@given(st.sampled_from(list(PacketType)), st.recursive(st.binary(max_size=70), st.lists, max_leaves=12))
def test_any_body(number: PacketType, body: object) -> None:
    with contextlib.suppress(MalformedMessage):
        decode_packet(envelope(KEY_A, bytes([number]) + encode(body)))  # type: ignore[arg-type]


@pytest.mark.parametrize("datagram", DATAGRAMS, ids=ids)
@pytest.mark.parametrize("trailing", [b"\x00", b"\xff" * 40])
def test_bytes_behind_the_body_are_ignored(datagram: bytes, trailing: bytes) -> None:
    extended = decode_packet(envelope(KEY_A, datagram[HEADER_BYTES:] + trailing))
    assert extended.packet == decode_packet(datagram).packet


@pytest.mark.parametrize("datagram", DATAGRAMS, ids=ids)
def test_further_elements_are_ignored(datagram: bytes) -> None:
    extended = decode_packet(with_body(datagram, lambda items: [*items, b"new", [b"x", []]])).packet
    plain = decode_packet(datagram).packet
    assert type(extended) is type(plain)
    for name in set(plain.__slots__) - {"rest"}:
        assert getattr(extended, name) == getattr(plain, name)


@pytest.mark.parametrize("datagram", DATAGRAMS, ids=ids)
def test_too_few_elements(datagram: bytes) -> None:
    needed = {PacketType.PING: 4, PacketType.PONG: 3, PacketType.ENRREQUEST: 1}
    count = needed.get(PacketType(datagram[HEADER_BYTES]), 2)
    with pytest.raises(MalformedMessage, match="expected"):
        decode_packet(with_body(datagram, lambda items: items[: count - 1]))


@pytest.mark.parametrize(
    ("rest", "seq"), [([], 0), ([b"\x07"], 7), ([b"\x00"], 0), ([b"\x01" * 9], 0), ([[b"\x07"]], 0), ([b"", b"x"], 0)]
)
def test_the_record_number_is_0_if_absent_or_malformed(rest: list[object], seq: int) -> None:
    received = decode_packet(with_body(vectors.PING, lambda items: [*items[:4], *rest])).packet
    assert isinstance(received, Ping)
    assert received.enr_seq == seq


@pytest.mark.parametrize("version", [b"", b"\x03", b"\x05", b"\xff" * 8])
def test_the_version_is_not_checked(version: bytes) -> None:
    decode_packet(with_body(vectors.PING, lambda items: [version, *items[1:]]))


def test_the_size_limit() -> None:
    content = vectors.ENRREQUEST[HEADER_BYTES:]
    padding = MAX_PACKET_BYTES - len(vectors.ENRREQUEST)
    decode_packet(envelope(KEY_A, content + bytes(padding)))
    with pytest.raises(MalformedMessage, match="packet of 1281 bytes, want 98 to 1280"):
        decode_packet(envelope(KEY_A, content + bytes(padding + 1)))


def test_the_most_neighbors_fit_into_a_packet() -> None:
    node = Node(KEY_A.public, parse_ip("2001:4860:4860::8888"), 65535, 65535)
    packet = Neighbors(nodes=[Neighbor.of(node)] * MAX_NEIGHBORS, expiration=2**63)
    assert len(encode_packet(KEY_A, packet)) <= MAX_PACKET_BYTES


@pytest.mark.parametrize("number", [0, 7, 0x80, 0xFF])
def test_unknown_types(number: int) -> None:
    with pytest.raises(MalformedMessage, match="unknown packet type"):
        decode_packet(envelope(KEY_A, bytes([number]) + vectors.PING[MIN_PACKET_BYTES:]))


@pytest.mark.parametrize("v", [4, 27, 28, 255])
def test_recovery_ids_of_ethereum_transactions_are_no_signature(v: int) -> None:
    content = vectors.PING[HEADER_BYTES:]
    signed = KEY_A.sign(keccak256(content))[:-1] + bytes([v]) + content
    with pytest.raises(MalformedMessage, match="signature"):
        decode_packet(keccak256(signed) + signed)


def test_a_record_of_somebody_else_or_a_broken_one_does_not_decode() -> None:
    def broken(items: list[object]) -> list[object]:
        record = list(items[1])  # type: ignore[call-overload]
        return [items[0], [flip_bit(record[0], 77), *record[1:]]]

    with pytest.raises(MalformedMessage, match="invalid signature"):
        decode_packet(with_body(vectors.ENRRESPONSE, broken))
    with pytest.raises(MalformedMessage, match="expected a list"):
        decode_packet(with_body(vectors.ENRRESPONSE, lambda items: [items[0], RECORD.raw]))
    with pytest.raises(MalformedMessage, match="record too big"):
        decode_packet(with_body(vectors.ENRRESPONSE, lambda items: [items[0], [*items[1], bytes(200)]]))


@pytest.mark.parametrize("size", [0, 63, 65])
def test_keys_have_64_bytes(size: int) -> None:
    with pytest.raises(MalformedMessage, match="exactly 64 bytes"):
        decode_packet(with_body(vectors.FINDNODE, lambda items: [bytes(size), *items[1:]]))
    with pytest.raises(MalformedMessage, match="exactly 64 bytes"):
        decode_packet(with_body(vectors.NEIGHBORS, lambda items: [[[b"\x0a" * 4, b"", b"", bytes(size)]], *items[1:]]))


@pytest.mark.parametrize(
    ("stamp", "now", "old"),
    [
        (100, 99.9, False),
        (100, 100.0, False),
        (100, 100.001, True),
        (0, 1.0, True),
        (2**63 - 1, 100.0, False),
        (2**63, 100.0, True),
        (2**64 - 1, 100.0, True),
    ],
)
def test_expired(stamp: int, now: float, old: bool) -> None:
    assert expired(stamp, now) is old


@given(
    st.integers(1, 50),
    st.lists(st.tuples(st.ip_addresses(), st.integers(0, 65535), st.integers(0, 65535)), max_size=MAX_NEIGHBORS),
)
def test_round_trip(number: int, endpoints: list[tuple[object, int, int]]) -> None:
    key = make_key(number)
    nodes = [Neighbor.of(Node(key.public, parse_ip(str(ip)), tcp, udp)) for ip, tcp, udp in endpoints]
    packet = Neighbors(nodes=nodes, expiration=EXPIRATION)
    assert decode_packet(encode_packet(key, packet)).packet == packet
