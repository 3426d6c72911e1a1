"""node.rlpx.frame: the recorded frames to the byte, MACs, message codes, limits (spec 01 section 5)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.crypto.keccak import RunningKeccak256
from node.errors import AuthenticationFailed, LocalProtocolError, MalformedMessage
from node.rlp.codec import encode_uint
from node.rlpx.frame import MAX_FRAME_BYTES, FrameReader, FrameWriter
from tests.support.keys import flip_bit
from tests.unit.rlpx import worked_example as example

AES, MAC = b"\x11" * 32, b"\x22" * 32
codes = st.integers(0, 2**64 - 1) | st.integers(0, 300)


def pair() -> tuple[FrameWriter, FrameReader]:
    """A writer and the reader of what it writes."""
    return FrameWriter(AES, MAC, RunningKeccak256(b"seed")), FrameReader(AES, MAC, RunningKeccak256(b"seed"))


def read(reader: FrameReader, wire: bytes) -> tuple[int, bytes]:
    assert reader.read_header(wire[:32]) == len(wire) - 32
    return reader.read_body(wire[32:])


def raw_frame(body: bytes) -> tuple[bytes, FrameReader]:
    """A frame around a body that need not begin with a message code."""
    writer, reader = pair()
    header = writer._encrypt(len(body).to_bytes(3, "big") + bytes(13))
    sealed = writer.mac.header(header)
    cipher = writer._encrypt(body + bytes(-len(body) % 16))
    return header + sealed + cipher + writer.mac.body(cipher), reader


def recorded() -> tuple[FrameWriter, FrameReader, FrameWriter, FrameReader]:
    """Writer and reader of A, then of B, at the start of the worked example."""
    accepted = example.responder().receive_auth(example.AUTH_PACKET)
    finished = example.initiator().receive_ack(example.ACK_PACKET)
    assert accepted is not None
    assert finished is not None
    a, b = finished[0], accepted.secrets
    return (
        FrameWriter(a.aes, a.mac, a.egress_mac),
        FrameReader(a.aes, a.mac, a.ingress_mac),
        FrameWriter(b.aes, b.mac, b.egress_mac),
        FrameReader(b.aes, b.mac, b.ingress_mac),
    )


ZEROS_BLOCK = bytes.fromhex("6608b86400fe01008a0100")
RECORDED = [
    ("A", 0, example.HELLO_A[1:101], example.HELLO_A_WIRE),
    ("B", 0, example.HELLO_B[1:102], example.HELLO_B_WIRE),
    ("A", 2, bytes.fromhex("0100c0"), example.PING_WIRE),
    ("B", 3, bytes.fromhex("0100c0"), example.PONG_WIRE),
    ("A", 16, bytes.fromhex("071886666f6f626172"), example.FOOBAR_WIRE),
    ("A", 16, ZEROS_BLOCK, example.ZEROS_WIRE),
    ("B", 1, bytes.fromhex("0204c108"), example.DISCONNECT_WIRE),
]


def test_the_recorded_frames() -> None:
    """Spec 01 section 8.5, both directions, written and read."""
    a_writer, a_reader, b_writer, b_reader = recorded()
    for sender, code, payload, wire in RECORDED:
        writer, reader = (a_writer, b_reader) if sender == "A" else (b_writer, a_reader)
        assert writer.encode(code, payload) == wire
        assert read(reader, wire) == (code, payload)


@given(st.lists(st.tuples(codes, st.binary(max_size=100)), max_size=5))
def test_round_trip(messages: list[tuple[int, bytes]]) -> None:
    writer, reader = pair()
    for code, payload in messages:
        assert read(reader, writer.encode(code, payload)) == (code, payload)
    assert writer.mac.digest() == reader.mac.digest()


@pytest.mark.parametrize(("size", "padded"), [(1, 16), (15, 16), (16, 16), (17, 32), (32, 32)])
def test_padding_to_16_and_none_if_even(size: int, padded: int) -> None:
    writer, reader = pair()
    wire = writer.encode(5, bytes(size - 1))
    assert len(wire) == 32 + padded + 16
    reader.read_header(wire[:32])
    assert reader.size == size


@given(st.binary(max_size=40), st.data())
def test_one_flipped_bit_is_a_bad_mac(payload: bytes, data: st.DataObject) -> None:
    writer, reader = pair()
    wire = writer.encode(16, payload)
    bit = data.draw(st.integers(0, len(wire) * 8 - 1))
    broken = flip_bit(wire, bit)
    if bit < 32 * 8:
        with pytest.raises(AuthenticationFailed, match="bad header MAC"):
            reader.read_header(broken[:32])
    else:
        reader.read_header(broken[:32])
        with pytest.raises(AuthenticationFailed, match="bad frame MAC"):
            reader.read_body(broken[32:])


def test_a_frame_cannot_be_replayed_left_out_or_swapped() -> None:
    writer, reader = pair()
    first, second = writer.encode(1, b"one"), writer.encode(1, b"two")
    with pytest.raises(AuthenticationFailed):
        pair()[1].read_header(second[:32])
    read(reader, first)
    with pytest.raises(AuthenticationFailed):
        reader.read_header(first[:32])


@pytest.mark.parametrize("tail", [bytes(13), b"\xff" * 13])
def test_the_rest_of_the_header_is_not_looked_at(tail: bytes) -> None:
    """Spec 01 pitfall 13: c28080 is written, never required."""
    writer, reader = pair()
    header = writer._encrypt((1).to_bytes(3, "big") + tail)
    assert reader.read_header(header + writer.mac.header(header)) == 32


@given(codes)
def test_message_codes_are_minimal_integers(code: int) -> None:
    wire, reader = raw_frame(encode_uint(code) + b"payload")
    assert read(reader, wire) == (code, b"payload")


@pytest.mark.parametrize(
    "body",
    ["", "00", "8100", "817f", "820001", "81", "8201", "89" + "01" * 9, "b801", "c0", "c101", "f90001", "ff"],
)
def test_bad_message_codes(body: str) -> None:
    wire, reader = raw_frame(bytes.fromhex(body))
    reader.read_header(wire[:32])
    with pytest.raises(MalformedMessage):
        reader.read_body(wire[32:])


@given(st.binary(max_size=20))
def test_any_authenticated_body_is_a_message_or_malformed(body: bytes) -> None:
    wire, reader = raw_frame(body)
    reader.read_header(wire[:32])
    try:
        code, payload = reader.read_body(wire[32:])
    except MalformedMessage:
        return
    assert encode_uint(code) + payload == body


def test_the_longest_frame_and_one_more() -> None:
    writer, reader = pair()
    with pytest.raises(LocalProtocolError, match="overflows uint24"):
        writer.encode(16, bytes(MAX_FRAME_BYTES))
    # The refused write left the stream intact.
    wire = writer.encode(16, bytes(MAX_FRAME_BYTES - 1))
    code, payload = read(reader, wire)
    assert (code, len(payload)) == (16, 16_777_214)


def test_a_longer_code_leaves_less_room() -> None:
    writer, _ = pair()
    with pytest.raises(LocalProtocolError):
        writer.encode(128, bytes(MAX_FRAME_BYTES - 1))
