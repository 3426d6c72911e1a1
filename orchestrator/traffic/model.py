"""What is sent when. Pure data; selectors are resolved against the nodes of a lab."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from orchestrator.shot import DEFAULT_BYTES, DEFAULT_TIMEOUT_S, Mode, Shot, payload_of

DEFAULT_COUNT = 10
DEFAULT_EVERY_S = 1.0
DEFAULT_MODE: Mode = "asym"
MAX_ENTRIES = 100
"""Of traffic in a lab file."""
MAX_MESSAGES = 100_000
MAX_BYTES = 64 * 1024 * 1024
"""Of one entry, over all its pairs: each message is remembered until the end of the play; ours."""


@dataclass(frozen=True, kw_only=True)
class Traffic:
    """Messages from some nodes to some nodes, at regular times."""

    name: str
    senders: tuple[str, ...]
    receivers: tuple[str, ...]
    mode: Mode = DEFAULT_MODE
    at_s: float = 0.0
    every_s: float = DEFAULT_EVERY_S
    count: int = DEFAULT_COUNT
    """Times; each time every sender writes to every receiver but itself."""
    size: int = DEFAULT_BYTES
    """Bytes of a message."""
    timeout_s: float = DEFAULT_TIMEOUT_S
    """In which a message has to arrive."""
    min_share: float | None = None
    """Of the messages that have to arrive, 0 to 1; None: whatever arrives will do."""

    @property
    def pairs(self) -> list[tuple[str, str]]:
        return [(a, b) for a in self.senders for b in self.receivers if a != b]


@dataclass(frozen=True, kw_only=True)
class TimedShot:
    """One message of one entry."""

    at_s: float
    shot: Shot


def expand(traffic: Traffic, *, seed: int) -> list[TimedShot]:
    """Every message of an entry in order of time, numbered 0, 1, ...; the same for the same seed."""
    source = random.Random(f"pss-lab traffic {seed}/{traffic.name}")  # noqa: S311 - replayed from the seed, nothing secret
    timed: list[TimedShot] = []
    for time in range(traffic.count):
        for sender, receiver in traffic.pairs:
            shot = Shot(len(timed), sender, receiver, payload_of(len(timed), traffic.size, source))
            timed.append(TimedShot(at_s=traffic.at_s + time * traffic.every_s, shot=shot))
    return timed


def traffic_to_json(traffic: Traffic) -> dict[str, Any]:
    """As it is kept."""
    return asdict(traffic)


def traffic_from_json(record: Mapping[str, Any]) -> Traffic:
    """The reverse of :func:`traffic_to_json`."""
    lists = {key: tuple(record[key]) for key in ("senders", "receivers")}
    return Traffic(**{**record, **lists})
