"""Reads vector files (tests/vectors/README.md describes them)."""

from __future__ import annotations

import functools
import hashlib
import itertools
import json
from pathlib import Path
from typing import Any

Case = dict[str, Any]


@functools.cache
def load_cases(path: Path) -> list[Case]:
    """All cases of one file."""
    cases: list[Case] = json.loads(path.read_text())["cases"]
    return cases


def unhex(text: str) -> bytes:
    """Bytes of a 0x-hex field."""
    assert text.startswith("0x"), text
    return bytes.fromhex(text[2:])


def generate(recipe: Case) -> bytes:
    """The bytes that a ``payload_gen`` recipe stands for."""
    size = recipe["size"]
    if recipe["type"] == "repeat":
        pattern = unhex(recipe["pattern"])
        return (pattern * (size // len(pattern) + 1))[:size]
    assert recipe["type"] == "sha256ctr", recipe
    out = b"".join(
        hashlib.sha256(unhex(recipe["seed"]) + i.to_bytes(4, "big")).digest()
        for i in itertools.islice(itertools.count(), size // 32 + 1)
    )
    return out[:size]
