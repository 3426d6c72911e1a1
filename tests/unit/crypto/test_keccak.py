"""node.crypto.keccak."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.crypto.keccak import RunningKeccak256, keccak256


@pytest.mark.parametrize(
    ("data", "digest"),
    [
        (b"", "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470"),
        (b"abc", "4e03657aea45a94fc7d47ba826c8d667c0d1e6e33a64a036ec44f58fa12d6c45"),
        (
            b"The quick brown fox jumps over the lazy dog",
            "4d741b6f1eb29cb2a9b9911c82f56fa8d73b04959d3d9d222895df6c0b28aa15",
        ),
    ],
)
def test_known_values(data: bytes, digest: str) -> None:
    assert keccak256(data).hex() == digest


def test_it_is_not_sha3() -> None:
    """The padding byte is 01, not 06 (spec 01 pitfall 1)."""
    assert keccak256(b"") != hashlib.sha3_256(b"").digest()


@given(st.lists(st.binary(max_size=200), max_size=5))
def test_parts_are_concatenated(parts: list[bytes]) -> None:
    assert keccak256(*parts) == keccak256(b"".join(parts))


@given(st.binary(max_size=200), st.lists(st.binary(max_size=200), max_size=5))
def test_running_state_goes_on_after_a_digest(seed: bytes, parts: list[bytes]) -> None:
    state, absorbed = RunningKeccak256(seed), seed
    for part in parts:
        assert state.digest() == keccak256(absorbed)
        state.update(part)
        absorbed += part
    assert state.digest() == state.digest() == keccak256(absorbed)
