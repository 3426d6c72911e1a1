"""From faults to what each node is to do, and from that to the steps that lead there. No I/O.

Everything comes down to directions of links: what `a` sends to `b` is `a`'s to hold back, whichever side a fault was
asked for.
"""

from __future__ import annotations

import dataclasses
import itertools
import random
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, get_args

from orchestrator.errors import LabFileError
from orchestrator.faults.model import Conditions, Fault

Edge = tuple[str, str]
"""From whom to whom."""
Action = Literal["unpause", "network", "shape", "pause"]
ORDER: tuple[Action, ...] = get_args(Action)


@dataclass(frozen=True)
class NodeFaults:
    """What one node does to its links, and what is done to it."""

    blocked: frozenset[str] = frozenset()
    """Peers that get nothing from it."""
    shaped: Mapping[str, Conditions] = field(default_factory=dict)
    """By peer: what its own shaper does."""
    paused: bool = False
    traffic: Mapping[str, Conditions] = field(default_factory=dict)
    """By peer: what the kernel's traffic control does in its network. No peer is here and in :attr:`shaped`."""

    def __bool__(self) -> bool:
        return bool(self.blocked or self.shaped or self.paused or self.traffic)


@dataclass(frozen=True)
class Step:
    """One thing to do on one node. `network` (routes, traffic control) and `shape` bring it to all that is wanted."""

    node: str
    action: Action
    wanted: NodeFaults


def wanted_edges(faults: Iterable[Fault], names: Sequence[str]) -> dict[Edge, Conditions]:
    """Conditions of each direction about which any fault says something.

    Args:
        names: of all nodes.
    """
    edges: dict[Edge, Conditions] = {}
    for fault in faults:
        if fault.kind in ("partition", "cut"):
            touched, conditions = _between(fault.groups), Conditions(blocked=True)
        elif fault.kind == "shape":
            touched, conditions = _directions(fault, names), fault.conditions
        else:
            continue
        for edge in touched:
            edges[edge] = conditions.over(edges[edge]) if edge in edges else conditions
    return {edge: one for edge, one in edges.items() if one.blocked or one.shaped}


def wanted_nodes(
    faults: Sequence[Fault], names: Sequence[str], by_kernel: Callable[[Conditions], bool] = lambda one: False
) -> dict[str, NodeFaults]:
    """What each node is to do; nodes that nothing is wanted of are left out.

    Args:
        by_kernel: whether the kernel's traffic control makes these conditions, and not the node's shaper.
    """
    blocked: dict[str, set[str]] = {name: set() for name in names}
    shaped: dict[str, dict[str, Conditions]] = {name: {} for name in names}
    traffic: dict[str, dict[str, Conditions]] = {name: {} for name in names}
    for (a, b), conditions in wanted_edges(faults, names).items():
        if conditions.blocked:
            blocked[a].add(b)
        if conditions.shaped:
            one = dataclasses.replace(conditions, blocked=None) if conditions.blocked is not None else conditions
            (traffic if by_kernel(one) else shaped)[a][b] = one
    paused = {name for fault in faults if fault.kind == "pause" for name in fault.nodes}
    found = {name: NodeFaults(frozenset(blocked[name]), shaped[name], name in paused, traffic[name]) for name in names}
    return {name: node for name, node in found.items() if node}


def plan(
    actual: Mapping[str, NodeFaults],
    wanted: Mapping[str, NodeFaults],
    *,
    unsure: Collection[str] = (),
    blocking_shapes: bool = False,
) -> list[Step]:
    """What to do to get from `actual` to `wanted`: first what opens, so that a node can be told the rest.

    Args:
        unsure: nodes of which it is not known how they are; they are told everything.
        blocking_shapes: the shaper of a node blocks too, so the two go together.
    """
    steps: list[Step] = []
    for name in sorted(actual.keys() | wanted.keys() | set(unsure)):
        was, will, all_of_it = actual.get(name, NodeFaults()), wanted.get(name, NodeFaults()), name in unsure
        blocks = all_of_it or was.blocked != will.blocked
        limits = all_of_it or dict(was.traffic) != dict(will.traffic)
        shapes = all_of_it or dict(was.shaped) != dict(will.shaped)
        if (was.paused or all_of_it) and not will.paused:
            steps.append(Step(name, "unpause", will))
        if (blocks or limits) and not blocking_shapes:
            steps.append(Step(name, "network", will))
        if shapes or (blocks and blocking_shapes):
            steps.append(Step(name, "shape", will))
        if will.paused and (all_of_it or not was.paused):
            steps.append(Step(name, "pause", will))
    return sorted(steps, key=lambda step: ORDER.index(step.action))


def complete_groups(groups: Sequence[Sequence[str]], names: Sequence[str]) -> tuple[tuple[str, ...], ...]:
    """The groups of a partition: nodes that no group names are one more.

    Raises:
        LabFileError: a node is in two groups, or there is nothing to divide.
    """
    seen: set[str] = set()
    for group in groups:
        if twice := sorted(seen & set(group)):
            raise LabFileError(f"node {twice[0]} is in two groups of the partition")
        seen |= set(group)
    rest = tuple(name for name in names if name not in seen)
    complete = tuple(tuple(group) for group in groups if group) + ((rest,) if rest else ())
    if len(complete) < 2:
        raise LabFileError("a partition needs two groups; this one has all nodes in one")
    return complete


def random_halves(
    names: Sequence[str], running: Collection[str], *, seed: int | str
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """All nodes in two groups, in which as many run, give or take one; the same with the same seed.

    Raises:
        LabFileError: fewer than two run.
    """
    here, away = [name for name in names if name in running], [name for name in names if name not in running]
    if len(here) < 2:
        raise LabFileError("a partition needs two nodes that run", hint="lab status")
    rng = random.Random(f"{seed}/partition")  # noqa: S311  -- repeatable on purpose
    rng.shuffle(here)
    rng.shuffle(away)
    dealt = here + away
    one, other = set(dealt[::2]), set(dealt[1::2])
    return tuple(name for name in names if name in one), tuple(name for name in names if name in other)


def pairs(edges: Iterable[Edge]) -> set[frozenset[str]]:
    """Links, whatever their direction."""
    return {frozenset(edge) for edge in edges}


def mute(name: str, names: Iterable[str], blocked: Collection[frozenset[str]], running: Collection[str]) -> set[str]:
    """Nodes of which one node can get no answer.

    Args:
        blocked: links through which nothing passes.
        running: nodes that are neither frozen nor dead.
    """
    return {peer for peer in names if peer not in running or frozenset((name, peer)) in blocked}


def blocked_pairs(wanted: Mapping[str, NodeFaults]) -> set[frozenset[str]]:
    """Links through which nothing is to pass, at least in one direction."""
    return {frozenset((name, peer)) for name, node in wanted.items() for peer in node.blocked}


def _between(groups: Sequence[Sequence[str]]) -> list[Edge]:
    return [
        (a, b) for one, other in itertools.permutations(groups, 2) for a, b in itertools.product(one, other) if a != b
    ]


def _directions(fault: Fault, names: Sequence[str]) -> list[Edge]:
    out = [(a, b) for a, b in itertools.product(fault.nodes, fault.peers or names) if a != b]
    back = [(b, a) for a, b in out]
    return {"egress": out, "ingress": back, "both": [*out, *back]}[fault.direction]
