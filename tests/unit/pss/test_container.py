"""The plaintext container: layout, the parsing rules of spec 06 section 7.1, and damage."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.crypto.keccak import keccak256
from node.errors import DecryptionFailed, LocalProtocolError
from node.pss.container import MAX_PAYLOAD_BYTES, Contents, build_container, parse_container
from tests.unit.pss.keys import NODE_1

PADDING = bytes.fromhex("5f072d4c1b8f740a6a8c7cdc510d1d63")


def test_worked_example() -> None:
    """Section 7.4: body, hash and signature."""
    plaintext = build_container(b"bar", sender=NODE_1, padding=PADDING)
    assert plaintext[:-65].hex() == "0503626172" + PADDING.hex()
    assert keccak256(plaintext[:-65]).hex() == "097dd0734d2c7667c3642c099ff2cdbee6b31609854f238902eaf6211acdaedd"
    assert plaintext[-65:].hex() == (
        "4706dfa67207e132f9414063b1dc3e83c752aaa3502a92c01fb3020fd9c564ad"
        "3688ed368bd396e9be0dc31fcbefb792c791d1c1de65ee6398e66a43abe9c24e00"
    )
    assert parse_container(plaintext) == Contents(b"bar", NODE_1.public)


@pytest.mark.parametrize(("size", "size_bytes"), [(0, 1), (1, 1), (255, 1), (256, 2), (65_535, 2), (65_536, 3)])
def test_size_bytes(size: int, size_bytes: int) -> None:
    plaintext = build_container(bytes(size), sender=NODE_1)
    assert plaintext[0] == 4 | size_bytes
    assert plaintext[1 : 1 + size_bytes] == size.to_bytes(size_bytes, "little")
    assert len(plaintext) == 1 + size_bytes + size + 16 + 65
    assert parse_container(plaintext) == Contents(bytes(size), NODE_1.public)


def test_too_long_for_three_size_bytes() -> None:
    with pytest.raises(LocalProtocolError, match="16777216 bytes is over"):
        build_container(bytes(MAX_PAYLOAD_BYTES + 1), sender=None)


def signed(body: bytes) -> bytes:
    return body + NODE_1.sign(keccak256(body))


@pytest.mark.parametrize(
    ("plaintext", "error"),
    [
        (b"", "empty message"),
        (b"\x04", "empty expected signature"),
        (b"\x05" + bytes(64), "empty expected signature"),
        (b"\x04" + bytes(65), "empty expected signature"),
        (b"\x05\x00" + bytes(65), "incorrect signature"),
        (b"\x05\x00" + b"\x01" * 64 + b"\x09", "incorrect signature"),
        (b"\x01\x05ab", "incorrect payload size"),
        (bytes.fromhex("0103aabb"), "incorrect payload size"),
        (b"\x01", "incorrect payload size"),
        (b"\x03\x00\x00", "incorrect payload size"),
        (b"\x02\x00", "incorrect payload size"),
        (b"\x03\xff\xff\xff" + bytes(20), "incorrect payload size"),
        (signed(b"\x05\x04abc"), "incorrect payload size"),
        (signed(b"\x07\x01"), "incorrect payload size"),
    ],
)
def test_refused(plaintext: bytes, error: str) -> None:
    with pytest.raises(DecryptionFailed, match=error):
        parse_container(plaintext)


@pytest.mark.parametrize(
    ("plaintext", "contents"),
    [
        (b"\x00", Contents(b"", None)),
        (b"\x00padding", Contents(b"", None)),
        (b"\x01\x00", Contents(b"", None)),
        (b"\x01\x03abc", Contents(b"abc", None)),
        (b"\xf9\x03abc", Contents(b"abc", None)),
        (b"\x03\x03\x00\x00abc" + bytes(300), Contents(b"abc", None)),
        (signed(b"\x05\x03abc"), Contents(b"abc", NODE_1.public)),
        (signed(b"\x04\x00"), Contents(b"", NODE_1.public)),
    ],
)
def test_unusual_but_accepted(plaintext: bytes, contents: Contents) -> None:
    assert parse_container(plaintext) == contents


@given(st.binary(max_size=400), st.binary(max_size=40), st.booleans())
def test_round_trip(payload: bytes, padding: bytes, sign: bool) -> None:
    sender = NODE_1 if sign else None
    plaintext = build_container(payload, sender=sender, padding=padding)
    assert parse_container(plaintext) == Contents(payload, sender.public if sender else None)


@given(st.binary(max_size=300))
def test_byte_soup(plaintext: bytes) -> None:
    try:
        contents = parse_container(plaintext)
    except DecryptionFailed:
        return
    assert contents.payload in plaintext


@given(st.integers(0, 8 * 86 - 1))
def test_a_flipped_bit_never_keeps_the_sender(bit: int) -> None:
    plaintext = bytearray(build_container(b"bar", sender=NODE_1, padding=PADDING))
    plaintext[bit // 8] ^= 1 << bit % 8
    try:
        contents = parse_container(bytes(plaintext))
    except DecryptionFailed:
        return
    assert contents.sender != NODE_1.public


def test_random_padding_differs() -> None:
    assert build_container(b"bar", sender=None) != build_container(b"bar", sender=None)
