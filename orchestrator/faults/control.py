"""The faults of a running lab: wanted, saved, applied, taken back. What :class:`orchestrator.lab.Lab` hands on to.

Order matters for whoever is killed in between: what is wanted and whom it concerns is on disk before a node is touched,
and what was done is noted afterwards. Who comes next therefore knows which nodes may be different from what is noted.
"""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Self, TypeVar

from node.control.client import ControlError
from node.control.gen import control_pb2 as pb
from orchestrator.errors import LabFileError, OrchestratorError
from orchestrator.faults.apply import Hands
from orchestrator.faults.model import SLOW_MOTION, Conditions, Direction, Fault
from orchestrator.faults.show import FaultReport, report
from orchestrator.faults.store import FaultState, FaultStore
from orchestrator.faults.wanted import Edge, NodeFaults, Step, complete_groups, pairs, plan, wanted_edges, wanted_nodes
from orchestrator.names import select_nodes
from orchestrator.runtime import NodeState
from orchestrator.spec import Link

if TYPE_CHECKING:
    from orchestrator.lab import Lab

WORKERS = 8
PROBE_S = 2.0
"""For one round trip before a fault is applied."""
DISCONNECT_WAIT_S = 5.0
ALIVE = (NodeState.RUNNING, NodeState.PAUSED)

Selectors = str | Sequence[str]
T = TypeVar("T")
R = TypeVar("R")


class ActiveFault:
    """A fault that is applied. Ends with its block, or when told to."""

    def __init__(self, faults: Faults, fault: Fault) -> None:
        self._faults, self.fault = faults, fault

    @property
    def name(self) -> str:
        return self.fault.name

    def end(self) -> None:
        """Take it back; what other faults say holds again. Twice is fine."""
        self._faults.clear([self.name])

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    def __repr__(self) -> str:
        return f"<{self.fault.kind} {self.name}: {self.fault}>"


