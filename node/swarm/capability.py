"""What a node says it can do: numbered arrays of flags, and their RLP and text forms (spec 05 section 3).

Knows which settings are legal in a handshake; not where the object travels (see :mod:`node.swarm.address`).
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any, Self

from node.rlp.structure import Uint64, decode_struct, encode_struct

OVERLAY_CAPABILITY_ID = 0
"""The only capability that anybody reads: what the node does for storage and retrieval."""
PSS_CAPABILITY_ID = 1
"""Informational; no reference node looks at it (spec 05 section 3.1)."""
MAX_CACHED_RLP_BYTES = 256
"""Encoded capabilities up to this size are decoded once and remembered; ours (nodes of v0.5.8 send 32 bytes)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Capability:
    """One numbered array of flags, index 0 first.

    Attributes:
        id: unsigned 64-bit number.
        bits: the flags; the meaning of each index belongs to the id.
    """

    id: Uint64
    bits: tuple[bool, ...]

    def __str__(self) -> str:
        return f"{self.id}:{''.join('1' if bit else '0' for bit in self.bits)}"

    def includes(self, other: Capability) -> bool:
        """Whether both have the same id and every flag set in `other` is set here."""
        mine = {index for index, bit in enumerate(self.bits) if bit}
        return self.id == other.id and mine.issuperset(index for index, bit in enumerate(other.bits) if bit)

    def to_json(self) -> dict[str, Any]:
        """The object as JSON-RPC gives it (spec 05 section 11)."""
        return {"Id": self.id, "Cap": list(self.bits)}


def parse_capability(text: str) -> Capability:
    """One ``id:bits``.

    Raises:
        ValueError: not of that form.
    """
    number, colon, bits = text.partition(":")
    if not (colon and number.isascii() and number.isdecimal() and set(bits) <= {"0", "1"}):
        raise ValueError(f"expected a capability as id:bits, got {text!r}")
    return Capability(id=int(number), bits=tuple(bit == "1" for bit in bits))


FULL_NODE = parse_capability("0:1100110000000001")
"""Stores and serves: retrieve, push, both relays, storer."""
LIGHT_NODE = parse_capability("0:1100000000000000")
"""Only asks and pushes. With :data:`FULL_NODE` the only legal overlay capabilities (spec 05 section 3.1)."""
PSS_NODE = parse_capability("1:11000110")
"""Sends, receives, takes partial and empty addresses: what every node of v0.5.8 announces."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Capabilities:
    """The ordered capabilities of a node; no id occurs twice."""

    caps: tuple[Capability, ...] = ()

    def __str__(self) -> str:
        return ",".join(str(cap) for cap in self.caps)

    def get(self, capability_id: int) -> Capability | None:
        """The capability with this id, None if there is none."""
        return next((cap for cap in self.caps if cap.id == capability_id), None)

    def adding(self, capability: Capability) -> Self:
        """A copy with one more.

        Raises:
            ValueError: the id is taken; worded as `bzz_registerCapability` answers it.
        """
        if self.get(capability.id) is not None:
            raise ValueError(f"Capability id {capability.id} already registered")
        return type(self)(caps=(*self.caps, capability))

    def match(self, capability_id: int, index: int) -> bool:
        """One flag.

        Raises:
            ValueError: no such capability or index; worded as `bzz_matchCapability` answers it.
        """
        cap = self.get(capability_id)
        if cap is None:
            raise ValueError(f"Capability {capability_id} not registered")
        if not 0 <= index < len(cap.bits):
            raise ValueError(f"Capability {capability_id} idx {index} out of range")
        return cap.bits[index]

    @property
    def legal_in_handshake(self) -> bool:
        """Whether capability 0 is, bit for bit, the full or the light preset (spec 05 section 5.2)."""
        return self.get(OVERLAY_CAPABILITY_ID) in (FULL_NODE, LIGHT_NODE)

    @property
    def is_light(self) -> bool:
        """Whether capability 0 is the light preset."""
        return self.get(OVERLAY_CAPABILITY_ID) == LIGHT_NODE

    def encode(self) -> bytes:
        """The RLP: a list whose one element is the list of capabilities."""
        return encode_struct(self)

    def to_json(self) -> dict[str, Any]:
        """The object as JSON-RPC gives it (spec 05 section 11)."""
        return {"Caps": [cap.to_json() for cap in self.caps]}


FULL_CAPABILITIES = Capabilities(caps=(FULL_NODE, PSS_NODE))
"""What a reference node sends, in its order."""
LIGHT_CAPABILITIES = Capabilities(caps=(LIGHT_NODE, PSS_NODE))
"""What a reference node sends with ``--lightnode``."""


def parse_capabilities(text: str) -> Capabilities:
    """Capabilities from ``id:bits,id:bits``; the empty text has none.

    Raises:
        ValueError: not of that form, or an id occurs twice.
    """
    result = Capabilities()
    for part in text.split(",") if text else ():
        result = result.adding(parse_capability(part))
    return result


def decode_capabilities(raw: bytes) -> Capabilities:
    """Capabilities from their RLP. Unknown ids are kept, the second of two with the same id is ignored.

    Raises:
        MalformedMessage: not that RLP.
    """
    # Gossip brings the same two or three values thousands of times.
    return _decode_cached(raw) if len(raw) <= MAX_CACHED_RLP_BYTES else _decode(raw)


def _decode(raw: bytes) -> Capabilities:
    by_id: dict[int, Capability] = {}
    for cap in decode_struct(Capabilities, raw).caps:
        by_id.setdefault(cap.id, cap)
    return Capabilities(caps=tuple(by_id.values()))


_decode_cached = functools.lru_cache(maxsize=64)(_decode)
