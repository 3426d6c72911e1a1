"""Protocol messages inside pss: worked examples of spec 07 section B2, broken input."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.errors import MalformedMessage
from node.pss.protocol_message import decode_protocol_message, encode_protocol_message
from node.rlp.codec import encode

EXAMPLES = [(0, "c12a", "c6800282c12ac0"), (3, "c38203e8", "c8030484c38203e8c0"), (0, "c2c080", "c7800383c2c080c0")]


@pytest.mark.parametrize(("code", "payload", "wire"), EXAMPLES)
def test_worked_examples(code: int, payload: str, wire: str) -> None:
    assert encode_protocol_message(code, bytes.fromhex(payload)).hex() == wire
    message = decode_protocol_message(bytes.fromhex(wire))
    assert (message.code, message.size, message.payload.hex()) == (code, len(payload) // 2, payload)


@given(st.integers(0, 2**64 - 1), st.binary(max_size=300))
def test_round_trip(code: int, payload: bytes) -> None:
    message = decode_protocol_message(encode_protocol_message(code, payload))
    assert (message.code, message.size, message.payload) == (code, len(payload), payload)


@pytest.mark.parametrize(
    "items",
    [
        [b"", b"\x01", b"x"],
        [b"", b"\x01", b"x", b""],
        [b"", b"\x01", b"x", [b""]],
        [b"", b"\x01", b"x", [], b""],
        [b"", b"\x01", [b"x"], []],
        [b"\x01" * 9, b"\x01", b"x", []],
        [b"", b"\x01" * 5, b"x", []],
        b"text",
    ],
)
def test_what_is_no_message(items: object) -> None:
    with pytest.raises(MalformedMessage, match="could not decode pssmsg"):
        decode_protocol_message(encode(items))  # type: ignore[arg-type]


@pytest.mark.parametrize("wire", [b"", b"\xc0", bytes.fromhex("c6800282c12ac0") + b"\0", bytes.fromhex("c6800282c12a")])
def test_bytes_too_many_or_too_few(wire: bytes) -> None:
    with pytest.raises(MalformedMessage):
        decode_protocol_message(wire)


def test_the_size_is_not_checked() -> None:
    assert decode_protocol_message(bytes.fromhex("c6806382c12ac0")).payload == b"\xc1\x2a"
