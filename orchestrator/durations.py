"""Quantities with a unit, as people write them: ``90s``, ``500ms``, ``1m30s``; ``160m`` of memory; ``99%``.

One parser for lab files and the command line. Knows no lab: errors are plain ValueErrors whose text can follow the name
of the key or flag.
"""

from __future__ import annotations

import re

SECONDS_PER_UNIT = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
MAX_DURATION_S = 366 * 86400.0
"""A year: more is a slip of the keyboard."""
DURATION_PATTERN = r"^([0-9]{1,9}(\.[0-9]{1,6})?(ms|s|m|h|d))+$"
"""For the JSON Schema."""

MB_PER_UNIT = {"k": 1 / 1024, "m": 1, "g": 1024}
"""As Docker counts: m is 2^20 bytes."""
MIN_MEMORY_MB = 6
"""Docker refuses less."""
MAX_MEMORY_MB = 1024 * 1024
MEMORY_PATTERN = r"^[0-9]{1,9}(\.[0-9]{1,3})?[kmgKMG]([iI]?[bB])?$"

SHARE_PATTERN = r"^[0-9]{1,3}(\.[0-9]{1,4})?%$"

_STEP = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,6})?)(ms|s|m|h|d)", re.ASCII)
_DURATION = re.compile(DURATION_PATTERN.removesuffix("$"), re.ASCII)
_MEMORY = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,3})?)([kmg])(?:i?b)?", re.ASCII | re.IGNORECASE)


def parse_duration(text: str) -> float:
    """Seconds from ``60s``, ``2m``, ``500ms`` or ``1m30s``.

    Raises:
        ValueError: not a duration, the unit is missing, or it is zero or over a year.
    """
    text = text.strip()
    if not _DURATION.fullmatch(text):
        example = f", such as {text}ms or {text}s" if text.isascii() and text.isdigit() and len(text) < 10 else ""
        raise ValueError(f"expected a duration such as 500ms, 60s or 1m30s, got {text[:40]!r}{_missing_unit(example)}")
    seconds = sum(float(number) * SECONDS_PER_UNIT[unit] for number, unit in _STEP.findall(text))
    if not 0 < seconds <= MAX_DURATION_S:
        raise ValueError(f"expected a duration over zero and up to a year, got {text[:40]!r}")
    return seconds


def parse_memory_mb(text: str) -> int:
    """Mebibytes from ``96m``, ``1.5g`` or ``65536k``; ``mb`` and ``MiB`` mean ``m``.

    Raises:
        ValueError: not a size, the unit is missing, or it is under what Docker takes.
    """
    text = text.strip()
    match = _MEMORY.fullmatch(text)
    if match is None:
        example = f", such as {text}m" if text.isascii() and text.isdigit() and len(text) < 10 else ""
        raise ValueError(f"expected a size such as 160m or 1g, got {text[:40]!r}{_missing_unit(example)}")
    megabytes = int(float(match[1]) * MB_PER_UNIT[match[2].lower()])
    if not MIN_MEMORY_MB <= megabytes <= MAX_MEMORY_MB:
        raise ValueError(f"expected a size from {MIN_MEMORY_MB}m to {MAX_MEMORY_MB // 1024}g, got {text[:40]!r}")
    return megabytes


def parse_share(text: str) -> float:
    """``99%`` to 0.99.

    Raises:
        ValueError: no percentage, or more than 100.
    """
    text = text.strip()
    if not re.fullmatch(SHARE_PATTERN.strip("^$"), text, re.ASCII) or float(text[:-1]) > 100:
        raise ValueError(f"expected a percentage from 0% to 100%, such as 99%, got {text[:40]!r}")
    return float(text[:-1]) / 100


def _missing_unit(example: str) -> str:
    return f": the unit is missing{example}" if example else ""
