"""The duplicate cache: digests of messages that went through here lately (spec 06 section 3).

Without it a message would circle for ever, for the previous hop is not left out when a message is forwarded.
"""

from __future__ import annotations

from collections import OrderedDict

from node.ids import Digest

CACHE_TTL_S = 30.0
"""How long a digest is remembered after the last insertion (spec 06 section 1: CacheTTL)."""
MAX_DIGESTS = 262_144
"""Ours; the reference has no bound. 8,700 messages per second for 30 s, and about 50 MB if it ever fills."""


class SeenCache:
    """Digests with an expiry each, in order of expiry."""

    __slots__ = ("_capacity", "_expiry", "_ttl_s")

    def __init__(self, *, ttl_s: float = CACHE_TTL_S, capacity: int = MAX_DIGESTS) -> None:
        self._ttl_s, self._capacity = ttl_s, capacity
        # An OrderedDict, not a dict: taking from the front of a dict walks over all the holes left there.
        self._expiry: OrderedDict[Digest, float] = OrderedDict()

    def add(self, digest: Digest, *, now: float) -> None:
        """Remember from now on, or for longer."""
        expiry = self._expiry
        expiry[digest] = now + self._ttl_s
        expiry.move_to_end(digest)
        self._collect(now)
        if len(expiry) > self._capacity:
            expiry.popitem(last=False)

    def contains(self, digest: Digest, *, now: float) -> bool:
        """Whether the expiry lies strictly in the future; asking does not prolong it."""
        return self._expiry.get(digest, now) > now

    def _collect(self, now: float) -> None:
        # Order of insertion is order of expiry, so each call looks at one live entry at most.
        expiry = self._expiry
        while expiry:
            oldest = next(iter(expiry))
            if expiry[oldest] > now:
                return
            del expiry[oldest]

    def __len__(self) -> int:
        return len(self._expiry)
