"""Which of several equally good peers to use: the one used least (spec 05 section 7.6).

Knows keys and counts. Each consumer (pss is one) keeps its own; a key is whatever names a live peer.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)


class LoadBalancer(Generic[K]):
    """Use counts of live peers."""

    def __init__(self) -> None:
        self._counts: dict[K, int] = {}
        self._shallowest: set[K] = set()

    def on(self, key: K, po_to_base: int) -> None:
        """A peer is connected. It starts with the lowest count among the others in bin 0, 0 if there are none.

        So a newcomer is not flooded until it has caught up with counts that grew over hours.
        """
        others = [self._counts[other] for other in self._shallowest if other != key]
        self._counts[key] = min(others, default=0)
        if po_to_base == 0:
            self._shallowest.add(key)

    def off(self, key: K) -> None:
        """A peer is gone, and its count with it."""
        self._counts.pop(key, None)
        self._shallowest.discard(key)

    def used(self, key: K) -> None:
        """A peer was used once more; nothing happens if it has gone in the meantime."""
        if key in self._counts:
            self._counts[key] += 1

    def count(self, key: K) -> int | None:
        """How often a peer was used, from its starting count on; None if it is not connected."""
        return self._counts.get(key)

    def least_used_first(self, keys: Iterable[K]) -> list[K]:
        """The keys by ascending count; those with equal counts keep their order."""
        counts = self._counts
        return sorted(keys, key=lambda key: counts.get(key, 0))
