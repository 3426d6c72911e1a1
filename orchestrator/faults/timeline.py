"""The `faults:` of a lab file: what happens when. No I/O; selectors are resolved against the nodes of a lab."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from orchestrator.faults.churn import Churn, schedule
from orchestrator.faults.model import Fault, fault_from_json, fault_to_json

Verb = Literal["set", "clear", "kill", "start", "restart"]


@dataclass(frozen=True, kw_only=True)
class TimedFault:
    """One entry. Exactly one of `fault`, `churn`, `kill` and `restart` is given."""

    name: str
    at_s: float
    for_s: float | None = None
    """After which it is cleared, or killed nodes are started; None: at the end of the play."""
    fault: Fault | None = None
    churn: Churn | None = None
    kill: tuple[str, ...] = ()
    restart: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Act:
    """One thing to do at one time."""

    at_s: float
    verb: Verb
    name: str
    """Of the entry."""
    numbered: bool = False
    """Of churn: every death is a fault of its own, with a number after the name."""
    fault: Fault | None = None
    nodes: tuple[str, ...] = ()

    def __str__(self) -> str:
        if self.fault is not None and self.verb == "set":
            return f"{self.name}: {self.fault.kind} {self.fault}"
        return f"{self.name}: {self.verb} {', '.join(self.nodes)}".rstrip()


def expand(timeline: tuple[TimedFault, ...], *, seed: int) -> list[Act]:
    """Everything that happens, in order of time; of things at the same time, what ends comes first."""
    acts: list[Act] = []
    for entry in timeline:
        end = None if entry.for_s is None else entry.at_s + entry.for_s
        if entry.fault is not None:
            acts.append(Act(at_s=entry.at_s, verb="set", name=entry.name, fault=entry.fault))
            if end is not None:
                acts.append(Act(at_s=end, verb="clear", name=entry.name))
        if entry.kill:
            acts.append(Act(at_s=entry.at_s, verb="kill", name=entry.name, nodes=entry.kill))
            if end is not None:
                acts.append(Act(at_s=end, verb="start", name=entry.name, nodes=entry.kill))
        if entry.restart:
            acts.append(Act(at_s=entry.at_s, verb="restart", name=entry.name, nodes=entry.restart))
        if entry.churn is not None:
            acts += churn_acts(entry.churn, name=entry.name, at_s=entry.at_s, seed=f"{seed}/{entry.name}")
    return sorted(acts, key=lambda act: (act.at_s, act.verb in ("set", "kill", "restart")))


def churn_acts(churn: Churn, *, name: str, at_s: float, seed: int | str) -> list[Act]:
    """Deaths and returns, in order of time."""
    acts = []
    for step in schedule(churn, seed=seed):
        acts.append(Act(at_s=at_s + step.at_s, verb="kill", name=name, nodes=(step.node,), numbered=True))
        acts.append(Act(at_s=at_s + step.until_s, verb="start", name=name, nodes=(step.node,), numbered=True))
    return sorted(acts, key=lambda act: (act.at_s, act.verb == "kill"))


def timed_to_json(entry: TimedFault) -> dict[str, Any]:
    """As it is kept."""
    plain = {**vars(entry), "fault": fault_to_json(entry.fault) if entry.fault else None}
    return plain | {"churn": vars(entry.churn) if entry.churn else None}


def timed_from_json(record: dict[str, Any]) -> TimedFault:
    """The reverse of :func:`timed_to_json`."""
    churn = record["churn"]
    return TimedFault(
        **record
        | {
            "fault": fault_from_json(record["fault"]) if record["fault"] else None,
            "churn": Churn(**churn | {"nodes": tuple(churn["nodes"])}) if churn else None,
            "kill": tuple(record["kill"]),
            "restart": tuple(record["restart"]),
        }
    )
