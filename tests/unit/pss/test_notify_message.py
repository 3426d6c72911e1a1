"""Messages of publish and subscribe: examples of spec 07 part E, limits."""

from __future__ import annotations

import pytest

from node.errors import MalformedMessage
from node.pss.notify_message import CONTROL_TOPIC, NotifyCode, decode_notify_message, encode_notify_message
from node.rlp.codec import encode

NODE = bytes.fromhex("b59a23e8aaa6e40d3bd6e5eccd09987ab8141ec5b3646962e6810671d8f82434")
EXAMPLES = [
    (0, NODE, f"ea8087666f6f2e657468a0{NODE.hex()}"),
    (1, b"xyzzy" + b"\x77" * 32, "ef0187666f6f2e657468a578797a7a79" + "77" * 32),
    (2, b"xyzzy", "cf0287666f6f2e6574688578797a7a79"),
    (3, b"\xab", "cb0387666f6f2e65746881ab"),
]


@pytest.mark.parametrize(("code", "payload", "wire"), EXAMPLES)
def test_worked_examples(code: int, payload: bytes, wire: str) -> None:
    assert encode_notify_message(NotifyCode(code), b"foo.eth", payload).hex() == wire
    message = decode_notify_message(bytes.fromhex(wire))
    assert (message.code, message.name, message.payload) == (code, b"foo.eth", payload)


def test_the_control_topic() -> None:
    assert CONTROL_TOPIC == b"\0\0\0\1"


@pytest.mark.parametrize(
    "items",
    [
        [b"", b"n", bytes(33)],
        [b"\x03", b"n", bytes(33)],
        [b"\x01", b"n", bytes(31)],
        [b"\x04", b"n", b""],
        [b"\x01\x00", b"n", b""],
        [b"\x02", b"n"],
        [b"\x02", b"n", b"", b""],
        [b"\x02", [b"n"], b""],
        b"",
    ],
)
def test_what_is_refused(items: object) -> None:
    with pytest.raises(MalformedMessage):
        decode_notify_message(encode(items))  # type: ignore[arg-type]
