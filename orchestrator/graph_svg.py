"""A lab's graph as a drawing: linked nodes near each other, the others apart."""

from __future__ import annotations

import math
from collections.abc import Callable

from orchestrator.graph import EdgeState, LabGraph, summary
from orchestrator.svg import CHAR_PX, FONT_PX, LINE_PX, Drawing, around

SPACING_PX = 75.0
"""Between two nodes that are linked, about."""
NODE_PX = 7.0
MAX_FORCE_NODES = 80
"""Of more nodes, finding places takes seconds; they stand on a circle."""
ROUNDS = 300
EDGE_CLASSES = {EdgeState.PLANNED: "link", EdgeState.UP: "link", EdgeState.MISSING: "lost", EdgeState.EXTRA: "more"}


def to_svg(graph: LabGraph) -> str:
    """The graph as an SVG document; the same one for the same graph."""
    places = _places(graph)
    drawing = Drawing(f"lab {graph.name}")
    for edge in graph.edges:
        drawing.line(*places[edge.a], *places[edge.b], EDGE_CLASSES[edge.state])
    for node in graph.nodes:
        x, y = places[node.name]
        tip = " ".join(filter(None, (node.name, node.role, node.down)))
        drawing.circle(x, y, NODE_PX, "off" if node.down else "node", tip=tip)
        drawing.text(x, y - NODE_PX - 4, node.name, anchor="middle", css="bold")
    left, bottom = min(x for x, _ in places.values()), max(y for _, y in places.values())
    below = bottom + 3 * FONT_PX
    drawing.text(left, below, summary(graph), css="dim")
    legend = [
        (css, word)
        for state, css, word in ((EdgeState.MISSING, "lost", "missing"), (EdgeState.EXTRA, "more", "extra"))
        if graph.count(state)
    ]
    for row, (css, word) in enumerate(legend, start=1):
        y = below + row * LINE_PX
        drawing.line(left, y - 4, left + 30, y - 4, css)
        drawing.text(left + 30 + CHAR_PX, y, word, css="dim")
    return str(drawing)


def _places(graph: LabGraph) -> dict[str, tuple[float, float]]:
    """Where each node stands: linked ones pull at each other, all push (Fruchterman and Reingold 1991)."""
    names = [node.name for node in graph.nodes]
    radius = max(SPACING_PX, SPACING_PX * len(names) / math.tau)
    # In the order of the walk, so that a line or a ring starts out untangled.
    start = _walk(graph)
    at = {name: around(0.0, 0.0, radius, index / len(names)) for index, name in enumerate(start)}
    if len(names) > MAX_FORCE_NODES:
        return at
    heat = radius / 4
    for round_ in range(ROUNDS):
        push = {name: [0.0, 0.0] for name in names}
        for index, a in enumerate(names):
            for b in names[index + 1 :]:
                _apply(push, at, a, b, lambda gap: SPACING_PX**2 / gap)
        for edge in graph.edges:
            _apply(push, at, edge.a, edge.b, lambda gap: -(gap**2) / SPACING_PX)
        limit = heat * (1 - round_ / ROUNDS)
        for name, (dx, dy) in push.items():
            length = math.hypot(dx, dy) or 1.0
            step = min(length, limit) / length
            at[name] = at[name][0] + dx * step, at[name][1] + dy * step
    return at


def _apply(
    push: dict[str, list[float]], at: dict[str, tuple[float, float]], a: str, b: str, force: Callable[[float], float]
) -> None:
    dx, dy = at[a][0] - at[b][0], at[a][1] - at[b][1]
    gap = max(math.hypot(dx, dy), 1.0)
    strength = force(gap) / gap
    for name, sign in ((a, 1.0), (b, -1.0)):
        push[name][0] += sign * dx * strength
        push[name][1] += sign * dy * strength


def _walk(graph: LabGraph) -> list[str]:
    """All nodes, each followed by nodes that it is linked with where there are any left: depth first."""
    peers: dict[str, list[str]] = {node.name: [] for node in graph.nodes}
    for edge in graph.edges:
        peers[edge.a].append(edge.b)
        peers[edge.b].append(edge.a)
    order: dict[str, None] = {}
    for root in sorted(peers, key=lambda name: len(peers[name])):
        ahead = [root]
        while ahead:
            name = ahead.pop()
            if name not in order:
                order[name] = None
                ahead += sorted(peers[name], reverse=True)
    return list(order)
