"""Overlay addresses placed on purpose: the first bits of a node's address, as a lab file writes them.

An address is the digest of a key (spec 05 section 2), so a wanted prefix is searched for: of `n` bits it takes 2^n keys
on average.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from node.ids import OverlayAddress

MAX_PREFIX_BITS = 14
"""16,384 keys on average, a second."""
MAX_SEARCH = 2**17
"""Keys that all nodes of a lab may take together on average, at 50 µs each; ours."""
PREFIX_PATTERN = r"^(0b[01]{1,14}|0x[0-9a-fA-F]{1,3})$"
"""For the JSON Schema; hexadecimal digits are four bits each."""
BITS_PER_DIGIT = 4


def parse_prefix(text: str) -> str:
    """``0b0110`` or ``0x6`` to ``0110``.

    Raises:
        ValueError: neither of the two, or too long to be searched for.
    """
    written = text.strip()
    if re.fullmatch(r"0b[01]+", written):
        bits = written[2:]
    elif re.fullmatch(r"0x[0-9a-fA-F]+", written):
        bits = "".join(f"{int(digit, 16):0{BITS_PER_DIGIT}b}" for digit in written[2:])
    else:
        raise ValueError(f"expected the first bits of an overlay address, such as 0b0110 or 0x6a, got {text[:40]!r}")
    if len(bits) > MAX_PREFIX_BITS:
        raise ValueError(
            f"a prefix of {len(bits)} bits would be searched for too long; expected at most {MAX_PREFIX_BITS}"
        )
    return bits


def begins_with(overlay: OverlayAddress, bits: str) -> bool:
    """Whether an address begins with these bits; every one does with none."""
    return not bits or int.from_bytes(overlay, "big") >> (len(overlay) * 8 - len(bits)) == int(bits, 2)


def search_length(prefixes: Iterable[str]) -> int:
    """Keys that it takes on average to find addresses with all these prefixes."""
    return sum(2 ** len(bits) for bits in prefixes if bits)
