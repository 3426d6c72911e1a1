"""Durations and sizes, with their units."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.durations import MAX_MEMORY_MB, MIN_MEMORY_MB, parse_duration, parse_memory_mb


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("60s", 60), ("2m", 120), ("500ms", 0.5), ("1m30s", 90), ("1.5h", 5400), (" 1d ", 86400), ("366d", 366 * 86400)],
)
def test_durations(text: str, seconds: float) -> None:
    assert parse_duration(text) == pytest.approx(seconds)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("60", "the unit is missing, such as 60ms or 60s"),
        ("", "expected a duration"),
        ("s", "expected a duration"),
        ("-1s", "expected a duration"),
        ("1 s", "expected a duration"),
        ("1s\n2", "expected a duration"),
        ("٣s", "expected a duration"),
        ("1e3s", "expected a duration"),
        ("0s", "over zero"),
        ("367d", "up to a year"),
    ],
)
def test_bad_durations(text: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        parse_duration(text)


@given(st.integers(1, 86_400_000))
def test_milliseconds(milliseconds: int) -> None:
    assert parse_duration(f"{milliseconds}ms") == pytest.approx(milliseconds / 1000)


@pytest.mark.parametrize(
    ("text", "megabytes"),
    [("96m", 96), ("1g", 1024), ("1.5g", 1536), ("65536k", 64), ("160MB", 160), ("160MiB", 160), ("6m", MIN_MEMORY_MB)],
)
def test_sizes(text: str, megabytes: int) -> None:
    assert parse_memory_mb(text) == megabytes


@pytest.mark.parametrize(
    ("text", "why"),
    [("160", "the unit is missing, such as 160m"), ("m", "expected a size"), ("5m", "from 6m"), ("1025g", "to 1024g")],
)
def test_bad_sizes(text: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        parse_memory_mb(text)


def test_largest_size() -> None:
    assert parse_memory_mb("1024g") == MAX_MEMORY_MB
