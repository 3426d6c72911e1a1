"""How near two overlay addresses are: proximity order and XOR distance (spec 05 section 7.1).

Knows 32-byte addresses only. Forwarding asks these questions thousands of times per second, so everything exists twice:
for addresses as bytes, and (``..._of_ints``) for positions that the caller has turned into integers once.
"""

from __future__ import annotations

from node.ids import OVERLAY_ADDRESS_BYTES

MAX_PO = 8 * OVERLAY_ADDRESS_BYTES
"""Proximity order of an address to itself, in bits: all 256 are equal."""


def position(address: bytes) -> int:
    """The address as a big-endian number; two of them differ in the XOR metric exactly as their addresses do."""
    return int.from_bytes(address, "big")


def proximity_order(a: bytes, b: bytes) -> int:
    """Number of leading bits that two 32-byte addresses have in common; 256 if they are equal."""
    return MAX_PO - (int.from_bytes(a, "big") ^ int.from_bytes(b, "big")).bit_length()


def distance(a: bytes, b: bytes) -> int:
    """The XOR of two 32-byte addresses as a big-endian number."""
    return int.from_bytes(a, "big") ^ int.from_bytes(b, "big")


def compare_distance(base: bytes, x: bytes, y: bytes) -> int:
    """1 if `x` is nearer to `base` than `y` is, -1 if it is farther, 0 if they are the same address."""
    to_x, to_y = distance(base, x), distance(base, y)
    return (to_x < to_y) - (to_x > to_y)


def closer(x: bytes, y: bytes, *, base: bytes) -> bool:
    """Whether `x` is strictly nearer to `base` than `y` is."""
    return distance(base, x) < distance(base, y)