class Faults:
    """Of one lab. Several commands may change them at the same time: each waits for the one before."""

    def __init__(self, lab: Lab) -> None:
        self._lab = lab
        self._store = FaultStore(lab.state.directory)
        self.hands = Hands(lab)

    # -- what can be wrong

    def partition(self, *groups: Selectors, name: str = "", silent: bool = False) -> ActiveFault:
        """Let nothing pass between groups of nodes; those that no group names are one more group.

        Args:
            groups: selectors, as in ``"alice,n0*"`` or ``["alice", "n0*"]``.
            silent: leave connections to themselves: nodes then notice after 30 s of silence, and what was on its way
                may arrive afterwards. Otherwise both ends are told that the connection is gone, and who was connected
                is connected again when the way is free.
        """
        chosen = complete_groups([self.select(group) for group in groups], self._lab.spec.node_names)
        return self.apply(Fault(name=name, kind="partition", groups=chosen), silent=silent)

    def cut(self, a: str, b: str, *, name: str = "", silent: bool = False) -> ActiveFault:
        """Let nothing pass between two nodes."""
        for node in (a, b):
            self._lab.spec.node(node)
        if a == b:
            raise LabFileError(f"there is nothing to cut between {a} and itself")
        return self.apply(Fault(name=name, kind="cut", groups=((a,), (b,))), silent=silent)

    def conditions(
        self,
        nodes: Selectors,
        *,
        peers: Selectors = (),
        direction: Direction = "egress",
        delay_s: float | None = None,
        jitter_s: float | None = None,
        loss: float | None = None,
        rate_bps: float | None = None,
        name: str = "",
    ) -> ActiveFault:
        """Delay, disturb or narrow what nodes send (egress), get (ingress), or both; the rest stays as it is."""
        asked = Conditions(delay_s=delay_s, jitter_s=jitter_s, loss=loss, rate_bps=rate_bps)
        if not asked.shaped:
            raise LabFileError("link conditions: say a delay, jitter, loss or rate")
        chosen, others = self.select(nodes), self.select(peers) if peers else ()
        return self.apply(
            Fault(name=name, kind="shape", nodes=chosen, peers=others, conditions=asked, direction=direction)
        )

    def slow_motion(self, delay_s: float) -> ActiveFault:
        """Let every node wait before it sends anything; another time replaces this one."""
        self.clear([SLOW_MOTION])
        ours = tuple(node.name for node in self._lab.spec.nodes if node.reference is None)
        return self.apply(
            Fault(name=SLOW_MOTION, kind="shape", nodes=ours, conditions=Conditions(delay_s=delay_s, jitter_s=0.0))
        )

    def paused(self, nodes: Selectors, *, name: str = "") -> ActiveFault:
        """Freeze nodes: they keep their connections and answer nothing."""
        return self.apply(Fault(name=name, kind="pause", nodes=self.select(nodes)))

    def unpause(self, nodes: Selectors) -> None:
        """Let nodes go on, whichever faults paused them."""
        chosen = set(self.select(nodes))
        self._change(lambda state: _forget_nodes(state, chosen, ("pause",)))

    def select(self, selectors: Selectors) -> tuple[str, ...]:
        """Names of the nodes that are meant."""
        asked = [selectors] if isinstance(selectors, str) else list(selectors)
        if not asked:
            raise LabFileError("no node is named")
        return tuple(node.name for node in select_nodes(self._lab.spec.nodes, asked))

    # -- applying and taking back

    def apply(self, fault: Fault, *, silent: bool = False) -> ActiveFault:
        """Apply a fault; a name is made up if it has none.

        Raises:
            LabFileError: there is one of that name, or a node cannot do it.
            OrchestratorError: it could not be applied, and was taken back.
        """

        def add(state: FaultState) -> None:
            nonlocal fault
            if fault.name and any(other.name == fault.name for other in state.faults):
                raise LabFileError(f"there is a fault {fault.name!r} already", hint=f"lab fault clear {fault.name}")
            fault = fault if fault.name else dataclasses.replace(fault, name=state.new_name(fault.kind))
            state.faults.append(fault)
            added.append(fault.name)

        added: list[str] = []
        try:
            self._change(add, silent=silent)
        except BaseException:
            self.clear(added)
            raise
        return ActiveFault(self, fault)

    def clear(self, names: Iterable[str] | None = None) -> list[str]:
        """Take faults back, by name; None: all but those of the lab file. The names of those that there were."""
        if not self._store.exists():
            return []
        chosen = None if names is None else set(names)
        cleared: list[str] = []
        down: set[str] = set()

        def remove(state: FaultState) -> None:
            gone = [f for f in state.faults if (not f.from_file if chosen is None else f.name in chosen)]
            state.faults = [fault for fault in state.faults if fault not in gone or fault.kind == "down"]
            cleared.extend(fault.name for fault in gone)
            down.update(node for fault in gone if fault.kind == "down" for node in fault.nodes)

        self._change(remove)
        for node in sorted(down):
            self._lab.start(node)
        return cleared

    def heal(self) -> list[str]:
        """Take everything back, and remove what a killed command left; the names of what was there."""
        # Helpers first: one that is still at work would undo what follows. One that the engine was just creating for
        # somebody who was killed comes to light afterwards.
        left = self._remove_helpers()
        return self.clear() + left + self._remove_helpers()

    def set_file_conditions(self) -> None:
        """Apply what the lab file says of links."""
        net = list(self._lab.spec.net)
        if net or self._store.exists():
            self._change(lambda state: setattr(state, "faults", net + [f for f in state.faults if not f.from_file]))

    def note_down(self, nodes: Sequence[str], name: str) -> None:
        """Note that nodes are about to be killed and are to be started again, whoever does it then."""
        fault = Fault(name=name, kind="down", nodes=tuple(nodes))
        self._change(lambda state: state.faults.append(fault))

    def node_started(self, name: str) -> None:
        """A node was started: it is not paused nor down any more, and knows of no conditions."""
        if not self._store.exists():
            return

        def renew(state: FaultState) -> None:
            _forget_nodes(state, {name}, ("pause", "down"))
            state.actual.pop(name, None)
            state.unsure.add(name)

        self._change(renew)

    # -- looking

    def state(self) -> FaultState:
        """What is wanted, and what was applied."""
        return self._store.load()

    def report(self) -> FaultReport:
        """Wanted against actual, asked and measured now."""
        return report(self._lab)

    def open_links(self, links: Iterable[Link]) -> list[Link]:
        """Those that no fault blocks."""
        if not self._store.exists():
            return list(links)
        blocked = _blocked(self._wanted(self.state()))
        return [link for link in links if frozenset((link.a, link.b)) not in blocked]

    # -- inside

    def _remove_helpers(self) -> list[str]:
        """With the lock, so that they are nobody's: who works with one holds it."""
        with self._store.lock():
            return self.hands.remove_helpers()

    def _wanted(self, state: FaultState) -> dict[str, NodeFaults]:
        return wanted_nodes(state.faults, self._lab.spec.node_names)

    def _change(self, edit: Callable[[FaultState], object], *, silent: bool = False) -> None:
        with self._store.lock():
            state = self._store.load()
            if state.unsure:  # whoever changed something before was killed; a helper may still be at it
                self.hands.remove_helpers()
            was = wanted_edges(state.faults, self._lab.spec.node_names)
            edit(state)
            wanted = self._wanted(state)
            self.hands.check(wanted)
            states = self._lab.runtime.node_states()
            alive = {name for name, one in states.items() if one in ALIVE}
            for name in {*state.actual, *state.unsure} - alive:  # told when they are started
                state.actual.pop(name, None)
                state.unsure.discard(name)
            steps = plan(state.actual, wanted, unsure=state.unsure & alive, blocking_shapes=self.hands.blocking_shapes)
            steps = [step for step in steps if step.node in alive]
            running = {name for name, one in states.items() if one is NodeState.RUNNING}
            newly = self._look_before(state, was, running)
            state.unsure |= {step.node for step in steps}
            self._store.save(state)
            try:
                self._do(state, steps, wanted, states)
            finally:
                self._store.save(state)
            if not silent:
                self._sever([pair for pair in newly if set(pair) <= running])
            self._rejoin(state, wanted)

    def _look_before(self, state: FaultState, was: dict[Edge, Conditions], running: set[str]) -> list[tuple[str, str]]:
        """Note round trips and connections of links that a fault is about to touch; the connections it will block."""
        edges = wanted_edges(state.faults, self._lab.spec.node_names)
        state.before = {key: value for key, value in state.before.items() if tuple(key.split(">")) in edges}
        touched = [edge for edge in edges if edge not in was]
        blocked = pairs(edge for edge, one in edges.items() if one.blocked)
        new = blocked - pairs(edge for edge, one in was.items() if one.blocked)
        askable = {a for a, _ in touched} | {name for pair in new for name in pair}
        ours = [n for n in sorted(askable & running) if self._lab.spec.node(n).reference is None]
        connected: set[frozenset[str]] = set()
        names = {bytes(node.id): node.name for node in self._lab.spec.nodes}
        for name, links in zip(ours, self.each(self._probe, ours), strict=True):
            for link in links:
                peer = names.get(link.conditions.node_id, "")
                if link.connected:
                    connected.add(frozenset((name, peer)))
                if (name, peer) in touched and link.round_trip_s:
                    state.before[f"{name}>{peer}"] = link.round_trip_s
        planned = {frozenset((link.a, link.b)): (link.a, link.b) for link in self._lab.spec.links}
        found = [planned.get(pair, tuple(sorted(pair))) for pair in new & connected]
        newly = [(pair[0], pair[1]) for pair in found]
        state.severed |= set(newly)
        return newly

    def _probe(self, name: str) -> list[pb.LinkState]:
        try:
            return self._lab[name].control.link_conditions(probe_s=PROBE_S)
        except ControlError:
            return []

    def _do(
        self, state: FaultState, steps: list[Step], wanted: dict[str, NodeFaults], states: dict[str, NodeState]
    ) -> None:
        """Do all steps, those of one kind at once. A node that stays frozen can be told nothing: it stays unsure."""
        frozen = {
            name for name, one in states.items() if one is NodeState.PAUSED and wanted.get(name, NodeFaults()).paused
        }
        failed: dict[str, Exception] = {}

        def do(step: Step) -> None:
            if step.node in failed:
                return
            try:
                self.hands.do(step)
            except (ControlError, OrchestratorError, OSError) as error:  # the last is what the engine's client raises
                failed[step.node] = error

        for action in ("unpause", "block", "shape", "pause"):
            self.each(do, [s for s in steps if s.action == action and not (action == "shape" and s.node in frozen)])
        told = {step.node for step in steps}
        for name in told - set(failed):
            if name in frozen and any(step.node == name and step.action == "shape" for step in steps):
                continue
            state.unsure.discard(name)
            state.actual.pop(name, None)
            if name in wanted:
                state.actual[name] = wanted[name]
        if failed:
            name, error = next(iter(sorted(failed.items())))
            raise OrchestratorError(f"{name} could not be told its faults: {error}", hint="lab fault show; lab heal")

    def _sever(self, connections: Sequence[tuple[str, str]]) -> None:
        """Tell both ends of connections that they are gone."""

        def end(edge: Edge) -> None:
            with contextlib.suppress(ControlError):  # it stopped meanwhile, or is busy: it will notice by itself
                self._lab[edge[0]].control.disconnect(self._lab[edge[1]].id, wait_s=DISCONNECT_WAIT_S)

        self.each(end, [edge for a, b in connections for edge in ((a, b), (b, a))])

    def _rejoin(self, state: FaultState, wanted: dict[str, NodeFaults]) -> None:
        """Connect again who was connected before the way between them was blocked, where it is free."""
        blocked = _blocked(wanted)
        free = sorted(pair for pair in state.severed if frozenset(pair) not in blocked)
        if not free:
            return
        running = self._lab.running
        self.each(lambda pair: self._lab.connect(*pair), [pair for pair in free if set(pair) <= running])
        paused = {name for name, node in wanted.items() if node.paused}
        state.severed -= {pair for pair in free if not paused & set(pair)}
        self._store.save(state)

    def each(self, act: Callable[[T], R], items: Sequence[T]) -> list[R]:
        """Do something with all items at once. Not in the lab's own workers: we may be called by one."""
        if not items:
            return []
        with ThreadPoolExecutor(min(WORKERS, len(items)), thread_name_prefix="faults") as pool:
            return list(pool.map(act, items))


def _blocked(wanted: dict[str, NodeFaults]) -> set[frozenset[str]]:
    return {frozenset((name, peer)) for name, node in wanted.items() for peer in node.blocked}


def _forget_nodes(state: FaultState, nodes: set[str], kinds: Sequence[str]) -> None:
    """Take nodes out of faults of some kinds; faults of nobody go."""
    kept = []
    for fault in state.faults:
        if fault.kind in kinds:
            fault = dataclasses.replace(fault, nodes=tuple(name for name in fault.nodes if name not in nodes))
            if not fault.nodes:
                continue
        kept.append(fault)
    state.faults = kept
