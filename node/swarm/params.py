"""Parameters of the Kademlia tables with the reference's defaults (spec 05 section 7.2)."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class KademliaParams:
    """How many peers a node wants where, and how patiently it dials them.

    Attributes:
        neighbourhood_size: peers that the neighbourhood has at least.
        min_bin_size: live peers that every bin should have.
        max_bin_size: caps the expected size of shallow bins; nothing is ever pruned to it.
        retry_interval_s: a suggested peer is not suggested again sooner, in seconds.
        retry_exponent: the wait grows by this factor from one suggestion to the next.
        max_retries: a peer is suggested at most once more than this.
    """

    neighbourhood_size: int = 2
    min_bin_size: int = 2
    max_bin_size: int = 16
    retry_interval_s: float = 4.2
    retry_exponent: int = 2
    max_retries: int = 42

    def __post_init__(self) -> None:
        if min(self.neighbourhood_size, self.min_bin_size) < 1 or self.max_bin_size < self.min_bin_size:
            raise ValueError("expected sizes of at least 1 and max_bin_size >= min_bin_size")
        if self.retry_exponent < 2 or self.retry_interval_s <= 0:
            raise ValueError("expected retry_exponent >= 2 and retry_interval_s > 0")


DEFAULT_PARAMS = KademliaParams()
