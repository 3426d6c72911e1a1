"""One change of what is wanted of a lab: the nodes it is about are told, and who is connected follows.

Order matters for whoever is killed in between: what is wanted and whom it concerns is on disk before a node is touched,
and what was done is noted afterwards. Who comes next therefore knows which nodes may be different from what is noted.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from node.control.client import ControlError
from orchestrator.errors import LabNotReady, OrchestratorError
from orchestrator.faults.apply import Hands
from orchestrator.faults.model import Conditions
from orchestrator.faults.store import FaultState, FaultStore
from orchestrator.faults.tc import NO_KERNEL
from orchestrator.faults.wanted import (
    ORDER,
    Edge,
    NodeFaults,
    Step,
    blocked_pairs,
    mute,
    pairs,
    plan,
    wanted_edges,
    wanted_nodes,
)
from orchestrator.runtime import NodeState

if TYPE_CHECKING:
    from orchestrator.lab import Lab

WORKERS = 8
ALIVE = (NodeState.RUNNING, NodeState.PAUSED)
FAILURES = (ControlError, OrchestratorError, OSError)
"""Of a node or the engine; the last is what the engine's client raises."""

T = TypeVar("T")
R = TypeVar("R")


@dataclass(frozen=True, kw_only=True)
class Scope:
    """How far a change goes beyond the nodes of which it wants something new."""

    only: str = ""
    """It is about this node, and no other is told anything."""
    everybody: bool = False
    """No node that was ever told anything may fail; otherwise those of which nothing new is wanted may."""
    silent: bool = False
    """Connections that become blocked are left to themselves."""
    rejoin: bool = False
    """Who was disconnected is connected again where the way is free."""


