"""From the `traffic:` of a lab file to what is sent."""

from __future__ import annotations

from collections.abc import Sequence

from orchestrator.errors import UnknownNode
from orchestrator.labfile_section import select_at
from orchestrator.spec import NodeSpec
from orchestrator.traffic.model import MAX_BYTES, MAX_MESSAGES, Traffic
from orchestrator.traffic.sections import TrafficEntry
from orchestrator.yaml_tree import Path, YamlTree


def read_traffic(tree: YamlTree, entries: Sequence[TrafficEntry], nodes: Sequence[NodeSpec]) -> tuple[Traffic, ...]:
    """All entries, each with a name of its own.

    Raises:
        LabFileError: with line and column.
    """
    read: dict[str, Traffic] = {}
    for index, entry in enumerate(entries):
        path: Path = ("traffic", index)
        name = entry.name or f"traffic-{index + 1}"
        if name in read:
            raise tree.error(f"there are two entries called {name!r}", (*path, "name"))
        traffic = Traffic(
            name=name,
            senders=select_at(tree, nodes, entry.from_, (*path, "from")),
            receivers=select_at(tree, nodes, entry.to, (*path, "to")),
            mode=entry.mode,
            at_s=entry.at,
            every_s=entry.every,
            count=entry.count,
            size=entry.bytes,
            timeout_s=entry.timeout,
            min_share=entry.min,
        )
        check_pairs(tree, traffic.pairs, traffic.count, traffic.size, path)
        read[name] = traffic
    return tuple(read.values())


def check_pairs(tree: YamlTree, pairs: Sequence[tuple[str, str]], count: int, size: int, path: Path) -> None:
    """Whether there is anybody to write to, and not too much to write.

    Raises:
        LabFileError: with line and column.
    """
    if not pairs:
        message = "a node does not write to itself: no pair is left"
        raise tree.error(message, path, hint="name another node in to:") from UnknownNode(message)
    if (messages := len(pairs) * count) > MAX_MESSAGES:
        raise tree.error(f"{len(pairs)} pairs make {messages} messages, more than {MAX_MESSAGES}", path)
    if messages * size > MAX_BYTES:
        raise tree.error(f"{messages} messages of {size} bytes are more than {MAX_BYTES} bytes", path)
