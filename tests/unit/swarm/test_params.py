"""Parameters that make no sense are refused."""

from __future__ import annotations

from typing import Any

import pytest

from node.swarm.params import DEFAULT_PARAMS, KademliaParams


def test_defaults() -> None:
    assert (DEFAULT_PARAMS.neighbourhood_size, DEFAULT_PARAMS.min_bin_size, DEFAULT_PARAMS.max_bin_size) == (2, 2, 16)


@pytest.mark.parametrize(
    "change",
    [
        {"neighbourhood_size": 0},
        {"min_bin_size": 0},
        {"max_bin_size": 1},
        {"retry_exponent": 1},
        {"retry_interval_s": 0.0},
    ],
)
def test_nonsense(change: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="expected"):
        KademliaParams(**change)
