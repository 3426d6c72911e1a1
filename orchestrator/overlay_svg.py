"""The overlay of a lab as a drawing: the ring of addresses with all connections, or as one node sees it."""

from __future__ import annotations

from orchestrator.overlay_view import MAX_BINS_SHOWN, SHORT_HEX_DIGITS, Place, Standing, prefix_of_bin
from orchestrator.svg import CHAR_PX, FONT_PX, LINE_PX, Drawing, around

RADIUS_PX = 220.0
NODE_PX = 6.0
BIN_GAP_PX = 16.0
LABEL_GAP_PX = 14.0
TICK_PX = 5.0
COMPASS_PX = 50.0
CROWDED = 48
"""From so many nodes on the ring grows, so that names do not lie on each other."""

NODE_CLASSES = {
    Standing.SELF: "self",
    Standing.CONNECTED: "node",
    Standing.KNOWN: "known",
    Standing.UNKNOWN: "off",
}


def draw_overlay(ring: list[Place], lab: str) -> str:
    """All nodes with all connections, and beside the ring depth and bins of each."""
    drawing = Drawing(f"overlay of lab {lab}")
    radius = _ring(drawing, len(ring))
    by_name = {place.name: place for place in ring}
    pairs = {
        (min(place.name, other), max(place.name, other))
        for place in ring
        for names in place.connected.values()
        for other in names
        if other in by_name
    }
    for a, b in sorted(pairs):
        _chord(drawing, by_name[a], by_name[b], radius, "link")
    _nodes(drawing, ring, radius, {place.name: "off" if place.depth is None else "node" for place in ring})
    x, y = radius + _label_width(ring) + 50, -len(ring) * LINE_PX / 2
    width = max(4, *(len(place.name) for place in ring))
    drawing.text(x, y, f"{'node':<{width}}  depth  peers in bin 0, 1, 2, ...", css="bold")
    for row, place in enumerate(ring, start=1):
        counts = [len(place.connected.get(po, ())) for po in range(max(place.connected, default=-1) + 1)]
        depth = "-" if place.depth is None else str(place.depth)
        drawing.text(x, y + row * LINE_PX, f"{place.name:<{width}}  {depth:>5}  {' '.join(map(str, counts))}".rstrip())
    return str(drawing)


def draw_node(ring: list[Place], name: str, lab: str) -> str:
    """The ring as one node sees it: its bins as arcs, those of its neighbourhood tinted, lines to its peers."""
    own = next(place for place in ring if place.name == name)
    drawing = Drawing(f"overlay of lab {lab}, as {name} sees it")
    radius = _ring(drawing, len(ring))
    deepest = min(MAX_BINS_SHOWN - 1, max([own.po(place) for place in ring if place is not own], default=0))
    for po in range(deepest + 1):
        begin, end = bin_arc(own, po)
        inner = radius - (po + 1) * BIN_GAP_PX
        near = own.depth is not None and po >= own.depth
        drawing.arc(0, 0, inner, begin, end, "near" if near else "bin")
        x, y = around(0, 0, inner, (begin + end) / 2)
        drawing.text(x, y + FONT_PX / 3, str(po), anchor="middle", css="strong" if near else "dim")
    for place in ring:
        if own.standing(place) is Standing.CONNECTED:
            _chord(drawing, own, place, radius, "link")
    _nodes(drawing, ring, radius, {place.name: NODE_CLASSES[own.standing(place)] for place in ring})
    _legend(drawing, own, ring, radius, deepest)
    return str(drawing)


def bin_arc(own: Place, po: int) -> tuple[float, float]:
    """Which part of the ring a bin of a node is, in turns from the top: begin and end."""
    width = 2.0 ** -(po + 1)
    begin = int(prefix_bits(own, po), 2) * width
    return begin, begin + width


def prefix_bits(own: Place, po: int) -> str:
    """The bits with which all addresses of a bin begin, for bins of which they can be shown in full."""
    if po >= 2 * MAX_BINS_SHOWN:
        raise ValueError(f"bin {po} is too deep to be drawn")
    return prefix_of_bin(own.address, po)


