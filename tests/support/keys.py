"""Keys, payloads and corruption for tests: the same in every run."""

from __future__ import annotations

from node.crypto.secp256k1 import PrivateKey

KEY_A = PrivateKey(bytes([0xA1] * 32))
KEY_B = PrivateKey(bytes([0xB2] * 32))
"""The static keys of the worked example, spec 01 section 8."""


def make_key(number: int) -> PrivateKey:
    """The same key for the same number, 1 and up."""
    return PrivateKey(number.to_bytes(32, "big"))


def flip_bit(data: bytes, bit: int) -> bytes:
    """`data` with one bit the other way; bit 0 is the highest of the first byte."""
    at, mask = bit // 8, 0x80 >> bit % 8
    return data[:at] + bytes([data[at] ^ mask]) + data[at + 1 :]
