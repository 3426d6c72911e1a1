"""From the `verify:` of a lab file to what is checked."""

from __future__ import annotations

from collections.abc import Sequence

from orchestrator.errors import LabFileError, UnknownNode
from orchestrator.labfile_section import select_at
from orchestrator.spec import NodeSpec
from orchestrator.traffic.labfile import check_pairs
from orchestrator.verify.model import KINDS, Check, Expected
from orchestrator.verify.sections import DeliverySection, ExpectSection, VerifyEntry
from orchestrator.yaml_tree import Path, YamlTree


def read_checks(
    tree: YamlTree, entries: Sequence[VerifyEntry], nodes: Sequence[NodeSpec], *, of_another_lab: bool = False
) -> tuple[Check, ...]:
    """All checks, in the file's order.

    Args:
        of_another_lab: the nodes are not those of the file; what is about a node that is not there cannot be checked.

    Raises:
        LabFileError: with line and column.
    """
    read: dict[str, Check] = {}
    for index, entry in enumerate(entries):
        path: Path = ("verify", index)
        if entry.id in read:
            raise tree.error(f"there are two checks {entry.id!r}", (*path, "id"))
        try:
            read[entry.id] = _read(tree, path, entry, nodes)
        except LabFileError as error:
            if not (of_another_lab and isinstance(error.__cause__, UnknownNode)):
                raise
            kind = next(kind for kind in KINDS if getattr(entry.expect, kind) is not None)
            read[entry.id] = Check(
                id=entry.id,
                kind=kind,
                nodes=(),
                within_s=entry.within,
                points=entry.points,
                hint=entry.hint,
                impossible=str(error.__cause__),
            )
    return tuple(read.values())


def _read(tree: YamlTree, path: Path, entry: VerifyEntry, nodes: Sequence[NodeSpec]) -> Check:
    expect = entry.expect
    given = [kind for kind in KINDS if getattr(expect, kind) is not None]
    if len(given) != 1:
        what = f"has {' and '.join(given)}" if given else "says nothing"
        raise tree.error(f"expect {what}; expected exactly one of {', '.join(KINDS)}", (*path, "expect"))
    kind = given[0]
    place: Path = (*path, "expect", kind)
    ends, expected = _ends(tree, expect, place, nodes), Expected()
    if expect.delivery is not None:
        expected = _expected(tree, expect.delivery, place)
    check = Check(
        id=entry.id,
        kind=kind,
        nodes=ends[0],
        peers=ends[1],
        expected=expected,
        within_s=entry.within,
        points=entry.points,
        hint=entry.hint,
    )
    if kind != "healthy":
        check_pairs(tree, check.pairs, expected.count if expect.delivery else 1, expected.size, place)
    return check


def _ends(
    tree: YamlTree, expect: ExpectSection, path: Path, nodes: Sequence[NodeSpec]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    if expect.healthy is not None:
        return select_at(tree, nodes, expect.healthy, path), ()
    if expect.delivery is not None:
        given = expect.delivery
        return (
            select_at(tree, nodes, given.from_, (*path, "from")),
            select_at(tree, nodes, given.to, (*path, "to")),
        )
    a, b = (
        select_at(tree, nodes, end, (*path, index)) for index, end in enumerate(expect.connected or expect.apart or ())
    )
    return a, b


def _expected(tree: YamlTree, given: DeliverySection, path: Path) -> Expected:
    most = 1.0 if given.max is None else given.max
    least = (1.0 if given.max is None else 0.0) if given.min is None else given.min
    if least > most:
        raise tree.error("min is more than max", (*path, "min"), of_key=True)
    return Expected(
        mode=given.mode, count=given.count, size=given.bytes, min_share=least, max_share=most, max_hops=given.hops
    )