def _ring(drawing: Drawing, nodes: int) -> float:
    radius = RADIUS_PX * max(1.0, nodes / CROWDED)
    drawing.circle(0, 0, radius, "ring")
    for turn, word in ((0.0, "00"), (0.25, "40"), (0.5, "80"), (0.75, "c0")):
        drawing.line(*around(0, 0, radius - TICK_PX, turn), *around(0, 0, radius + TICK_PX, turn), "ring")
        # In the middle, where names never are.
        x, y = around(0, 0, COMPASS_PX, turn)
        drawing.text(x, y + FONT_PX / 3, word, anchor="middle", css="dim")
    return radius


def _chord(drawing: Drawing, a: Place, b: Place, radius: float, css: str) -> None:
    """Bent towards the middle, the more the farther apart the two are."""
    (x1, y1), (x2, y2) = around(0, 0, radius, a.turn), around(0, 0, radius, b.turn)
    drawing.curve(x1, y1, ((x1 + x2) * 0.2, (y1 + y2) * 0.2), x2, y2, css)


def _nodes(drawing: Drawing, ring: list[Place], radius: float, classes: dict[str, str]) -> None:
    """Nodes on the ring; names outside, apart from each other, with a line to their node where they had to move."""
    for side in (1, -1):
        half = [place for place in ring if (place.turn < 0.5) == (side == 1)]
        ys = spread([around(0, 0, radius + LABEL_GAP_PX, place.turn)[1] for place in half], LINE_PX)
        for place, y in zip(half, ys, strict=True):
            x0, y0 = around(0, 0, radius, place.turn)
            inside = max(0.0, 1 - (y / (radius + LABEL_GAP_PX)) ** 2) ** 0.5 * (radius + LABEL_GAP_PX)
            x = side * (max(inside, abs(x0)) + 2.5 * LABEL_GAP_PX)
            drawing.line(x0, y0, x - side * 4, y - FONT_PX / 3, "ring")
            css = classes[place.name]
            tip = f"{place.name} {place.address.hex()}"
            drawing.circle(x0, y0, NODE_PX, css, tip=tip)
            label = f"{place.name} {place.address.hex()[:SHORT_HEX_DIGITS]}"
            weight = "bold strong" if css == "self" else "dim" if css in ("off", "known") else ""
            drawing.text(x, y, label, anchor="start" if side == 1 else "end", css=weight)


def spread(wanted: list[float], gap: float) -> list[float]:
    """Positions as near as can be to those wanted and in their order, none nearer than `gap` to the next."""
    order = sorted(range(len(wanted)), key=lambda index: wanted[index])
    groups: list[tuple[float, list[int]]] = []
    for index in order:
        groups.append((wanted[index], [index]))
        # Groups that run into each other become one, around the middle of what all of its members want.
        while len(groups) > 1:
            (upper, above), (lower, below) = groups[-2:]
            if lower - upper >= gap * (len(above) + len(below)) / 2:
                break
            members = above + below
            groups[-2:] = [(sum(wanted[member] for member in members) / len(members), members)]
    placed = list(wanted)
    for centre, members in groups:
        for row, member in enumerate(members):
            placed[member] = centre + (row - (len(members) - 1) / 2) * gap
    return placed


def _legend(drawing: Drawing, own: Place, ring: list[Place], radius: float, deepest: int) -> None:
    x = radius + _label_width(ring) + 50
    lines = [f"{own.name}  {own.address.hex()[:16]}…", f"depth {'-' if own.depth is None else own.depth}"]
    for po in range(deepest + 1):
        others = [place for place in ring if place is not own and own.po(place) == po]
        connected = sum(own.standing(place) is Standing.CONNECTED for place in others)
        near = " neighbourhood" if own.depth is not None and po >= own.depth else ""
        lines.append(f"bin {po}: {connected} of {len(others)} connected{near}")
    y = -(len(lines) + 5) * LINE_PX / 2
    for row, line in enumerate(lines):
        drawing.text(x, y + row * LINE_PX, line, css="bold" if row == 0 else "")
    y += (len(lines) + 1) * LINE_PX
    for row, standing in enumerate((Standing.CONNECTED, Standing.KNOWN, Standing.UNKNOWN)):
        drawing.circle(x + NODE_PX, y + row * LINE_PX - FONT_PX / 3, NODE_PX - 1, NODE_CLASSES[standing])
        word = "not known to it" if standing is Standing.UNKNOWN else standing.value
        drawing.text(x + 3 * NODE_PX, y + row * LINE_PX, word, css="dim")


def _label_width(ring: list[Place]) -> float:
    return (max(len(place.name) for place in ring) + 1 + SHORT_HEX_DIGITS) * CHAR_PX
