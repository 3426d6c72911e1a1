"""The keys of a lab file that are about faults: `net:` of a link, and the timeline `faults:`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

from pydantic import BeforeValidator, Field, WithJsonSchema

from orchestrator.durations import DURATION_PATTERN
from orchestrator.faults.churn import MAX_COUNT
from orchestrator.faults.model import (
    DIRECTIONS,
    FREQUENCY_PATTERN,
    PERCENT_PATTERN,
    RATE_PATTERN,
    Conditions,
    Direction,
    parse_delay,
    parse_frequency,
    parse_percent,
    parse_rate,
)
from orchestrator.labfile_section import MAX_NAME_CHARS, Moment, Seconds, Section, Selectors

MAX_FAULTS = 1000


def _text(parse: Callable[[str], float]) -> BeforeValidator:
    return BeforeValidator(lambda value: parse(value) if isinstance(value, str) else value)


def _schema(pattern: str, *examples: str) -> WithJsonSchema:
    return WithJsonSchema({"type": "string", "pattern": pattern, "examples": list(examples)})


Delay = Annotated[float, _text(parse_delay), _schema(DURATION_PATTERN, "40ms", "1.5s")]
Percent = Annotated[float, _text(parse_percent), _schema(PERCENT_PATTERN, "0.5%")]
Rate = Annotated[float, _text(parse_rate), _schema(RATE_PATTERN, "500kbit", "5mbit")]
Frequency = Annotated[float, _text(parse_frequency), _schema(FREQUENCY_PATTERN, "6/min")]


class NetSection(Section):
    """Conditions of a link. What is not given is not touched."""

    delay: Delay | None = None
    jitter: Delay | None = None
    loss: Percent | None = None
    rate: Rate | None = None

    @property
    def conditions(self) -> Conditions:
        return Conditions(delay_s=self.delay, jitter_s=self.jitter, loss=self.loss, rate_bps=self.rate)


class ShapeSection(NetSection):
    """Conditions of what some nodes send or get."""

    nodes: Selectors
    peers: Selectors | None = None
    """Only on links with these."""
    direction: Annotated[Direction, WithJsonSchema({"enum": [*DIRECTIONS]})] = "egress"


class ChurnSection(Section):
    """Nodes that die at random and come back."""

    nodes: Selectors
    rate: Frequency
    down: Seconds
    count: Annotated[int, Field(ge=1, le=MAX_COUNT)]
    protect: Selectors | None = None


class FaultEntry(Section):
    """One entry of the timeline: when, how long, and what, which is exactly one of the other keys."""

    at: Moment
    for_: Annotated[Seconds | None, Field(alias="for")] = None
    name: Annotated[str, Field(min_length=1, max_length=MAX_NAME_CHARS)] | None = None
    partition: Annotated[list[Selectors], Field(min_length=1)] | None = None
    cut: Annotated[list[str], Field(min_length=2, max_length=2)] | None = None
    shape: ShapeSection | None = None
    pause: Selectors | None = None
    kill: Selectors | None = None
    restart: Selectors | None = None
    churn: ChurnSection | None = None


ACTIONS = ("partition", "cut", "shape", "pause", "kill", "restart", "churn")
"""Of which an entry has one."""
SECTIONS: dict[str, type[Section]] = {"net": NetSection, "shape": ShapeSection, "churn": ChurnSection}
"""Which keys are known below a key."""
