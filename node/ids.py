"""Fixed-length identifiers that look alike as bytes, told apart by type.

Knows lengths and text forms, nothing of keys or the network. Sources: spec 01 section 2, spec 05 section 2, spec 06
section 2.
"""

from __future__ import annotations

from typing import NewType

NodeId = NewType("NodeId", bytes)
"""devp2p identity: Keccak-256 of the 64-byte public key; 32 bytes."""
OverlayAddress = NewType("OverlayAddress", bytes)
"""Place of a node in the Swarm overlay: Keccak-256 of the 65-byte bzz public key; 32 bytes."""
Topic = NewType("Topic", bytes)
"""pss topic; 4 bytes."""
Digest = NewType("Digest", bytes)
"""What tells pss messages apart: Keccak-256 over address, topic and payload; 32 bytes."""

NODE_ID_BYTES = 32
OVERLAY_ADDRESS_BYTES = 32
TOPIC_BYTES = 4


def overlay_address(raw: bytes) -> OverlayAddress:
    """Check that `raw` is a full overlay address.

    Raises:
        ValueError: not 32 bytes.
    """
    if len(raw) != OVERLAY_ADDRESS_BYTES:
        raise ValueError(f"overlay address must be {OVERLAY_ADDRESS_BYTES} bytes, got {len(raw)}")
    return OverlayAddress(raw)
