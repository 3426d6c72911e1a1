"""What is checked, and what came out. Pure data; selectors are resolved against the nodes of a lab."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

from orchestrator.shot import DEFAULT_BYTES, Mode
from orchestrator.traffic.model import DEFAULT_MODE

Kind = Literal["healthy", "connected", "apart", "delivery"]
KINDS: tuple[Kind, ...] = get_args(Kind)
DEFAULT_WITHIN_S = 10.0
DEFAULT_COUNT = 3
DEFAULT_POINTS = 1
MAX_CHECKS = 200
"""Of a lab file."""
MAX_POINTS = 1000
NAMES_SHOWN = 8


@dataclass(frozen=True, kw_only=True)
class Expected:
    """Messages, and how many of them are to arrive."""

    mode: Mode = DEFAULT_MODE
    count: int = DEFAULT_COUNT
    """From each sender to each receiver."""
    size: int = DEFAULT_BYTES
    min_share: float = 1.0
    max_share: float = 1.0
    max_hops: int | None = None
    """Of any message whose way is known."""


@dataclass(frozen=True, kw_only=True)
class Check:
    """One thing that a lab is to be like."""

    id: str
    kind: Kind
    nodes: tuple[str, ...]
    """Of healthy: which. Of the others: one end."""
    peers: tuple[str, ...] = ()
    """The other end."""
    expected: Expected = Expected()
    """Of delivery."""
    within_s: float = DEFAULT_WITHIN_S
    points: int = DEFAULT_POINTS
    hint: str = ""
    """For whoever fails it."""
    impossible: str = ""
    """Why it cannot be made in this lab; it fails then."""

    @property
    def pairs(self) -> list[tuple[str, str]]:
        return [(a, b) for a in self.nodes for b in self.peers if a != b]

    def __str__(self) -> str:
        if self.impossible:
            return f"{self.kind}, of nodes that are not here"
        if self.kind == "delivery":
            expected = self.expected
            hops = "" if expected.max_hops is None else f", in at most {expected.max_hops} hops"
            ends = f"from {_names(self.nodes)} to {_names(self.peers)}"
            if not expected.max_share:
                return f"no {expected.mode} message {ends}"
            share = f"at least {_percent(expected.min_share)}"
            if expected.max_share < 1.0:
                share = f"{_percent(expected.min_share)} to {_percent(expected.max_share)}"
            return f"{share} of {expected.mode} messages {ends}{hops}"
        return f"{self.kind}: {' with '.join(_names(end) for end in (self.nodes, self.peers) if end)}"


@dataclass(frozen=True, kw_only=True)
class CheckResult:
    """What came out of one check."""

    check: Check
    passed: bool
    found: str
    """A sentence about how it is."""
    seconds: float

    def to_json(self) -> dict[str, Any]:
        return {
            "id": self.check.id,
            "kind": self.check.kind,
            "expected": str(self.check),
            "passed": self.passed,
            "found": self.found,
            "seconds": round(self.seconds, 3),
            "points": self.check.points if self.passed else 0,
            "of": self.check.points,
            "hint": "" if self.passed else self.check.hint,
        }


def points_of(results: Sequence[CheckResult]) -> tuple[int, int]:
    """Points gained, and points there are."""
    return sum(one.check.points for one in results if one.passed), sum(one.check.points for one in results)


def check_to_json(check: Check) -> dict[str, Any]:
    """As it is kept."""
    return asdict(check)


def check_from_json(record: Mapping[str, Any]) -> Check:
    """The reverse of :func:`check_to_json`."""
    built: dict[str, Any] = {key: tuple(record[key]) for key in ("nodes", "peers")}
    return Check(**{**record, **built, "expected": Expected(**record["expected"])})


def _names(names: Sequence[str]) -> str:
    more = len(names) - NAMES_SHOWN
    return ", ".join(names[:NAMES_SHOWN]) + (f" and {more} more" if more > 0 else "")


def _percent(share: float) -> str:
    return f"{share * 100:.4g}%"
