"""Churn: nodes that die and come back, at random but the same every time. No I/O."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

from orchestrator.errors import LabFileError

MAX_COUNT = 100_000


@dataclass(frozen=True, kw_only=True)
class Churn:
    """Which nodes die, how often, for how long."""

    nodes: tuple[str, ...]
    rate_per_s: float
    """On average; the times between two deaths are exponential, so deaths come independently of each other."""
    down_s: float
    count: int
    """Deaths in all."""


@dataclass(frozen=True, order=True)
class ChurnStep:
    """One death."""

    at_s: float
    """From the beginning."""
    node: str
    until_s: float
    """When it is started again."""


def schedule(churn: Churn, *, seed: int | str) -> list[ChurnStep]:
    """All deaths, in order of time. A node that is down does not die; with nobody left the next death waits.

    Raises:
        LabFileError: no nodes.
    """
    if not churn.nodes:
        raise LabFileError("churn: no node is left to die", hint="name more nodes, or protect fewer")
    rng = random.Random(f"{seed}/churn")  # noqa: S311  -- repeatable on purpose
    steps: list[ChurnStep] = []
    back: dict[str, float] = {}
    at = 0.0
    for _ in range(churn.count):
        at += rng.expovariate(churn.rate_per_s)
        if all(back.get(name, 0.0) > at for name in churn.nodes):
            at = min(back[name] for name in churn.nodes)
        node = rng.choice([name for name in churn.nodes if back.get(name, 0.0) <= at])
        back[node] = at + churn.down_s
        steps.append(ChurnStep(at, node, back[node]))
    return steps


def without(nodes: Sequence[str], protect: Sequence[str]) -> tuple[str, ...]:
    """The nodes that may die."""
    return tuple(name for name in nodes if name not in protect)
