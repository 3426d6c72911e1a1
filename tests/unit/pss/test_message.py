"""Messages: the examples of spec 06 section 2, the limits, and what decoders must withstand."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from node.errors import LocalProtocolError, MalformedMessage, MessageTooBig, RemoteProtocolError
from node.ids import Topic
from node.pss.container import build_container
from node.pss.crypto import SymmetricKey, wrap_asymmetric, wrap_symmetric
from node.pss.message import (
    MAX_MESSAGE_BYTES,
    MessageKind,
    PssMessage,
    check_plaintext_size,
    max_plaintext_bytes,
    read_strings,
)
from node.pss.topic import topic_from_text
from node.rlp.codec import decode as rlp_decode
from node.rlp.codec import encode as rlp_encode
from node.rlp.structure import decode_struct, encode_struct
from tests.unit.pss.keys import NODE_1, NODE_2

FOO = topic_from_text("foo")
NODE_2_OVERLAY = "7b4c0e63c35f91f7633bc4dbfc8c3f631b82f20e54ae5f3547054f63c7f97db5"
DIGEST = "441c88116fd4feb92b5998cb00fc0599dd6d6a7ca71fea17f36c8e3c11861de0"


def hello(*, raw: bool = False, symmetric: bool = False) -> PssMessage:
    return PssMessage(
        to=bytes.fromhex(NODE_2_OVERLAY), raw=raw, symmetric=symmetric, expire=0x5E0BE100, topic=FOO, payload=b"hello"
    )


@st.composite
def messages(draw: st.DrawFn) -> PssMessage:
    return PssMessage(
        to=draw(st.binary(max_size=32)),
        raw=draw(st.booleans()),
        symmetric=draw(st.booleans()),
        expire=draw(st.integers(0, 0xFFFFFFFF)),
        topic=Topic(draw(st.binary(min_size=4, max_size=4))),
        payload=draw(st.binary(max_size=300)),
    )


@pytest.mark.parametrize(
    ("raw", "symmetric", "flags", "kind"),
    [
        (False, False, "00", MessageKind.ASYMMETRIC),
        (False, True, "01", MessageKind.SYMMETRIC),
        (True, False, "02", MessageKind.RAW),
        (True, True, "03", MessageKind.RAW),
    ],
)
def test_examples_of_the_specification(raw: bool, symmetric: bool, flags: str, kind: MessageKind) -> None:
    wire = bytes.fromhex(f"f2a0{NODE_2_OVERLAY}{flags}845e0be100842c26b46b8568656c6c6f")
    message = hello(raw=raw, symmetric=symmetric)
    assert message.encode() == wire
    assert PssMessage.decode(wire) == message
    assert message.kind is kind
    assert message.digest.hex() == DIGEST


@pytest.mark.parametrize(
    ("to", "expire", "payload", "wire"),
    [
        ("", 0, "", "c9800280842c26b46b80"),
        ("7f", 1, "00", "c97f0201842c26b46b00"),
        ("bb", 0x6B03B56B, "00", "ce81bb02846b03b56b842c26b46b00"),
    ],
)
def test_smallest_examples(to: str, expire: int, payload: str, wire: str) -> None:
    message = PssMessage(to=bytes.fromhex(to), raw=True, expire=expire, topic=FOO, payload=bytes.fromhex(payload))
    assert message.encode().hex() == wire
    assert PssMessage.decode(bytes.fromhex(wire)) == message


def test_captured_message() -> None:
    wire = bytes.fromhex(
        "f2a0bbba90a2bc2e9de5b9f61f153bf32c359933f87b1df9ed2fe4171471996822b502846b03b56b842c26b46b8578797a7a79"
    )
    message = PssMessage.decode(wire)
    assert (message.payload, message.raw, message.expire) == (b"xyzzy", True, 0x6B03B4F3 + 120)


@given(messages())
def test_round_trip(message: PssMessage) -> None:
    wire = message.encode()
    again = PssMessage.decode(wire)
    assert again == message
    assert again.digest == message.digest
    # The general codec and the typed structures see the same bytes.
    assert encode_struct(message) == wire
    assert decode_struct(PssMessage, wire) == message
    assert rlp_decode(wire) == message.to_rlp()


def test_a_relay_sends_the_bytes_it_got() -> None:
    wire = hello().encode()
    assert PssMessage.decode(wire).encode() is wire


@given(st.binary(max_size=120))
@example(b"\xf9\xff")
@example(b"\xff" * 9)
@example(b"\xf8")
def test_byte_soup(data: bytes) -> None:
    try:
        message = PssMessage.decode(data)
    except RemoteProtocolError:
        return
    assert PssMessage.decode(message.encode()) == message


@given(messages(), st.data())
def test_one_bit_or_byte_off(message: PssMessage, data: st.DataObject) -> None:
    wire = bytearray(message.encode())
    bit = data.draw(st.integers(0, 8 * len(wire) - 1))
    wire[bit // 8] ^= 1 << bit % 8
    try:
        changed = PssMessage.decode(bytes(wire))
    except RemoteProtocolError:
        return
    # Unknown flag bits are the one thing that is not sent on as it came; all else is canonical.
    _, flags, *_ = read_strings(bytes(wire), ("To", "Flags", "Expire", "Topic", "Payload"))
    assert (changed.encode() == bytes(wire)) == (flags[0] <= 3)
    assert (changed == message) == (changed.encode() == message.encode())
    assert PssMessage.decode(changed.encode()) == changed


@given(messages())
def test_truncated_or_followed_by_bytes(message: PssMessage) -> None:
    wire = message.encode()
    for end in range(len(wire)):
        with pytest.raises(MalformedMessage):
            PssMessage.decode(wire[:end])
    with pytest.raises(MalformedMessage):
        PssMessage.decode(wire + b"\0")


@pytest.mark.parametrize(
    ("items", "error"),
    [
        ([b"", b"\0", b"", b"abcd"], "ends before Payload"),
        ([b"", b"\0", b"", b"abcd", b"", b""], "more than 5"),
        ([b"", b"", b"", b"abcd", b""], "Flags must be 1 byte, got 0"),
        ([b"", b"\0\0", b"", b"abcd", b""], "Flags must be 1 byte, got 2"),
        ([b"", b"\0", b"", b"abc", b""], "Topic must be 4"),
        ([b"", b"\0", b"", b"abcde", b""], "Topic must be 4"),
        ([b"", b"\0", b"\0\1", b"abcd", b""], "leading zero"),
        ([b"", b"\0", b"\1\1\1\1\1", b"abcd", b""], "32 bits"),
        ([b"x" * 33, b"\0", b"", b"abcd", b""], "To must be at most 32 bytes, got 33"),
        ([b"", b"\0", b"", b"abcd", [b"x"]], "Payload is a list"),
        ([b"x" * 56, b"\0", b"", b"abcd", b""], "To must be"),
    ],
)
def test_refused_with_a_reason(items: list[bytes], error: str) -> None:
    with pytest.raises(MalformedMessage, match=error):
        PssMessage.decode(rlp_encode(items))


@pytest.mark.parametrize(
    ("wire", "error"),
    [
        ("", "empty"),
        ("80", "expected a list"),
        ("c0", "ends before To"),
        ("c1c0", "To is a list"),
        ("c18100", "list of 2 bytes in an input of 3"),
        ("c28100", "single byte"),
        ("c183", "overruns"),
        ("f800", "shortest form"),
        ("f838" + "80" * 55, "list of 58 bytes in an input of 57"),
        ("f900380000", "shortest form"),
        ("ca" + "80" + "b801aa" + "00" * 6, "long form"),
    ],
)
def test_rlp_that_is_not_canonical(wire: str, error: str) -> None:
    with pytest.raises(MalformedMessage, match=error):
        PssMessage.decode(bytes.fromhex(wire))


def test_struct_form_refuses_as_well() -> None:
    with pytest.raises(MalformedMessage, match="expected 5 elements, got 1"):
        decode_struct(PssMessage, rlp_encode([b""]))


@pytest.mark.parametrize(
    ("to", "expire", "topic", "error"),
    [
        (b"x" * 33, 0, b"abcd", "address too long"),
        (b"", 1 << 32, b"abcd", "32 bits"),
        (b"", -1, b"abcd", "32 bits"),
        (b"", 0, b"abc", "topic must be 4 bytes, got 3"),
    ],
)
def test_we_make_no_such_message(to: bytes, expire: int, topic: bytes, error: str) -> None:
    with pytest.raises(LocalProtocolError, match=error):
        PssMessage(to=to, expire=expire, topic=Topic(topic), payload=b"")


@pytest.mark.parametrize(
    ("kind", "limit"),
    [(MessageKind.RAW, 1_048_524), (MessageKind.SYMMETRIC, 1_048_411), (MessageKind.ASYMMETRIC, 1_048_326)],
)
def test_largest_plaintexts(kind: MessageKind, limit: int) -> None:
    """The numbers of section 2; at the limit the message is exactly as large as it may be."""
    assert max_plaintext_bytes(kind) == limit
    check_plaintext_size(kind, 32, limit)
    with pytest.raises(LocalProtocolError, match="message too long"):
        check_plaintext_size(kind, 32, limit + 1)
    payload = bytes(limit)
    if kind is MessageKind.SYMMETRIC:
        payload = wrap_symmetric(payload, SymmetricKey(b"k" * 32), sender=NODE_1)
    elif kind is MessageKind.ASYMMETRIC:
        payload = wrap_asymmetric(payload, NODE_2.public, sender=NODE_1)
    message = PssMessage(to=bytes(32), expire=0xFFFFFFFF, topic=FOO, payload=payload)
    assert len(message.encode()) == MAX_MESSAGE_BYTES
    assert PssMessage.decode(message.encode()) == message
    one_more = PssMessage(to=bytes(32), expire=0xFFFFFFFF, topic=FOO, payload=payload + b"x")
    with pytest.raises(LocalProtocolError, match="1048577 bytes is over"):
        one_more.encode()


def test_shorter_address_leaves_room() -> None:
    assert max_plaintext_bytes(MessageKind.RAW, 0) == max_plaintext_bytes(MessageKind.RAW, 32) + 32
    assert MessageKind.SYMMETRIC.value == len(build_container(bytes(70_000), sender=NODE_1)) - 70_000 + 28


def test_too_big_is_refused_before_it_is_read() -> None:
    with pytest.raises(MessageTooBig) as caught:
        PssMessage.decode(bytes(MAX_MESSAGE_BYTES + 1))
    assert (caught.value.size, caught.value.limit) == (MAX_MESSAGE_BYTES + 1, MAX_MESSAGE_BYTES)


def test_a_list_of_a_million_items_is_not_built() -> None:
    many = b"\xfa" + (1_000_000).to_bytes(3, "big") + b"\x01" * 1_000_000
    with pytest.raises(MalformedMessage, match="more than 5"):
        PssMessage.decode(many)


def test_read_strings_names_what_is_missing() -> None:
    assert read_strings(rlp_encode([b"a", b"b" * 60]), ("one", "two")) == [b"a", b"b" * 60]
    with pytest.raises(MalformedMessage, match="before three"):
        read_strings(rlp_encode([b"a", b"b"]), ("one", "two", "three"))


def test_repr_elides_the_payload() -> None:
    assert "hello" not in repr(hello())
