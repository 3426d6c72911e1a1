"""Who is linked with whom, as text, dot, Mermaid or JSON; the drawing is :mod:`orchestrator.graph_svg`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from orchestrator.reference import KIND_OURS
from orchestrator.runtime import NodeState
from orchestrator.spec import LabSpec


class EdgeState(StrEnum):
    """How a connection is compared with how it should be."""

    PLANNED = "planned"
    """Wanted; nothing runs that could have it."""
    UP = "up"
    """Wanted, and there."""
    MISSING = "missing"
    """Wanted, and not there."""
    EXTRA = "extra"
    """There, though nobody wanted it."""


@dataclass(frozen=True, order=True)
class Edge:
    """A connection between two nodes; for one that is wanted, `a` dials `b`."""

    a: str
    b: str
    state: EdgeState


@dataclass(frozen=True, kw_only=True)
class Vertex:
    """A node: `state` is None where only a file is looked at."""

    name: str
    role: str = ""
    kind: str = KIND_OURS
    state: NodeState | None = None

    @property
    def running(self) -> bool | None:
        """Whether it runs; None where only a file is looked at."""
        return None if self.state is None else self.state is NodeState.RUNNING

    @property
    def down(self) -> str:
        """In a word, how it is that it does not run; empty if it does, or where only a file is looked at."""
        return "" if self.state in (None, NodeState.RUNNING) else str(self.state)


@dataclass(frozen=True, kw_only=True)
class LabGraph:
    """A lab as a graph; nodes in the lab's order."""

    name: str
    nodes: tuple[Vertex, ...]
    edges: tuple[Edge, ...]

    @property
    def live(self) -> bool:
        """Whether it shows a lab that runs."""
        return any(node.running is not None for node in self.nodes)

    def count(self, state: EdgeState) -> int:
        return sum(edge.state is state for edge in self.edges)


def planned_graph(spec: LabSpec) -> LabGraph:
    """A lab as its file wants it."""
    return LabGraph(
        name=spec.name,
        nodes=tuple(Vertex(name=node.name, role=node.role, kind=node.kind) for node in spec.nodes),
        edges=tuple(Edge(link.a, link.b, EdgeState.PLANNED) for link in spec.links),
    )


def live_graph(
    spec: LabSpec,
    running: Iterable[str],
    connections: Iterable[tuple[str, str]],
    *,
    states: Mapping[str, NodeState] | None = None,
) -> LabGraph:
    """A running lab: its real connections against the links that it should have.

    With `auto_connect` nodes make connections of their own, which then are extra.

    Args:
        running: names of the nodes that run.
        states: how the others are; stopped, if they are not there.
    """
    there = {frozenset(pair) for pair in connections}
    how = {**(states or {}), **dict.fromkeys(running, NodeState.RUNNING)}
    wanted = {frozenset((link.a, link.b)): link for link in spec.links}
    edges = [
        Edge(link.a, link.b, EdgeState.UP if pair in there else EdgeState.MISSING) for pair, link in wanted.items()
    ]
    edges += [Edge(min(pair), max(pair), EdgeState.EXTRA) for pair in sorted(there - set(wanted), key=sorted)]
    nodes = (
        Vertex(name=node.name, role=node.role, kind=node.kind, state=how.get(node.name, NodeState.STOPPED))
        for node in spec.nodes
    )
    return LabGraph(name=spec.name, nodes=tuple(nodes), edges=tuple(edges))


# -- formats

MARKS = {EdgeState.PLANNED: "", EdgeState.UP: "", EdgeState.MISSING: " (missing)", EdgeState.EXTRA: " (extra)"}


def to_ascii(graph: LabGraph) -> str:
    """A line for each node with whom it is linked; and below, how many connections are as they should be."""
    width = max(len(node.name) for node in graph.nodes)
    lines = []
    for node in graph.nodes:
        ends = [
            (edge.b if edge.a == node.name else edge.a) + MARKS[edge.state]
            for edge in graph.edges
            if node.name in (edge.a, edge.b)
        ]
        state = f"  ({node.down})" if node.down else ""
        lines.append(f"{node.name:<{width}} -- {', '.join(sorted(ends)) or 'nobody'}{state}")
    return "\n".join([*lines, summary(graph)]) + "\n"


def summary(graph: LabGraph) -> str:
    """One sentence of counts."""
    if not graph.live:
        return f"lab {graph.name}: {len(graph.nodes)} nodes, {len(graph.edges)} links"
    running = sum(bool(node.running) for node in graph.nodes)
    links = graph.count(EdgeState.UP) + graph.count(EdgeState.MISSING)
    text = (
        f"lab {graph.name}: {running} of {len(graph.nodes)} nodes run, {graph.count(EdgeState.UP)} of {links} links up"
    )
    extra = graph.count(EdgeState.EXTRA)
    return text + (f", {extra} more connection{'' if extra == 1 else 's'}" if extra else "")


DOT_STYLES = {
    EdgeState.PLANNED: "",
    EdgeState.UP: "",
    EdgeState.MISSING: ' [style=dotted, color=red, label="missing"]',
    EdgeState.EXTRA: ' [style=dashed, color=blue, label="extra"]',
}


def to_dot(graph: LabGraph) -> str:
    """For Graphviz: ``lab graph --format dot | neato -Tpng``."""
    lines = [f'graph "{graph.name}" {{', "  node [shape=box, style=rounded, fontname=monospace];"]
    for node in graph.nodes:
        label = "\\n".join(filter(None, (node.name, node.role, node.down)))
        style = ', style="rounded,dashed"' if node.down else ""
        lines.append(f'  "{node.name}" [label="{_quoted(label)}"{style}];')
    lines += [f'  "{edge.a}" -- "{edge.b}"{DOT_STYLES[edge.state]};' for edge in graph.edges]
    return "\n".join([*lines, "}"]) + "\n"


MERMAID_LINES = {
    EdgeState.PLANNED: "---",
    EdgeState.UP: "---",
    EdgeState.MISSING: "-. missing .-",
    EdgeState.EXTRA: "== extra ===",
}


def to_mermaid(graph: LabGraph) -> str:
    """For Markdown that draws Mermaid."""
    # A number as its id: a node may be called `end`, which Mermaid takes for a word of its own.
    ids = {node.name: f"v{index}" for index, node in enumerate(graph.nodes)}
    lines = ["graph LR"]
    for node in graph.nodes:
        label = "<br/>".join(filter(None, (node.name, _escaped(node.role), node.down)))
        lines.append(f'  {ids[node.name]}["{label}"]')
    lines += [f"  {ids[edge.a]} {MERMAID_LINES[edge.state]} {ids[edge.b]}" for edge in graph.edges]
    if down := [ids[node.name] for node in graph.nodes if node.down]:
        lines += ["  classDef down stroke-dasharray: 4", f"  class {','.join(down)} down"]
    return "\n".join(lines) + "\n"


def to_json(graph: LabGraph) -> dict[str, Any]:
    """The graph as JSON types; `running` and `state` are null where only a file was looked at."""
    return {
        "lab": graph.name,
        "nodes": [
            {
                "name": node.name,
                "role": node.role,
                "kind": node.kind,
                "running": node.running,
                "state": None if node.state is None else str(node.state),
            }
            for node in graph.nodes
        ],
        "edges": [{"a": edge.a, "b": edge.b, "state": edge.state.value} for edge in graph.edges],
    }


def _quoted(text: str) -> str:
    return text.replace('"', '\\"')


def _escaped(text: str) -> str:
    return "".join(f"#{ord(char)};" if char in '"#<>&;' else char for char in text)
