"""node.rlpx.snappy (spec 01 section 6)."""

from __future__ import annotations

import tracemalloc

import cramjam
import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.errors import MalformedMessage, MessageTooBig, RemoteProtocolError
from node.rlpx import snappy
from tests.support.keys import flip_bit


def varint(number: int) -> bytes:
    out = b""
    while number >= 0x80:
        out += bytes([number & 0x7F | 0x80])
        number >>= 7
    return out + bytes([number])


@given(st.binary(max_size=500) | st.builds(lambda b, n: b * n, st.binary(max_size=5), st.integers(0, 500)))
def test_round_trip(payload: bytes) -> None:
    assert snappy.decompress(snappy.compress(payload)) == payload


@pytest.mark.parametrize(
    ("payload", "block"), [("", "00"), ("c0", "0100c0"), ("86666f6f626172", "071886666f6f626172"), ("c108", "0204c108")]
)
def test_recorded_blocks(payload: str, block: str) -> None:
    assert snappy.compress(bytes.fromhex(payload)).hex() == block
    assert snappy.decompress(bytes.fromhex(block)).hex() == payload


def test_any_valid_block_is_read() -> None:
    """The reference packs 100 zeros with two copies; a literal-only block does as well."""
    zeros = b"\xb8\x64" + bytes(100)
    assert snappy.decompress(bytes.fromhex("6608b86400fe01008a0100")) == zeros
    assert snappy.decompress(varint(102) + b"\xf0" + bytes([101]) + zeros) == zeros


@pytest.mark.parametrize(
    "block",
    ["", "80", "8080808080", "05", "0100", "0200c0", "0000c0", "0100c0c0", "ffffffffff01", "04fe0100"],
    ids=["empty", "open varint", "long varint", "no body", "cut", "short", "too much", "trailing", "huge", "no offset"],
)
def test_corrupt_blocks(block: str) -> None:
    with pytest.raises(RemoteProtocolError):
        snappy.decompress(bytes.fromhex(block))


@given(st.binary(max_size=60))
def test_any_bytes(block: bytes) -> None:
    """A payload or an error of the peer's; no other exception."""
    try:
        snappy.decompress(block)
    except RemoteProtocolError:
        return


@given(st.binary(min_size=1, max_size=200), st.data())
def test_truncated_and_flipped_blocks(payload: bytes, data: st.DataObject) -> None:
    block = snappy.compress(payload)
    cut = data.draw(st.integers(0, len(block) - 1))
    with pytest.raises(MalformedMessage):
        snappy.decompress(block[:cut])
    try:
        snappy.decompress(flip_bit(block, data.draw(st.integers(0, len(block) * 8 - 1))))
    except RemoteProtocolError:
        return


@pytest.mark.parametrize("size", [snappy.MAX_DECOMPRESSED_BYTES + 1, 2**31, 2**32 - 1, 2**35 - 1])
def test_a_bomb_is_refused_before_anything_is_allocated(size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    def explode(_: bytes) -> None:
        pytest.fail("decompressed")

    monkeypatch.setattr(cramjam.snappy, "decompress_raw", explode, raising=True)
    tracemalloc.start()
    try:
        with pytest.raises(MessageTooBig) as caught:
            snappy.decompress(varint(size) + b"\x00")
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()
    assert (caught.value.size, caught.value.limit) == (size, 16_777_215)


def test_the_limit_itself_passes() -> None:
    assert snappy.MAX_DECOMPRESSED_BYTES == 16_777_215
    payload = bytes(snappy.MAX_DECOMPRESSED_BYTES)
    assert len(snappy.decompress(snappy.compress(payload))) == len(payload)
    with pytest.raises(MessageTooBig):
        snappy.decompress(snappy.compress(payload + b"\x00"))
