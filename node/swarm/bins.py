"""A table of values by overlay address, in bins by proximity order to a base (spec 05 section 7.2).

Knows nothing of what the values are; both Kademlia tables are made of it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Generic, TypeVar

from node.ids import OverlayAddress, overlay_address
from node.swarm.proximity import proximity_order

T = TypeVar("T")


class BinTable(Generic[T]):
    """Values by overlay address, one for each."""

    def __init__(self, base: OverlayAddress) -> None:
        self._base = overlay_address(base)
        self._bins: dict[int, dict[OverlayAddress, T]] = {}
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[T]:
        """All values, shallow bins first."""
        for _, values in self.bins():
            yield from values

    def get(self, overlay: bytes) -> T | None:
        """The value for an address; None for an unknown one, and for what is no overlay address at all."""
        return self._bins.get(proximity_order(self._base, overlay), {}).get(OverlayAddress(overlay))

    def put(self, overlay: OverlayAddress, value: T) -> None:
        """Insert or replace.

        Raises:
            ValueError: the address is not 32 bytes.
        """
        values = self._bins.setdefault(proximity_order(self._base, overlay_address(overlay)), {})
        self._count += overlay not in values
        values[overlay] = value

    def remove(self, overlay: OverlayAddress) -> None:
        """Take an address out; nothing happens if it is not in."""
        po = proximity_order(self._base, overlay)
        values = self._bins.get(po, {})
        if overlay in values:
            del values[overlay]
            self._count -= 1
            if not values:
                del self._bins[po]

    def bin(self, po: int) -> Collection[T]:
        """The values of one bin, the longest known first; a view."""
        return self._bins.get(po, {}).values()

    def bins(self) -> list[tuple[int, Collection[T]]]:
        """The non-empty bins from shallow to deep, as ``(po, values)``; views."""
        return [(po, self._bins[po].values()) for po in sorted(self._bins)]

    def sizes(self) -> list[tuple[int, int]]:
        """``(po, size)`` of the non-empty bins from shallow to deep."""
        return [(po, len(self._bins[po])) for po in sorted(self._bins)]

    @property
    def deepest(self) -> int:
        """Proximity order of the deepest non-empty bin; 0 if there is none."""
        return max(self._bins, default=0)
