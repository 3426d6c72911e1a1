"""Bytes and nested lists to RLP and back, canonical form enforced (spec 01 section 1).

Knows bytes and lists only; integers, texts and messages are in :mod:`node.rlp.structure`.

The `rlp` package is the judge of this codec in the tests, not its engine: importing it costs 0.17 s and 15 MB through
eth_utils and pydantic, it has no bound on nesting, and it cannot say where the first value ends.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

from node.errors import MalformedMessage

Item: TypeAlias = "bytes | list[Item]"
Encodable: TypeAlias = "bytes | Sequence[Encodable]"

MAX_DEPTH = 16
"""Lists within lists. The deepest message of our protocols, a peers list, has 3; the rest guards the stack."""


def encode(item: Encodable) -> bytes:
    """Encode bytes or a (nested) sequence of bytes."""
    if isinstance(item, (bytes, bytearray)):
        if len(item) == 1 and item[0] < 0x80:
            return bytes(item)
        return _header(len(item), 0x80) + item
    return encode_list([encode(part) for part in item])


def encode_list(encoded_items: Sequence[bytes]) -> bytes:
    """Put a list header before items that are already encoded."""
    body = b"".join(encoded_items)
    return _header(len(body), 0xC0) + body


def encode_uint(value: int) -> bytes:
    """Encode an unsigned integer in its minimal form; 0 is the empty string."""
    if value < 0x80:
        if value < 0:
            raise ValueError(f"RLP has no negative integers: {value}")
        return value.to_bytes(1, "big") if value else b"\x80"
    return encode(value.to_bytes((value.bit_length() + 7) // 8, "big"))


def _header(length: int, base: int) -> bytes:
    if length < 56:
        return (base + length).to_bytes(1, "big")
    size = length.to_bytes((length.bit_length() + 7) // 8, "big")
    return (base + 55 + len(size)).to_bytes(1, "big") + size


def decode(data: bytes) -> Item:
    """Decode the one value that `data` holds.

    Raises:
        MalformedMessage: not canonical RLP, or bytes behind the value.
    """
    item, end = decode_first(data)
    if end != len(data):
        raise MalformedMessage(f"RLP: {len(data) - end} trailing bytes after the value")
    return item


def decode_first(data: bytes, start: int = 0) -> tuple[Item, int]:
    """Decode the value that begins at `start`; what follows it is not looked at.

    Returns:
        The value and the offset behind it.

    Raises:
        MalformedMessage: not canonical RLP.
    """
    return _decode_at(data, start, len(data), 0)


def _decode_at(data: bytes, at: int, end: int, depth: int) -> tuple[Item, int]:
    if at >= end:
        raise MalformedMessage("RLP: input ends where a value should begin")
    first = data[at]
    if first < 0x80:
        return data[at : at + 1], at + 1
    if first < 0xC0:
        begin, stop = _extent(data, at, end, 0x80)
        if stop - begin == 1 and data[begin] < 0x80:
            raise MalformedMessage("RLP: single byte below 0x80 must stand for itself")
        return data[begin:stop], stop
    if depth >= MAX_DEPTH:
        raise MalformedMessage(f"RLP: nested deeper than {MAX_DEPTH} lists")
    begin, stop = _extent(data, at, end, 0xC0)
    items: list[Item] = []
    while begin < stop:
        item, begin = _decode_at(data, begin, stop, depth + 1)
        items.append(item)
    return items, stop


def _extent(data: bytes, at: int, end: int, base: int) -> tuple[int, int]:
    """Where the content of the string or list at `at` begins and ends."""
    length = data[at] - base
    begin = at + 1
    if length > 55:
        size_bytes = length - 55
        begin += size_bytes
        if begin > end:
            raise MalformedMessage("RLP: input ends within a length")
        if data[at + 1] == 0:
            raise MalformedMessage("RLP: length has leading zero bytes")
        length = int.from_bytes(data[at + 1 : begin], "big")
        if length < 56:
            raise MalformedMessage("RLP: long form used for a length under 56")
    stop = begin + length
    if stop > end:
        raise MalformedMessage(f"RLP: value of {length} bytes overruns its container by {stop - end}")
    return begin, stop
