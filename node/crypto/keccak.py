"""Keccak-256 with the original padding, not SHA3-256 (spec 01 section 3)."""

from __future__ import annotations

from Crypto.Hash import keccak as _keccak


def keccak256(*parts: bytes) -> bytes:
    """Hash the concatenation of `parts`; 32 bytes."""
    state = _keccak.new(digest_bits=256)
    for part in parts:
        state.update(part)
    return bytes(state.digest())


class RunningKeccak256:
    """A Keccak-256 that gives its digest and goes on absorbing, as the RLPx MACs need it."""

    __slots__ = ("digest", "update")

    def __init__(self, seed: bytes = b"") -> None:
        state = _keccak.new(digest_bits=256, update_after_digest=True)
        state.update(seed)
        # Bound methods of the C wrapper: frames ask for five digests each, so one call layer counts.
        self.update = state.update
        self.digest = state.digest
