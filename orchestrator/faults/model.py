"""What can be wrong with a lab on purpose, as data. Names of nodes are plain texts; nothing here knows a lab.

Faults are layers: each says something about some nodes or some directions of links, a later one wins where both say
something, and taking one away brings back what the others say. So faults are merged and never reset one another.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

from orchestrator.durations import parse_duration
from orchestrator.errors import LabFileError

Kind = Literal["partition", "cut", "shape", "pause", "down"]
KINDS: tuple[Kind, ...] = get_args(Kind)
Direction = Literal["egress", "ingress", "both"]
DIRECTIONS: tuple[Direction, ...] = get_args(Direction)
BITS = {"bit": 1.0, "kbit": 1e3, "mbit": 1e6, "gbit": 1e9}
MIN_RATE_BPS = 8_000.0
"""Less would not carry one message of the overlay within its time limits; ours."""
MAX_RATE_BPS = 1e18
"""What a lab file can say at most: nine digits of gbit."""
MAX_DELAY_S = 60.0
"""Nodes take no more (node.control.linkconditions)."""
RATE_PATTERN = r"^[0-9]{1,9}(\.[0-9]{1,3})?(bit|kbit|mbit|gbit)$"
PERCENT_PATTERN = r"^[0-9]{1,3}(\.[0-9]{1,4})?%$"
FREQUENCY_PATTERN = r"^[0-9]{1,6}(\.[0-9]{1,3})?/(s|min|h)$"
DEFAULT_LOSS = 0.05
"""Of `lab flaky`."""
SLOW_MOTION = "slowmo"
"""Name of the fault that `lab slowmo` sets; those inside it, in Python, are called ``slowmo-1`` and so on."""
NET_PREFIX = "net-"
"""Of the names of a lab file's link conditions."""


@dataclass(frozen=True, kw_only=True)
class Conditions:
    """Of one direction of a link. None: nothing is said about it, and what another fault says holds."""

    delay_s: float | None = None
    jitter_s: float | None = None
    loss: float | None = None
    """Probability, 0 to 1."""
    rate_bps: float | None = None
    """Bits per second."""
    blocked: bool | None = None

    def over(self, below: Conditions) -> Conditions:
        """These, and where they say nothing what is `below`."""
        said = {key: value for key, value in vars(self).items() if value is not None}
        return dataclasses.replace(below, **said)

    @property
    def shaped(self) -> bool:
        """Whether anything but blocking is said."""
        return any((self.delay_s, self.jitter_s, self.loss, self.rate_bps))

    def __str__(self) -> str:
        """As people write it: ``delay 200ms, loss 5%``."""
        if self.blocked:
            return "blocked"
        parts = [
            f"delay {format_s(self.delay_s)}" if self.delay_s else "",
            f"jitter {format_s(self.jitter_s)}" if self.jitter_s else "",
            f"loss {self.loss * 100:.4g}%" if self.loss else "",
            f"rate {format_rate(self.rate_bps)}" if self.rate_bps else "",
        ]
        return ", ".join(filter(None, parts)) or "none"


@dataclass(frozen=True, kw_only=True)
class Fault:
    """One thing that is wrong until it is cleared."""

    name: str
    kind: Kind
    groups: tuple[tuple[str, ...], ...] = ()
    """Of a partition or a cut: nothing passes between nodes of different groups."""
    nodes: tuple[str, ...] = ()
    """Of a shape: whose links. Of pause and down: which."""
    peers: tuple[str, ...] = ()
    """Of a shape: only the links with these; none: with everybody."""
    conditions: Conditions = Conditions()
    direction: Direction = "egress"
    """Of a shape, as `nodes` see it."""
    from_file: bool = False
    """It is the `net:` of a lab file, part of how the lab should be: healing leaves it."""

    def __str__(self) -> str:
        if self.kind in ("partition", "cut"):
            return " | ".join(", ".join(group) for group in self.groups)
        if self.kind == "shape":
            towards = f" with {', '.join(self.peers)}" if self.peers else ""
            return f"{', '.join(self.nodes)}{towards} ({self.direction}): {self.conditions}"
        return ", ".join(self.nodes)


def is_slow_motion(name: str) -> bool:
    """Whether a fault of this name is one of slow motion."""
    return name == SLOW_MOTION or name.startswith(f"{SLOW_MOTION}-")


