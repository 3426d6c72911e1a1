"""Parameter types: round trips and the reference's error texts."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.rpc.encoding import (
    INT64,
    Base64Bytes,
    ConversionError,
    FixedHex,
    HexBytes,
    IntRange,
    NodeIdHex,
    PrefixedHex,
)
from node.rpc.output import encode_json
from node.rpc.stream import Number

BYTES_TYPE = " into Go value of type hexutil.Bytes"


class Topic(FixedHex):
    SIZE = 4


@given(st.binary(max_size=40))
def test_round_trips(data: bytes) -> None:
    for kind in (HexBytes, PrefixedHex, Base64Bytes):
        text = encode_json(kind(data)).strip('"')
        back = kind.from_json(text)
        assert back == data
        assert type(back) is kind


@pytest.mark.parametrize(
    ("kind", "value", "error"),
    [
        (HexBytes, "01", "json: cannot unmarshal hex string without 0x prefix" + BYTES_TYPE),
        (HexBytes, "0x1", "json: cannot unmarshal hex string of odd length" + BYTES_TYPE),
        (HexBytes, "0xzz", "json: cannot unmarshal invalid hex string" + BYTES_TYPE),
        (HexBytes, "0x 1", "json: cannot unmarshal invalid hex string" + BYTES_TYPE),
        (HexBytes, "0xéé", "json: cannot unmarshal invalid hex string" + BYTES_TYPE),
        (HexBytes, 5, "json: cannot unmarshal non-string" + BYTES_TYPE),
        (HexBytes, None, "json: cannot unmarshal non-string" + BYTES_TYPE),
        (PrefixedHex, "", "empty hex string"),
        (PrefixedHex, "01", "hex string without 0x prefix"),
        (PrefixedHex, "0x1", "hex string of odd length"),
        (PrefixedHex, "0xzz", "invalid hex string"),
        (PrefixedHex, None, "hex string without 0x prefix"),
        (PrefixedHex, 5, "empty hex string"),  # the reference crashes
        (PrefixedHex, 55, "empty hex string"),
        (PrefixedHex, 555, "hex string without 0x prefix"),
        (PrefixedHex, [1], "hex string without 0x prefix"),
        (PrefixedHex, True, "hex string without 0x prefix"),
        (Topic, "", "empty hex string"),
        (NodeIdHex, "00", "wrong length, want 64 hex chars"),
        (NodeIdHex, "zz" * 32, "invalid hex string"),
        (NodeIdHex, 5, "json: cannot unmarshal number into Go value of type enode.ID"),
        (Base64Bytes, "!!", "illegal base64 data at input byte 0"),
        (Base64Bytes, "0x" + "a" * 64, "illegal base64 data at input byte 64"),
        (Base64Bytes, "AAA", "illegal base64 data at input byte 0"),
        (Base64Bytes, "A===", "illegal base64 data at input byte 1"),
        (Base64Bytes, "AA=A", "illegal base64 data at input byte 2"),
        (Base64Bytes, {}, "json: cannot unmarshal object into Go value of type []uint8"),
        (Base64Bytes, [1, 256], "json: cannot unmarshal number 256 into Go value of type uint8"),
        (Base64Bytes, ["a"], "json: cannot unmarshal string into Go value of type uint8"),
    ],
)
def test_refused(kind: Any, value: object, error: str) -> None:
    with pytest.raises(ConversionError) as caught:
        kind.from_json(value)
    assert str(caught.value) == error


def test_accepted() -> None:
    assert HexBytes.from_json("") == b""
    assert HexBytes.from_json("0XaB") == b"\xab"
    assert Topic.from_json("0x") == bytes(4)
    assert Topic.from_json("0x0102") == b"\x01\x02\0\0"
    assert Topic.from_json("0x0102030405") == b"\x01\x02\x03\x04"
    assert Base64Bytes.from_json("AA\r\n==") == b"\0"
    assert Base64Bytes.from_json(None) == b""
    assert Base64Bytes.from_json([0, 255]) == b"\x00\xff"
    assert Base64Bytes.from_json([]) == b""
    assert NodeIdHex.from_json("ab" * 32) == b"\xab" * 32
    assert NodeIdHex.from_json(None) == bytes(32)
    assert encode_json(NodeIdHex(b"\xab" * 32)) == f'"{"ab" * 32}"'


@pytest.mark.parametrize("bad", [2**63, -(2**63) - 1, Number("1.5"), Number("1e3")])
def test_integers_out_of_range(bad: object) -> None:
    with pytest.raises(ConversionError, match=r"cannot unmarshal number .* into Go value of type int"):
        INT64.from_json(bad)


def test_integers() -> None:
    byte = IntRange("uint8", 0, 255)
    assert [byte.from_json(value) for value in (0, 255, None)] == [0, 255, 0]
    with pytest.raises(ConversionError, match="number 256 into Go value of type uint8"):
        byte.from_json(256)
    with pytest.raises(ConversionError, match="cannot unmarshal bool into"):
        byte.from_json(True)
    with pytest.raises(ConversionError, match="cannot unmarshal string into"):
        byte.from_json("1")
