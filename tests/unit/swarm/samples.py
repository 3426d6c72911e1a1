"""Addresses and strategies for the tests of this folder."""

from __future__ import annotations

from hypothesis import strategies as st

from node.ids import OverlayAddress
from node.swarm.address import BzzAddr
from node.swarm.capability import FULL_CAPABILITIES

KEY_TEXT = "ab" * 64


def overlay_of(bits: str) -> OverlayAddress:
    """The address that begins with these bits; the rest is zero."""
    return OverlayAddress(int(bits.ljust(256, "0"), 2).to_bytes(32, "big"))


def record(overlay: OverlayAddress | str, port: int = 30399) -> BzzAddr:
    """A record as a reference node would send it, for an address or the bits it begins with."""
    overlay = overlay_of(overlay) if isinstance(overlay, str) else overlay
    return BzzAddr.of(overlay, f"enode://{KEY_TEXT}@127.0.0.1:{port}", FULL_CAPABILITIES)


# Random addresses part at the first bits; those of few values in few places give deep bins, too.
overlays = st.one_of(
    st.binary(min_size=32, max_size=32),
    st.text("01", min_size=8, max_size=8).map(overlay_of),
    st.tuples(st.integers(0, 255), st.integers(0, 255)).map(
        lambda pair: ((1 << pair[0]) | (1 << pair[1])).to_bytes(32, "big")
    ),
).map(OverlayAddress)
overlay_sets = st.lists(overlays, unique=True, max_size=40)