def check_name(name: str) -> None:
    """Look whether somebody may call a fault of theirs that.

    Raises:
        LabFileError: it is a name that we give ourselves.
    """
    if is_slow_motion(name) or name.startswith(NET_PREFIX):
        raise LabFileError(f"the name {name!r} is taken by others")


def check_conditions(one: Conditions) -> None:
    """Look whether all quantities are within what nodes and kernels take.

    Raises:
        LabFileError: one is not; says which, and what it may be.
    """
    for name, value, most, unit in (
        ("delay_s", one.delay_s, MAX_DELAY_S, " seconds"),
        ("jitter_s", one.jitter_s, MAX_DELAY_S, " seconds"),
        ("loss", one.loss, 1.0, ", a probability"),
    ):
        if value is not None and not 0 <= value <= most:
            raise LabFileError(f"{name}: expected 0 to {most:g}{unit}, got {value:g}")
    if one.rate_bps is not None and not MIN_RATE_BPS <= one.rate_bps <= MAX_RATE_BPS:
        raise LabFileError(
            f"rate_bps: expected {MIN_RATE_BPS:g} to {MAX_RATE_BPS:g} bits per second, got {one.rate_bps:g}"
        )


def fault_to_json(fault: Fault) -> dict[str, Any]:
    """As it is kept and shown; what is not said is left out."""
    plain = {key: value for key, value in vars(fault).items() if value not in ((), False, Conditions())}
    if "conditions" in plain:
        plain["conditions"] = {key: value for key, value in vars(fault.conditions).items() if value is not None}
    if fault.kind != "shape":
        plain.pop("direction")
    return plain


def fault_from_json(record: Mapping[str, Any]) -> Fault:
    """The reverse of :func:`fault_to_json`."""
    plain = dict(record)
    plain["groups"] = tuple(tuple(group) for group in record.get("groups", ()))
    for key in ("nodes", "peers"):
        plain[key] = tuple(record.get(key, ()))
    plain["conditions"] = Conditions(**record.get("conditions", {}))
    return Fault(**plain)


def parse_delay(text: str) -> float:
    """Seconds of a delay or a jitter, at most :data:`MAX_DELAY_S`.

    Raises:
        ValueError: says what was expected.
    """
    seconds = parse_duration(text)
    if seconds > MAX_DELAY_S:
        raise ValueError(f"expected at most {MAX_DELAY_S:g}s, got {text[:40]!r}")
    return seconds


def parse_percent(text: str) -> float:
    """``5%`` to 0.05.

    Raises:
        ValueError: no percentage, or not over 0 and up to 100.
    """
    text = text.strip()
    if not re.fullmatch(PERCENT_PATTERN.strip("^$"), text, re.ASCII) or not 0 < float(text[:-1]) <= 100:
        raise ValueError(f"expected a percentage over 0% and up to 100%, such as 0.5%, got {text[:40]!r}")
    return float(text[:-1]) / 100


def parse_rate(text: str) -> float:
    """``5mbit`` to bits per second.

    Raises:
        ValueError: no rate, or less than :data:`MIN_RATE_BPS`.
    """
    match = re.fullmatch(r"([0-9]{1,9}(?:\.[0-9]{1,3})?)(bit|kbit|mbit|gbit)", text.strip().lower(), re.ASCII)
    if match is None:
        raise ValueError(f"expected a rate such as 500kbit or 5mbit, got {text[:40]!r}")
    rate = float(match[1]) * BITS[match[2]]
    if rate < MIN_RATE_BPS:
        raise ValueError(f"expected at least {format_rate(MIN_RATE_BPS)}, got {text[:40]!r}")
    return rate


def parse_frequency(text: str) -> float:
    """``6/min`` to events per second; ``/s``, ``/min`` and ``/h``.

    Raises:
        ValueError: no frequency.
    """
    match = re.fullmatch(r"([0-9]{1,6}(?:\.[0-9]{1,3})?)/(s|min|h)", text.strip(), re.ASCII)
    if match is None or not float(match[1]):
        raise ValueError(f"expected how often, such as 6/min or 0.5/s, got {text[:40]!r}")
    return float(match[1]) / {"s": 1, "min": 60, "h": 3600}[match[2]]


def format_s(seconds: float) -> str:
    """``40ms``, ``1.5s``."""
    return f"{seconds * 1000:.4g}ms" if seconds < 1 else f"{seconds:g}s"


def format_rate(bps: float) -> str:
    """``5mbit``."""
    unit, size = next((unit, size) for unit, size in reversed(BITS.items()) if bps >= size)
    return f"{bps / size:g}{unit}"
