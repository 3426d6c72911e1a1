"""BzzAddr: where a node is in the overlay, how to dial it, what it can do (spec 05 section 4).

On the wire it is three RLP items in a row without a list of their own, so it is flattened into whatever list holds it.
Knows nothing of enode URLs beyond whether an underlay looks like one; dialing parses it for good.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

from node.errors import MalformedMessage
from node.ids import OVERLAY_ADDRESS_BYTES, OverlayAddress, overlay_address
from node.rlp.codec import Item
from node.rlp.structure import bytes_from
from node.swarm.capability import Capabilities, decode_capabilities

ITEMS_PER_ADDRESS = 3
"""Overlay, underlay, capabilities."""
MAX_UNDERLAY_BYTES = 512
"""Longest underlay that we keep or dial; ours. An enode URL with an IPv6 address and a discport has about 210 bytes."""
MAX_CAPABILITIES_BYTES = 1024
"""Longest capabilities RLP that we keep; ours. Reference nodes send 32 bytes."""

_ENODE_URL = re.compile(rb"enode://[0-9a-f]{128}@[^@/?#\s]{2,64}:[0-9]{1,5}(\?discport=[0-9]{1,5})?", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class BzzAddr:
    """The address record of a node.

    Attributes:
        overlay: 32 bytes, always: a shorter one crashes reference nodes (spec 05 section 14, pitfall 9).
        underlay: ASCII bytes of an enode URL, if the sender was honest; anything else is kept as it came.
        capabilities_rlp: the RLP exactly as it came, so that we gossip what we heard.
    """

    overlay: OverlayAddress
    underlay: bytes
    capabilities_rlp: bytes = b"\xc1\xc0"

    def __post_init__(self) -> None:
        overlay_address(self.overlay)

    @classmethod
    def of(cls, overlay: OverlayAddress, underlay: str, capabilities: Capabilities) -> Self:
        """The record for a node whose parts are known, our own for instance."""
        return cls(overlay=overlay, underlay=underlay.encode("ascii"), capabilities_rlp=capabilities.encode())

    @property
    def capabilities(self) -> Capabilities:
        """The third item, decoded.

        Raises:
            MalformedMessage: it is no capabilities RLP (never for a record that came from the wire).
        """
        return decode_capabilities(self.capabilities_rlp)

    @property
    def underlay_text(self) -> str:
        """The underlay for people and URL parsers; foreign bytes become replacement characters."""
        return self.underlay.decode("ascii", "replace")

    @property
    def storable(self) -> bool:
        """Whether the record is small enough to be kept in the table of known addresses."""
        return len(self.underlay) <= MAX_UNDERLAY_BYTES and len(self.capabilities_rlp) <= MAX_CAPABILITIES_BYTES

    @property
    def dialable(self) -> bool:
        """Whether the underlay looks like a complete enode URL of a sane length."""
        return len(self.underlay) <= MAX_UNDERLAY_BYTES and _ENODE_URL.fullmatch(self.underlay) is not None

    def to_items(self) -> list[bytes]:
        """The three RLP items, to be put into the list that holds the record."""
        return [self.overlay, self.underlay, self.capabilities_rlp]

    @classmethod
    def from_items(cls, items: Sequence[Item]) -> Self:
        """The record that three items make.

        Raises:
            MalformedMessage: not three byte strings, the third not capabilities, or the overlay not 32 bytes.
        """
        overlay, underlay, capabilities_rlp = check_items(items)
        if len(overlay) != OVERLAY_ADDRESS_BYTES:
            raise MalformedMessage(f"overlay address must be {OVERLAY_ADDRESS_BYTES} bytes, got {len(overlay)}")
        return cls(overlay=OverlayAddress(overlay), underlay=underlay, capabilities_rlp=capabilities_rlp)

    def to_json(self) -> dict[str, Any]:
        """The object that hive_peer answers (spec 05 section 11): byte strings in base64."""
        return {
            "OAddr": base64.b64encode(self.overlay).decode(),
            "UAddr": base64.b64encode(self.underlay).decode(),
            "Capabilities": self.capabilities.to_json(),
        }


def check_items(items: Sequence[Item]) -> tuple[bytes, bytes, bytes]:
    """Overlay, underlay and capabilities as far as reference nodes check them: the overlay may have any length.

    Raises:
        MalformedMessage: not three byte strings, or the third is not the RLP of capabilities.
    """
    if len(items) != ITEMS_PER_ADDRESS:
        raise MalformedMessage(f"address record: expected {ITEMS_PER_ADDRESS} items, got {len(items)}")
    overlay, underlay, capabilities_rlp = (bytes_from(item) for item in items)
    decode_capabilities(capabilities_rlp)
    return overlay, underlay, capabilities_rlp
