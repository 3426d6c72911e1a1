"""Proximity order and distance against counting bits."""

from __future__ import annotations

from hypothesis import given, settings

from node.ids import OverlayAddress
from node.swarm.proximity import (
    MAX_PO,
    closer,
    compare_distance,
    distance,
    proximity_order,
)
from tests.unit.swarm.samples import overlay_of, overlays


def bits(address: bytes) -> str:
    return "".join(f"{byte:08b}" for byte in address)


@settings(deadline=None)
@given(overlays, overlays)
def test_proximity_order_counts_equal_leading_bits(a: OverlayAddress, b: OverlayAddress) -> None:
    equal = next((i for i, (x, y) in enumerate(zip(bits(a), bits(b), strict=True)) if x != y), MAX_PO)
    assert proximity_order(a, b) == proximity_order(b, a) == equal


@settings(deadline=None)
@given(overlays, overlays, overlays)
def test_distance_compares_like_the_xored_bytes(base: OverlayAddress, x: OverlayAddress, y: OverlayAddress) -> None:
    to_x, to_y = (bytes(p ^ q for p, q in zip(base, other, strict=True)) for other in (x, y))
    assert distance(base, x) == int(to_x.hex(), 16)
    assert closer(x, y, base=base) == (to_x < to_y)
    assert compare_distance(base, x, y) == (to_x < to_y) - (to_x > to_y)


def test_the_ends_of_the_range() -> None:
    assert proximity_order(overlay_of("0"), overlay_of("1")) == 0
    assert proximity_order(overlay_of("0"), overlay_of("0" * 255 + "1")) == 255
    assert proximity_order(overlay_of("1"), overlay_of("1")) == MAX_PO == 256
