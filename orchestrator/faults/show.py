"""Wanted against actual: each affected direction of a link is asked about, and its round trip measured."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from node.control.client import ControlError
from node.control.gen import control_pb2 as pb
from orchestrator.errors import OrchestratorError
from orchestrator.faults.model import Conditions, Fault, fault_to_json
from orchestrator.faults.wanted import Edge, wanted_edges
from orchestrator.runtime import NodeState

if TYPE_CHECKING:
    from orchestrator.lab import Lab

PROBE_S = 10.0
"""For one round trip over a disturbed link."""


@dataclass(frozen=True, kw_only=True)
class EdgeReport:
    """One direction of a link."""

    a: str
    b: str
    wanted: Conditions
    actual: Conditions
    how: str
    """What makes it: route or shaper."""
    connected: bool
    before_s: float | None = None
    """Round trip before the fault."""
    now_s: float | None = None
    asked: bool = True
    """Whether the node could be asked at all."""

    @property
    def applied(self) -> bool:
        """Whether it is as wanted."""
        return self.asked and self.wanted == self.actual


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
        return all(edge.applied for edge in self.edges) and all(self.paused.values())


def report(lab: Lab) -> FaultReport:
    """Ask the nodes that faults are about. Of nodes that do not run nothing is wanted."""
    state, names = lab.faults.state(), lab.spec.node_names
    wanted = wanted_edges(state.faults, names)
    states = lab.runtime.node_states()
    hands = lab.faults.hands
    askable = {name for name, one in states.items() if one is NodeState.RUNNING}
    alive = {name for name, one in states.items() if one in (NodeState.RUNNING, NodeState.PAUSED)}
    concerned = sorted(({a for a, _ in wanted} | set(state.actual) | state.unsure) & alive)
    told = dict(zip(concerned, lab.faults.each(lambda name: _ask(lab, name, name in askable), concerned), strict=True))
    edges = []
    for a in concerned:
        conditions, links, asked = told[a]
        for b in names:
            edge: Edge = (a, b)
            if edge not in wanted and b not in conditions:
                continue
            link = links.get(b)
            one = wanted.get(edge, Conditions())
            edges.append(
                EdgeReport(
                    a=a,
                    b=b,
                    wanted=_plain(one),
                    actual=_plain(conditions.get(b, Conditions())),
                    how=hands.how(one if one.blocked or one.shaped else conditions.get(b, Conditions())),
                    connected=link is not None and link.connected,
                    before_s=state.before.get(f"{a}>{b}"),
                    now_s=link.round_trip_s if link is not None and link.round_trip_s else None,
                    asked=asked,
                )
            )
    paused = {node for fault in state.faults if fault.kind == "pause" for node in fault.nodes} & alive
    return FaultReport(
        faults=state.faults,
        edges=edges,
        paused={name: states.get(name) is NodeState.PAUSED for name in sorted(paused)},
        how_paused=hands.how_paused,
    )


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
                "applied": edge.applied,
                "how": edge.how,
                "connected": edge.connected,
                "round_trip_before_s": edge.before_s,
                "round_trip_s": edge.now_s,
            }
            for edge in found.edges
        ],
        "paused": [{"node": name, "applied": done, "how": found.how_paused} for name, done in found.paused.items()],
    }


Answer = tuple[dict[str, Conditions], dict[str, pb.LinkState], bool]
"""Conditions by peer, connections by peer, and whether the node could be asked."""


def _ask(lab: Lab, name: str, running: bool) -> Answer:
    hands, names = lab.faults.hands, {bytes(node.id): node.name for node in lab.spec.nodes}
    try:
        blocked = set() if hands.blocking_shapes or not running else hands.blocked(name)
        ours = running and lab.spec.node(name).reference is None
        links = lab[name].control.link_conditions(probe_s=PROBE_S) if ours else []
    except (ControlError, OrchestratorError):
        return {}, {}, False
    by_peer = {names[link.conditions.node_id]: link for link in links if link.conditions.node_id in names}
    found = {}
    for peer in by_peer.keys() | blocked:
        told = by_peer[peer].conditions if peer in by_peer else pb.LinkConditions()
        one = Conditions(
            delay_s=told.delay_s or None,
            jitter_s=told.jitter_s or None,
            loss=told.loss or None,
            rate_bps=told.rate_bps or None,
            blocked=told.blocked or peer in blocked or None,
        )
        if one.blocked or one.shaped:
            found[peer] = one
    return found, by_peer, running


def _plain(one: Conditions) -> Conditions:
    """Without what is said but makes no difference."""
    return Conditions(**{key: value or None for key, value in vars(one).items()})
