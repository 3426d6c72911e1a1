"""The faults of a running lab, by their verbs. What :class:`orchestrator.lab.Lab` hands on to."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import TYPE_CHECKING, Self

from orchestrator.errors import LabFileError, LabNotFound, PreflightError
from orchestrator.faults.apply import Hands
from orchestrator.faults.change import FAILURES, Changes, Scope
from orchestrator.faults.model import (
    DIRECTIONS,
    SLOW_MOTION,
    Conditions,
    Direction,
    Fault,
    check_conditions,
    check_name,
    is_slow_motion,
)
from orchestrator.faults.show import FaultReport, report
from orchestrator.faults.store import FaultState, FaultStore
from orchestrator.faults.wanted import blocked_pairs, complete_groups, random_halves
from orchestrator.names import select_nodes
from orchestrator.spec import Link

if TYPE_CHECKING:
    from orchestrator.lab import Lab

Selectors = str | Sequence[str]


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

    def __init__(self, lab: Lab, *, store: FaultStore | None = None, hands: Hands | None = None) -> None:
        """`store` and `hands` are those of :class:`orchestrator.faults.rehearsal.Rehearsal`."""
        self._lab = lab
        self._store = store or FaultStore(lab.state.directory)
        self.hands = hands or Hands(lab)
        self._changes = Changes(lab, self._store, self.hands)

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

    def random_partition(self, *, seed: int | None = None, name: str = "", silent: bool = False) -> ActiveFault:
        """Let nothing pass between two halves of the nodes, chosen at random; those that run are shared out evenly.

        Args:
            seed: the lab's own unless given; the same seed and the same nodes give the same halves.
        """
        spec = self._lab.spec
        halves = random_halves(spec.node_names, self._lab.running, seed=spec.seed if seed is None else seed)
        return self.apply(Fault(name=name, kind="partition", groups=halves), silent=silent)

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
        """Delay, disturb or narrow what nodes send (egress), get (ingress), or both; the rest stays as it is.

        Args:
            delay_s, jitter_s: seconds, up to 60.
            loss: probability, 0 to 1.
            rate_bps: bits per second, 8000 at least.

        Raises:
            LabFileError: nothing is asked for, or something out of its range.
        """
        asked = Conditions(delay_s=delay_s, jitter_s=jitter_s, loss=loss, rate_bps=rate_bps)
        check_conditions(asked)
        if direction not in DIRECTIONS:
            raise LabFileError(f"direction: expected {', '.join(DIRECTIONS)}, got {direction!r}")
        if not asked.shaped:
            raise LabFileError("link conditions: say a delay, jitter, loss or rate")
        chosen, others = self.select(nodes), self.select(peers) if peers else ()
        return self.apply(
            Fault(name=name, kind="shape", nodes=chosen, peers=others, conditions=asked, direction=direction)
        )

    def slow_motion(self, delay_s: float, *, instead: bool = False) -> ActiveFault:
        """Let every node wait before it sends anything; while there are several, the last one holds.

        Nodes of kind reference wait where the kernel has netem.

        Args:
            instead: of all that there are.
        """
        slow = Conditions(delay_s=delay_s, jitter_s=0.0)
        check_conditions(slow)
        nodes = self._lab.spec.nodes
        if any(node.reference for node in nodes) and not self.hands.kernel(self.state().kernel).netem:
            nodes = tuple(node for node in nodes if node.reference is None)
        fault = Fault(name=SLOW_MOTION, kind="shape", nodes=tuple(node.name for node in nodes), conditions=slow)
        return self._put(fault, numbered=True, instead=lambda other: instead and is_slow_motion(other.name))

    def full_speed(self) -> list[str]:
        """End all slow motion; the names of what there was."""
        return self.clear([fault.name for fault in self.state().faults if is_slow_motion(fault.name)])

    def paused(self, nodes: Selectors, *, name: str = "") -> ActiveFault:
        """Freeze nodes: they keep their connections and answer nothing."""
        return self.apply(Fault(name=name, kind="pause", nodes=self.select(nodes)))

    def unpause(self, nodes: Selectors) -> None:
        """Let nodes go on, whichever faults paused them."""
        chosen = set(self.select(nodes))
        self._changes.make(lambda state: _forget_nodes(state, chosen, ("pause",)), Scope(rejoin=True))

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
            LabFileError: there is one of that name, or it is a name that we give ourselves.
            PreflightError: a node cannot do it, nor can the kernel.
            OrchestratorError: it could not be applied, and was taken back.
        """
        if not fault.from_file:
            check_name(fault.name)
        return self._put(fault, silent=silent)

    def _put(
        self,
        fault: Fault,
        *,
        silent: bool = False,
        numbered: bool = False,
        instead: Callable[[Fault], bool] = lambda other: False,
    ) -> ActiveFault:
        """Apply a fault.

        Args:
            numbered: take the next name like this one if there is a fault of that name.
            instead: which faults it replaces.
        """

        def add(state: FaultState) -> None:
            nonlocal fault
            state.faults = [other for other in state.faults if not instead(other)]
            fault = dataclasses.replace(fault, name=_free_name(state, fault.name, fault.kind, numbered=numbered))
            state.faults.append(fault)
            added.append(fault.name)

        added: list[str] = []
        try:
            self._changes.make(add, Scope(silent=silent))
        except (LabFileError, PreflightError, LabNotFound):  # before anything was done, or there is nothing to undo
            raise
        except BaseException:
            with contextlib.suppress(*FAILURES):  # the first failure says more
                self.clear(added)
            raise
        return ActiveFault(self, fault)

    def clear(self, names: Iterable[str] | None = None) -> list[str]:
        """Take faults back, by name; None: all but those of the lab file. The names of those that there were.

        Nodes that they killed are started, unless another fault still wants them dead.

        Raises:
            OrchestratorError: a node could not be told, started or connected again; all the rest was.
        """
        if not self._store.exists():
            return []
        chosen = None if names is None else set(names)
        cleared: list[str] = []
        back: set[str] = set()

        def remove(state: FaultState) -> None:
            gone = [f for f in state.faults if (not f.from_file if chosen is None else f.name in chosen)]
            cleared.extend(fault.name for fault in gone)
            held = {node for f in state.faults if f.kind == "down" and f not in gone for node in f.nodes}
            back.update({node for f in gone if f.kind == "down" for node in f.nodes} - held)
            kept = []
            for fault in state.faults:
                if fault in gone:  # who is to be started is noted until that is done
                    nodes = tuple(n for n in fault.nodes if n in back) if fault.kind == "down" else ()
                    kept += [dataclasses.replace(fault, nodes=nodes)] if nodes else []
                else:
                    kept.append(fault)
            state.faults = kept
            if chosen is None:
                state.kernel = None

        failures: list[Exception] = []
        try:
            self._changes.make(remove, Scope(everybody=chosen is None, rejoin=True))
        except (LabNotFound, PreflightError):
            raise
        except FAILURES as error:
            failures.append(error)
        for node in sorted(back):
            try:
                self.hands.start(node)
            except FAILURES as error:
                failures.append(error)
        if failures:
            raise failures[0]
        return cleared

    def heal(self) -> list[str]:
        """Take everything back, and remove what a killed command left; the names of what was there."""
        # Helpers first: one that is still at work would undo what follows. One that the engine was just creating for
        # somebody who was killed comes to light afterwards.
        left = self._remove_helpers()
        self.hands.forget_kernel()
        return self.clear() + left + self._remove_helpers()

    def set_file_conditions(self) -> None:
        """Apply what the lab file says of links."""
        net = list(self._lab.spec.net)
        if net or self._store.exists():
            self._changes.make(
                lambda state: setattr(state, "faults", net + [f for f in state.faults if not f.from_file]),
                Scope(everybody=True, rejoin=True),
            )

    def note_down(self, nodes: Sequence[str], name: str, ours: set[str], *, numbered: bool = False) -> str:
        """Note that nodes are about to be killed and are to be started again, whoever does it then; under which name.

        Args:
            ours: gets that name before anything is noted, for whoever is interrupted.
            numbered: take the next name like this one.

        Raises:
            LabFileError: there is a fault of that name.
        """
        noted = ""

        def add(state: FaultState) -> None:
            nonlocal noted
            noted = state.new_name(name) if numbered else _free_name(state, name, "down")
            ours.add(noted)
            state.faults.append(Fault(name=noted, kind="down", nodes=tuple(nodes)))

        self._changes.make(add, Scope())
        return noted

    def node_started(self, name: str) -> None:
        """A node was started: it is not paused nor down any more, and knows of no conditions; it alone is told."""
        if not self._store.exists():
            return

        def renew(state: FaultState) -> None:
            _forget_nodes(state, {name}, ("pause", "down"))
            state.actual.pop(name, None)
            state.unsure.add(name)

        self._changes.make(renew, Scope(only=name))

    def check_lab(self) -> None:
        """Raise LabNotFound if the lab is gone."""
        self._store.check_lab()

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
        blocked = blocked_pairs(self._changes.wanted(self.state()))
        return [link for link in links if frozenset((link.a, link.b)) not in blocked]

    # -- inside

    def _remove_helpers(self) -> list[str]:
        """With the lock, so that they are nobody's: who works with one holds it."""
        with self._store.lock():
            return self.hands.remove_helpers()


def _free_name(state: FaultState, name: str, kind: str, *, numbered: bool = False) -> str:
    """The name if no fault has it, or one that is made up.

    Raises:
        LabFileError: there is one of that name.
    """
    taken = any(other.name == name for other in state.faults)
    if taken and not numbered:
        raise LabFileError(f"there is a fault {name!r} already", hint=f"lab fault clear {name}")
    return name if name and not taken else state.new_name(name or kind)


def _forget_nodes(state: FaultState, nodes: Collection[str], kinds: Sequence[str]) -> None:
    """Take nodes out of faults of some kinds; faults of nobody go."""
    kept = []
    for fault in state.faults:
        if fault.kind in kinds:
            fault = dataclasses.replace(fault, nodes=tuple(name for name in fault.nodes if name not in nodes))
            if not fault.nodes:
                continue
        kept.append(fault)
    state.faults = kept
