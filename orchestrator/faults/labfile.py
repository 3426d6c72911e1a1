"""From the fault sections of a lab file to faults: selectors are resolved, and what makes no sense is refused."""

from __future__ import annotations

import functools
from collections.abc import Sequence

from orchestrator.errors import LabFileError
from orchestrator.faults.churn import Churn, without
from orchestrator.faults.model import NET_PREFIX, Fault, check_name
from orchestrator.faults.sections import ACTIONS, FaultEntry, NetSection
from orchestrator.faults.timeline import TimedFault
from orchestrator.faults.wanted import complete_groups
from orchestrator.labfile_section import select_at
from orchestrator.spec import Link, NodeSpec
from orchestrator.yaml_tree import Path, YamlTree


def read_net(tree: YamlTree, sections: Sequence[tuple[int, NetSection, Link]]) -> tuple[Fault, ...]:
    """The conditions of links.

    Args:
        sections: index in the file's `links`, what it says, and which link that is.

    Raises:
        LabFileError: a `net:` that says nothing.
    """
    faults = []
    for index, net, link in sections:
        fault = Fault(
            name=f"{NET_PREFIX}{link}",
            kind="shape",
            nodes=(link.a,),
            peers=(link.b,),
            conditions=net.conditions,
            direction="both",
            from_file=True,
        )
        try:
            _check_shape(fault, "net")
        except LabFileError as error:
            raise tree.error(str(error), ("links", index, "net"), of_key=True) from None
        faults.append(fault)
    return tuple(faults)


def read_timeline(tree: YamlTree, entries: Sequence[FaultEntry], nodes: Sequence[NodeSpec]) -> tuple[TimedFault, ...]:
    """The timeline, each entry with a name of its own.

    Raises:
        LabFileError: with line and column.
    """
    reader = _Reader(tree, nodes)
    return tuple(reader.read(index, entry) for index, entry in enumerate(entries))


class _Reader:
    def __init__(self, tree: YamlTree, nodes: Sequence[NodeSpec]) -> None:
        self._tree, self._nodes = tree, nodes
        self._select = functools.partial(select_at, tree, nodes)
        self._names: set[str] = set()

    def read(self, index: int, entry: FaultEntry) -> TimedFault:
        path: Path = ("faults", index)
        given = [action for action in ACTIONS if getattr(entry, action) is not None]
        if len(given) != 1:
            what = f"has {' and '.join(given)}" if given else "says nothing"
            raise self._tree.error(f"faults[{index}] {what}; expected exactly one of {', '.join(ACTIONS)}", path)
        action = given[0]
        if entry.for_ is not None and action in ("restart", "churn"):
            raise self._tree.error(f"{action} ends by itself", (*path, "for"), of_key=True, hint="leave out for:")
        name = self._name(path, entry.name or f"{action}-at-{entry.at:g}s")
        kind_path = (*path, action)
        when = {"name": name, "at_s": entry.at, "for_s": entry.for_}
        try:
            if action == "churn":
                return TimedFault(name=name, at_s=entry.at, churn=self._churn(entry, kind_path))
            if action in ("kill", "restart"):
                chosen = self._select(getattr(entry, action), kind_path)
                return TimedFault(**when, **{action: chosen})  # type: ignore[arg-type]
            return TimedFault(**when, fault=self._fault(name, entry, kind_path))  # type: ignore[arg-type]
        except LabFileError as error:
            if error.line:
                raise
            raise self._tree.error(str(error), kind_path, of_key=True, hint=error.hint) from None

    def _fault(self, name: str, entry: FaultEntry, path: Path) -> Fault:
        if entry.partition is not None:
            groups = [self._select(group, (*path, i)) for i, group in enumerate(entry.partition)]
            return Fault(name=name, kind="partition", groups=complete_groups(groups, [n.name for n in self._nodes]))
        if entry.cut is not None:
            a, b = (self._select([end], (*path, i)) for i, end in enumerate(entry.cut))
            if set(a) & set(b):
                raise LabFileError("cut: expected two different nodes")
            return Fault(name=name, kind="cut", groups=(a, b))
        if entry.pause is not None:
            return Fault(name=name, kind="pause", nodes=self._select(entry.pause, path))
        assert entry.shape is not None
        fault = Fault(
            name=name,
            kind="shape",
            nodes=self._select(entry.shape.nodes, (*path, "nodes")),
            peers=self._select(entry.shape.peers, (*path, "peers")) if entry.shape.peers else (),
            conditions=entry.shape.conditions,
            direction=entry.shape.direction,
        )
        _check_shape(fault, "shape")
        return fault

    def _churn(self, entry: FaultEntry, path: Path) -> Churn:
        assert entry.churn is not None
        protect = self._select(entry.churn.protect, (*path, "protect")) if entry.churn.protect else ()
        nodes = without(self._select(entry.churn.nodes, (*path, "nodes")), protect)
        if not nodes:
            raise LabFileError("churn: no node is left to die", hint="name more nodes, or protect fewer")
        return Churn(nodes=nodes, rate_per_s=entry.churn.rate, down_s=entry.churn.down, count=entry.churn.count)

    def _name(self, path: Path, name: str) -> str:
        place: Path = (*path, "name")
        try:
            check_name(name)
        except LabFileError as error:
            raise self._tree.error(str(error), place) from None
        if name in self._names:
            hint = "" if place in self._tree.values else "give one of them a name"
            raise self._tree.error(f"there are two faults called {name!r}", place, hint=hint)
        self._names.add(name)
        return name


def _check_shape(fault: Fault, key: str) -> None:
    """That conditions say something. Whether all nodes can do that depends on the kernel, and is seen when it is done.

    Raises:
        LabFileError: without a place.
    """
    if not fault.conditions.shaped:
        raise LabFileError(f"{key}: expected delay, jitter, loss or rate")