class Changes:
    """Of one lab; each waits for the one before."""

    def __init__(self, lab: Lab, store: FaultStore, hands: Hands) -> None:
        self._lab, self._store, self._hands = lab, store, hands

    def make(self, edit: Callable[[FaultState], object], scope: Scope) -> None:
        """Change what is wanted, and do it.

        Raises:
            LabNotFound: the lab is gone.
            PreflightError: a node cannot do it, nor can the kernel; nothing was done.
            OrchestratorError: it could not be done to a node that is concerned, or two were not connected again; all
                the rest was.
        """
        with self._store.lock():
            state = self._store.load()
            if state.unsure:  # whoever changed something before was killed; a helper may still be at it
                self._hands.remove_helpers()
            names = self._lab.spec.node_names
            edges_before, before = wanted_edges(state.faults, names), self.wanted(state)
            edit(state)
            edges = wanted_edges(state.faults, names)
            if any(one.shaped for one in edges.values()):
                state.kernel = self._hands.kernel(state.kernel)
            wanted = self.wanted(state)
            self._hands.check(wanted, state.kernel or NO_KERNEL)
            states = self._lab.runtime.node_states()
            steps = self._steps(state, wanted, states, scope)
            concerned = {name for name in names if before.get(name) != wanted.get(name)} | {scope.only}
            if scope.everybody:  # without those that somebody is starting just now, and will tell
                concerned |= {*state.actual, *state.unsure}
            newly = self._look_before(state, edges_before, edges, states, scope)
            state.unsure |= {step.node for step in steps}
            self._store.save(state)
            failed: dict[str, Exception] = {}
            try:
                self._do(state, steps, wanted, states, failed)
            finally:
                self._store.save(state)
            failures = [
                OrchestratorError(f"{name} could not be told its faults: {error}", hint="lab fault show; lab heal")
                for name, error in sorted(failed.items())
                if name in concerned
            ]
            running = {name for name, one in states.items() if one is NodeState.RUNNING}
            running |= {step.node for step in steps if step.action == "unpause"}
            awake = {name for name in running - set(failed) if not wanted.get(name, NodeFaults()).paused}
            if not (scope.silent or failures):  # what fails is taken back, and nobody need notice
                self._sever([edge for a, b in newly for edge in ((a, b), (b, a)) if edge[0] in awake])
            self._sever_awoken(state, wanted, awake)
            if scope.rejoin:
                failures += self._rejoin(state, wanted, set(failed))
            self._store.save(state)
            if failures:
                raise failures[0]

    def wanted(self, state: FaultState) -> dict[str, NodeFaults]:
        """As far as it is known what the kernel can do."""
        return wanted_nodes(state.faults, self._lab.spec.node_names, (state.kernel or NO_KERNEL).can)

    def _steps(
        self, state: FaultState, wanted: dict[str, NodeFaults], states: dict[str, NodeState], scope: Scope
    ) -> list[Step]:
        alive = {name for name, one in states.items() if one in ALIVE}
        for name in {*state.actual, *state.unsure} - alive:  # told when they are started
            state.actual.pop(name, None)
            state.unsure.discard(name)
        steps = plan(state.actual, wanted, unsure=state.unsure & alive, blocking_shapes=self._hands.blocking_shapes)
        # Who is being started just now does not answer yet, and is told by whoever starts it.
        return [step for step in steps if step.node in alive and scope.only in ("", step.node)]

    def _look_before(
        self,
        state: FaultState,
        was: dict[Edge, Conditions],
        edges: dict[Edge, Conditions],
        states: dict[str, NodeState],
        scope: Scope,
    ) -> list[Edge]:
        """Note round trips and connections of links that a fault is about to touch; the connections it will block."""
        running = {name for name, one in states.items() if one is NodeState.RUNNING}
        state.before = {key: value for key, value in state.before.items() if tuple(key.split(">")) in edges}
        touched = [edge for edge in edges if edge not in was]
        blocked_before = pairs(edge for edge, one in was.items() if one.blocked)
        new = pairs(edge for edge, one in edges.items() if one.blocked) - blocked_before
        askable = {a for a, _ in touched} | {name for pair in new for name in pair}
        ours = [n for n in sorted(askable & running) if self._lab.spec.node(n).reference is None]
        connected: set[frozenset[str]] = set()
        names = {bytes(node.id): node.name for node in self._lab.spec.nodes}
        everybody = self._lab.spec.node_names
        looks = at_once(lambda name: self._hands.look(name, mute(name, everybody, blocked_before, running)), ours)
        for name, links in zip(ours, looks, strict=True):
            for link in links:
                peer = names.get(link.conditions.node_id, "")
                if link.connected:
                    connected.add(frozenset((name, peer)))
                if (name, peer) in touched and link.round_trip_s:
                    state.before[f"{name}>{peer}"] = link.round_trip_s
        newly = self._dialers(new & connected)
        state.severed |= set(newly)
        if not scope.silent:
            frozen = {name for name, one in states.items() if one is NodeState.PAUSED}
            state.to_sever |= {(name, peer) for pair in new for name in pair & frozen for peer in pair - {name}}
        return newly

    def _do(
        self,
        state: FaultState,
        steps: list[Step],
        wanted: dict[str, NodeFaults],
        states: dict[str, NodeState],
        failed: dict[str, Exception],
    ) -> None:
        """Do all steps, those of one kind at once. A node that stays frozen can be told nothing: it stays unsure.

        Args:
            failed: gets what was in the way, by node.
        """
        frozen = {
            name for name, one in states.items() if one is NodeState.PAUSED and wanted.get(name, NodeFaults()).paused
        }

        def do(step: Step) -> None:
            if step.node in failed:
                return
            try:
                self._hands.do(step)
            except FAILURES as error:
                failed[step.node] = error

        for action in ORDER:
            at_once(do, [s for s in steps if s.action == action and not (action == "shape" and s.node in frozen)])
        told = {step.node for step in steps}
        for name in told - set(failed):
            if name in frozen and any(step.node == name and step.action == "shape" for step in steps):
                continue
            state.unsure.discard(name)
            state.actual.pop(name, None)
            if name in wanted:
                state.actual[name] = wanted[name]

    def _sever(self, edges: Sequence[Edge]) -> None:
        """Tell nodes that connections are gone."""

        def end(edge: Edge) -> None:
            with contextlib.suppress(ControlError):  # it stopped meanwhile, or is busy: it will notice by itself
                self._hands.sever(edge)

        at_once(end, edges)

    def _sever_awoken(self, state: FaultState, wanted: dict[str, NodeFaults], awake: set[str]) -> None:
        """Tell nodes that were frozen when a way was blocked, and now go on, if it still is."""
        blocked = blocked_pairs(wanted)
        state.to_sever = {edge for edge in state.to_sever if frozenset(edge) in blocked}
        due = {edge for edge in state.to_sever if edge[0] in awake}
        ours = sorted(a for a in {a for a, _ in due} if self._lab.spec.node(a).reference is None)
        names = {bytes(node.id): node.name for node in self._lab.spec.nodes}
        found = at_once(self._hands.connections, ours)
        connected = {
            (name, names.get(link.conditions.node_id, ""))
            for name, links in zip(ours, found, strict=True)
            for link in links
            if link.connected
        }
        state.severed |= set(self._dialers(pairs(due & connected)))
        state.to_sever -= due
        self._sever(sorted(edge for edge in due if edge in connected or edge[0] not in ours))

    def _rejoin(self, state: FaultState, wanted: dict[str, NodeFaults], failed: set[str]) -> list[OrchestratorError]:
        """Connect again who was connected before the way between them was blocked, where it is free; what failed."""
        blocked, frozen = blocked_pairs(wanted), {name for name, node in wanted.items() if node.paused}
        free = sorted(pair for pair in state.severed if frozenset(pair) not in blocked and not failed & set(pair))
        if not free:
            return []
        running = self._lab.running
        apart: dict[Edge, str] = {}

        def join(pair: Edge) -> None:
            try:
                self._hands.join(pair)
            except FAILURES as error:
                apart[pair] = str(error)

        # Who does not run is connected when it is started.
        at_once(join, [pair for pair in free if set(pair) <= running])
        state.severed -= {pair for pair in free if pair not in apart and not frozen & set(pair)}
        if not apart:
            return []
        names = self._lab.spec.node_names
        slow = [fault.name for fault in state.faults if pairs(apart) & pairs(wanted_edges([fault], names))]
        hint = f"too slow to shake hands: lab fault clear {' '.join(slow)}" if slow else "lab heal tries again"
        return [LabNotReady("; ".join(sorted(apart.values())), hint=hint)]

    def _dialers(self, connections: Iterable[frozenset[str]]) -> list[Edge]:
        """Connections with who is to dial first, as the lab's links have it."""
        planned = {frozenset((link.a, link.b)): (link.a, link.b) for link in self._lab.spec.links}
        ordered = [planned.get(pair, tuple(sorted(pair))) for pair in connections]
        return [(pair[0], pair[1]) for pair in ordered]


def at_once(act: Callable[[T], R], items: Sequence[T]) -> list[R]:
    """Do something with all items at once. Not in the lab's own workers: we may be called by one."""
    if not items:
        return []
    with ThreadPoolExecutor(min(WORKERS, len(items)), thread_name_prefix="faults") as pool:
        return list(pool.map(act, items))
