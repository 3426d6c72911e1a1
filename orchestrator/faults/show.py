"""Wanted against actual: each affected direction of a link is asked about, and its round trip measured."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from node.control.gen import control_pb2 as pb
from orchestrator.faults import tc
from orchestrator.faults.apply import round_trips
from orchestrator.faults.change import FAILURES, at_once
from orchestrator.faults.model import Conditions, Fault, fault_to_json
from orchestrator.faults.tc import NO_KERNEL
from orchestrator.faults.wanted import Edge, mute, pairs, wanted_edges
from orchestrator.runtime import NodeState

if TYPE_CHECKING:
    from orchestrator.lab import Lab

PROBE_S = 10.0
"""For one round trip over a disturbed link."""
NOTHING = Conditions()


@dataclass(frozen=True, kw_only=True)
class EdgeReport:
    """One direction of a link."""

    a: str
    b: str
    wanted: Conditions
    actual: Conditions
    how: str
    """What makes it: route, tc or shaper."""
    connected: bool
    astray: Conditions = NOTHING
    """What is done as well by something that should not."""
    before_s: float | None = None
    """Round trip before the fault."""
    now_s: float | None = None
    measured: bool = True
    """Whether the node can measure round trips; those of kind reference cannot."""
    asked: bool = True
    """Whether the node could be asked at all."""
    excused: bool = False
    """It could not, and that is wanted: a fault froze it."""

    @property
    def applied(self) -> bool:
        """Whether it is known to be as wanted."""
        return self.asked and self.wanted == self.actual and not self.astray.shaped


@dataclass(frozen=True, kw_only=True)
class FaultReport:
    """All of a lab."""

    faults: list[Fault]
    edges: list[EdgeReport]
    paused: dict[str, bool]
    """Nodes that are to be frozen: whether they are."""
    how_paused: str

    @property
    def applied(self) -> bool:
        """Whether all is as wanted, as far as it can be known while some are frozen on purpose."""
        return all(edge.applied or edge.excused for edge in self.edges) and all(self.paused.values())


def report(lab: Lab) -> FaultReport:
    """Ask the nodes that faults are about. Of nodes that do not run nothing is wanted."""
    state, names = lab.faults.state(), lab.spec.node_names
    wanted = wanted_edges(state.faults, names)
    states = lab.runtime.node_states()
    hands, kernel = lab.faults.hands, state.kernel or NO_KERNEL
    askable = {name for name, one in states.items() if one is NodeState.RUNNING}
    alive = {name for name, one in states.items() if one in (NodeState.RUNNING, NodeState.PAUSED)}
    concerned = sorted(({a for a, _ in wanted} | set(state.actual) | state.unsure) & alive)
    closed = pairs(edge for edge, one in wanted.items() if one.blocked)

    def ask(name: str) -> Answer:
        return _ask(lab, name, mute(name, names, closed, askable)) if name in askable else NO_ANSWER

    to_freeze = {node for fault in state.faults if fault.kind == "pause" for node in fault.nodes} & alive
    paused = {name: states[name] is NodeState.PAUSED for name in sorted(to_freeze)}
    told = dict(zip(concerned, at_once(ask, concerned), strict=True))
    edges = []
    for a in concerned:
        conditions, links, asked = told[a]
        for b in names:
            edge: Edge = (a, b)
            if edge not in wanted and b not in conditions:
                continue
            link = links.get(b)
            one, found = wanted.get(edge, NOTHING), conditions.get(b, Told())
            by_kernel = kernel.can(one) if one.shaped else found.traffic.shaped
            blocked, shaped = Conditions(blocked=found.blocked), found.traffic if by_kernel else found.shaper
            if by_kernel and tc.agrees(one, shaped):
                shaped = dataclasses.replace(one, blocked=None)  # tc rounds
            edges.append(
                EdgeReport(
                    a=a,
                    b=b,
                    wanted=_plain(one),
                    actual=_plain(blocked.over(shaped)),
                    astray=_plain(found.shaper if by_kernel else found.traffic),
                    how=hands.how(one.blocked or found.blocked, by_kernel),
                    connected=link is not None and link.connected,
                    before_s=state.before.get(f"{a}>{b}"),
                    now_s=link.round_trip_s if link is not None and link.round_trip_s else None,
                    measured=lab.spec.node(a).reference is None,
                    asked=asked,
                    excused=not asked and paused.get(a, False),
                )
            )
    return FaultReport(faults=state.faults, edges=edges, paused=paused, how_paused=hands.how_paused)


def report_to_json(found: FaultReport) -> dict[str, Any]:
    """As JSON types; times in seconds."""
    return {
        "applied": found.applied,
        "faults": [fault_to_json(fault) for fault in found.faults],
        "edges": [
            {
                "from": edge.a,
                "to": edge.b,
                "wanted": str(edge.wanted),
                "actual": str(edge.actual) if edge.asked else None,
                "applied": None if edge.excused else edge.applied,
                "how": edge.how,
                "also": str(edge.astray) if edge.astray.shaped else None,
                "connected": edge.connected,
                "round_trip_before_s": edge.before_s,
                "round_trip_s": edge.now_s,
            }
            for edge in found.edges
        ],
        "paused": [{"node": name, "applied": done, "how": found.how_paused} for name, done in found.paused.items()],
    }


@dataclass(frozen=True, kw_only=True)
class Told:
    """What is done to one direction, as those say who do it."""

    blocked: bool = False
    traffic: Conditions = NOTHING
    shaper: Conditions = NOTHING


Answer = tuple[dict[str, Told], dict[str, pb.LinkState], bool]
"""What is done by peer, connections by peer, and whether the node could be asked."""
NO_ANSWER: Answer = ({}, {}, False)


def _ask(lab: Lab, name: str, mute: Collection[str]) -> Answer:
    hands, names = lab.faults.hands, {bytes(node.id): node.name for node in lab.spec.nodes}
    try:
        in_network = {} if hands.blocking_shapes else hands.in_network(name)
        links = _links(lab, name, mute)
    except FAILURES:  # it, or the engine, stops just now
        return NO_ANSWER
    by_peer = {names[link.conditions.node_id]: link for link in links if link.conditions.node_id in names}
    found = {}
    for peer in by_peer.keys() | in_network.keys():
        own = by_peer[peer].conditions if peer in by_peer else pb.LinkConditions()
        traffic = in_network.get(peer, NOTHING)
        one = Told(
            blocked=own.blocked or bool(traffic.blocked),
            traffic=dataclasses.replace(traffic, blocked=None),
            shaper=Conditions(
                delay_s=own.delay_s or None,
                jitter_s=own.jitter_s or None,
                loss=own.loss or None,
                rate_bps=own.rate_bps or None,
            ),
        )
        if one != Told():
            found[peer] = one
    return found, by_peer, True


def _links(lab: Lab, name: str, mute: Collection[str]) -> list[pb.LinkState]:
    """A node's connections; of kind reference without their round trips."""
    if lab.spec.node(name).reference is None:
        return round_trips(lab, name, PROBE_S, mute)
    peers = lab[name].control.peers()
    return [pb.LinkState(conditions=pb.LinkConditions(node_id=peer.node_id), connected=True) for peer in peers]


def _plain(one: Conditions) -> Conditions:
    """Without what is said but makes no difference."""
    return Conditions(**{key: value or None for key, value in vars(one).items()})
