"""The key message: worked examples of spec 07 section A2, limits, broken input."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.errors import MalformedMessage
from node.ids import Topic
from node.pss.handshake_message import (
    MAX_KEY_MESSAGE_BYTES,
    MAX_KEYS,
    KeyMessage,
    decode_key_message,
    encode_key_message,
)
from node.pss.topic import topic_from_text
from node.rlp.codec import encode
from tests.unit.pss.keys import NODE_1

FOO = topic_from_text("foo")
NODE = bytes.fromhex("b59a23e8aaa6e40d3bd6e5eccd09987ab8141ec5b3646962e6810671d8f82434")
WITH_KEYS = bytes.fromhex(f"f86ea0{NODE.hex()}820100f842a0{'a1' * 32}a0{'a2' * 32}04842c26b46b")
WITHOUT = bytes.fromhex(f"eba0{NODE.hex()}820100c080842c26b46b")


def make(**fields: object) -> KeyMessage:
    values: dict[str, object] = {"address": NODE, "limit": 256, "keys": (), "request": 0, "topic": FOO, **fields}
    return KeyMessage(**values)  # type: ignore[arg-type]


def test_worked_examples() -> None:
    assert NODE_1.public.overlay == NODE
    two = make(keys=(b"\xa1" * 32, b"\xa2" * 32), request=4)
    assert (len(WITH_KEYS), len(WITHOUT)) == (112, 44)
    assert encode_key_message(two) == WITH_KEYS
    assert decode_key_message(WITH_KEYS) == two
    assert encode_key_message(make()) == WITHOUT
    assert decode_key_message(WITHOUT) == make()


def test_sizes_of_the_usual_messages() -> None:
    assert len(encode_key_message(make(keys=(bytes(32),) * 4, request=4))) == 178
    assert len(encode_key_message(make(keys=(bytes(32),), request=4))) == 78
    assert len(encode_key_message(make(keys=(bytes(32),) * 253))) == 8397


@given(
    st.binary(max_size=32),
    st.integers(0, 0xFFFF),
    st.lists(st.binary(max_size=40), max_size=8).map(tuple),
    st.integers(0, 0xFF),
    st.binary(min_size=4, max_size=4),
)
def test_round_trip(address: bytes, limit: int, keys: tuple[bytes, ...], request: int, topic: bytes) -> None:
    message = KeyMessage(address=address, limit=limit, keys=keys, request=request, topic=Topic(topic))
    assert decode_key_message(encode_key_message(message)) == message


@pytest.mark.parametrize("end", range(len(WITH_KEYS)))
def test_every_truncation_is_refused(end: int) -> None:
    with pytest.raises(MalformedMessage):
        decode_key_message(WITH_KEYS[:end])


@pytest.mark.parametrize(
    "items",
    [
        [bytes(33), b"\x01", [], b"", FOO],  # an address that no message can carry
        [NODE, b"\x00", [], b"", FOO],
        [NODE, b"\x01", [[]], b"", FOO],
        [NODE, b"\x01", [], b"", FOO + b"\0"],
        [[], b"\x01", [], b"", FOO],
        [NODE, b"\x01", [], b"", FOO, b""],
        [],
    ],
)
def test_what_does_not_fit_is_refused(items: list[object]) -> None:
    with pytest.raises(MalformedMessage):
        decode_key_message(encode(items))  # type: ignore[arg-type]


def test_number_and_size_of_keys_are_limited() -> None:
    assert len(decode_key_message(encode_key_message(make(keys=(bytes(32),) * MAX_KEYS))).keys) == MAX_KEYS
    with pytest.raises(MalformedMessage, match="256 > 255 keys"):
        decode_key_message(encode_key_message(make(keys=(b"",) * (MAX_KEYS + 1))))
    with pytest.raises(MalformedMessage, match="bytes"):
        decode_key_message(encode_key_message(make(keys=(bytes(MAX_KEY_MESSAGE_BYTES),))))


def test_keys_are_not_shown() -> None:
    assert "a1" not in repr(make(keys=(b"\xa1" * 32,))).replace(NODE.hex(), "")
