"""The overlay of a lab as text: addresses on a ring, and whom each node has in which bin of its table.

An address is a number of 256 bits; drawn clockwise from the top, 00 to ff, nodes with many bits in common are
neighbours, and each bin of a node is one arc: half of the ring, a quarter, an eighth and so on.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from node.control.gen import control_pb2 as pb
from node.ids import OverlayAddress
from node.swarm.proximity import MAX_PO, position, proximity_order
from orchestrator.names import MAX_NAME_CHARS
from orchestrator.spec import LabSpec
from orchestrator.svg import around

SHORT_HEX_DIGITS = 4
RING_ROWS = 19
RING_COLUMNS = 36
"""Of characters, which are about twice as high as wide."""
RING_STEPS = 160
"""More than the ring has characters."""
COLUMNS = 80
MAX_RING_NODES = 2 * RING_ROWS
"""Of more, names find no place around the ring."""
MAX_BINS_SHOWN = 8


class Standing(StrEnum):
    """What a node is to the one that is looked at."""

    SELF = "self"
    CONNECTED = "connected"
    KNOWN = "known"
    UNKNOWN = "unknown"


MARKS = {Standing.SELF: "@", Standing.CONNECTED: "o", Standing.KNOWN: ".", Standing.UNKNOWN: "?"}


@dataclass(frozen=True, kw_only=True)
class Place:
    """A node on the ring.

    Attributes:
        depth: its neighbourhood depth; None if it does not answer.
        connected, known: whom it has in its table, by proximity order; by name, strangers by their whole address. Whom
            it is connected with it knows, too.
    """

    name: str
    address: OverlayAddress
    depth: int | None = None
    connected: Mapping[int, tuple[str, ...]]
    known: Mapping[int, tuple[str, ...]]

    @property
    def turn(self) -> float:
        """Where on the ring, from 0 to under 1 clockwise from the top."""
        return position(self.address) / float(1 << MAX_PO)

    def po(self, other: Place) -> int:
        return proximity_order(self.address, other.address)

    def known_only(self, po: int) -> tuple[str, ...]:
        """Whom it has in a bin of its table and is not connected with."""
        return tuple(sorted({*self.known.get(po, ())} - {*self.connected.get(po, ())}))

    def standing(self, other: Place) -> Standing:
        if other.name == self.name:
            return Standing.SELF
        for found, standing in ((self.connected, Standing.CONNECTED), (self.known, Standing.KNOWN)):
            if other.name in found.get(self.po(other), ()):
                return standing
        return Standing.UNKNOWN


def places(spec: LabSpec, tables: Mapping[str, pb.Kademlia]) -> list[Place]:
    """All nodes of a lab, clockwise; those without a table have empty bins and no depth."""
    names = {bytes(node.overlay): node.name for node in spec.nodes}

    def called(overlays: Any) -> tuple[str, ...]:
        return tuple(sorted(names.get(bytes(o), bytes(o).hex()) for o in overlays))

    found = []
    for node in spec.nodes:
        table = tables.get(node.name)
        bins = table.bins if table is not None else ()
        found.append(
            Place(
                name=node.name,
                address=node.overlay,
                depth=None if table is None else table.depth,
                connected={row.po: called(row.connected) for row in bins if row.connected},
                known={row.po: called(row.known) for row in bins if row.known},
            )
        )
    return sorted(found, key=lambda place: place.address)


# -- text


def format_overlay(ring: list[Place]) -> str:
    """The ring with all names, and a line for each node: address, depth, connected peers by bin."""
    lines = _ring(
        ring, {place.name: f"{place.name} {_short(place)}" for place in ring}, dict.fromkeys(_names(ring), "o")
    )
    width = max(len(place.name) for place in ring)
    lines += ["", f"{'node':<{width}}  address  depth  peers  in bin 0, 1, 2, ... (| neighbourhood)"]
    for place in ring:
        count = sum(map(len, place.connected.values()))
        depth = "-" if place.depth is None else str(place.depth)
        lines.append(
            f"{place.name:<{width}}  {_short(place):<7}  {depth:>5}  {count:>5}  {_bin_counts(place)}".rstrip()
        )
    return "\n".join(lines) + "\n"


def format_node(ring: list[Place], name: str) -> str:
    """The ring as one node sees it, and its table: prefix of each bin, who is in it, who could be."""
    own = next(place for place in ring if place.name == name)
    labels = {place.name: place.name if place is own else f"{place.name} {own.po(place)}" for place in ring}
    lines = _ring(ring, labels, {place.name: MARKS[own.standing(place)] for place in ring})
    lines += ["", f"@ {name}   o connected   . known   ? not known to it; behind a name: its bin, bits in common", ""]
    return "\n".join(lines) + "\n" + format_table(ring, name)


def format_table(ring: list[Place], name: str) -> str:
    """The table of a node, a row for each bin in which somebody is or could be."""
    own = next(place for place in ring if place.name == name)
    by_bin: dict[int, list[Place]] = {}
    for place in ring:
        if place is not own:
            by_bin.setdefault(own.po(place), []).append(place)
    head = f"{name}  overlay {own.address.hex()[:16]}…  depth {'-' if own.depth is None else own.depth}"
    rows: list[tuple[str, ...]] = [("po", "prefix", "connected", "known only", "not known")]
    for po in sorted({*by_bin, *own.connected, *own.known}):
        connected = own.connected.get(po, ())
        absent = [place.name for place in by_bin.get(po, []) if own.standing(place) is Standing.UNKNOWN]
        rows.append(
            (
                str(po),
                prefix_of_bin(own.address, po),
                ", ".join(map(_shown, connected)) or "-",
                ", ".join(map(_shown, own.known_only(po))) or "-",
                ", ".join(sorted(absent)) or "-",
            )
        )
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [head]
    for index, row in enumerate(rows):
        if index and own.depth is not None and _begins(own.depth, rows, index):
            lines.append(f"-- neighbourhood: bin {own.depth} and deeper --")
        cells = [row[0].rjust(widths[0]), *(cell.ljust(width) for cell, width in zip(row[1:], widths[1:], strict=True))]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines) + "\n"


def prefix_of_bin(address: OverlayAddress, po: int) -> str:
    """The bits with which all addresses of a bin begin: as many as it has in common, then the one that differs."""
    bits = f"{position(address):0{MAX_PO}b}"
    if po >= MAX_PO:
        return bits[:MAX_BINS_SHOWN] + "…"
    shown = bits[:po] + ("1" if bits[po] == "0" else "0")
    return shown if len(shown) <= 2 * MAX_BINS_SHOWN else f"…{shown[-2 * MAX_BINS_SHOWN :]}"


def overlay_to_json(ring: list[Place], lab: str, looked_at: str = "") -> dict[str, Any]:
    """The ring as JSON types; with a node to look at, what the others are to it."""
    own = next((place for place in ring if place.name == looked_at), None)
    rows = []
    for place in ring:
        row = {"name": place.name, **_table_to_json(place)}
        if own is not None:
            row |= {"po": own.po(place), "standing": own.standing(place).value}
        rows.append(row)
    return {"lab": lab, "node": looked_at or None, "nodes": rows}


def node_to_json(ring: list[Place], lab: str, name: str) -> dict[str, Any]:
    """The table of a node as JSON types."""
    return {"lab": lab, "node": name, **_table_to_json(next(place for place in ring if place.name == name))}


def _table_to_json(place: Place) -> dict[str, Any]:
    """A table; `known` is whom it only knows, as in the text. Strangers are there by their whole address."""
    bins = [
        {"po": po, "connected": list(place.connected.get(po, ())), "known": list(place.known_only(po))}
        for po in sorted({*place.connected, *place.known})
    ]
    return {"overlay": place.address.hex(), "depth": place.depth, "bins": bins}


# -- the ring of characters


def _ring(ring: list[Place], labels: Mapping[str, str], marks: Mapping[str, str]) -> list[str]:
    if len(ring) > MAX_RING_NODES:
        return [f"({len(ring)} nodes are too many for a ring of characters: --svg FILE)"]
    left_edge = (COLUMNS - RING_COLUMNS) // 2
    grid = [[" "] * COLUMNS for _ in range(RING_ROWS + 2)]

    cells = _cells(left_edge)
    for row, column, _ in cells:
        grid[row][column] = "·"
    marked: set[int] = set()
    taken: dict[str, set[int]] = {"left": set(), "right": set()}
    for place in ring:
        # Who would stand on somebody else's cell stands beside it.
        cell = _nearest_free(_cell_at(cells, place.turn), marked, len(cells))
        marked.add(cell)
        row, column, _ = cells[cell]
        grid[row][column] = marks[place.name]
        side = "right" if place.turn < 0.5 else "left"
        free = min(
            (other for other in range(RING_ROWS + 2) if other not in taken[side]), key=lambda other: abs(other - row)
        )
        taken[side].add(free)
        _label(grid[free], labels[place.name], side, left_edge, moved=free != row, column=column)
    for turn, word in ((0.0, "00"), (0.25, "40"), (0.5, "80"), (0.75, "c0")):
        row, column, _ = cells[_cell_at(cells, turn)]
        _quarter(grid, row, column, turn, word)
    return ["".join(row).rstrip() for row in grid]


def _cells(left_edge: int) -> list[tuple[int, int, float]]:
    """Row, column and turn of the characters that make the ring, clockwise from the top."""
    found: dict[tuple[int, int], list[float]] = {}
    for step in range(-RING_STEPS // 2, RING_STEPS // 2):
        turn = step / RING_STEPS
        x, y = around(0.0, 0.0, 1.0, turn)
        row, column = round((y + 1) / 2 * (RING_ROWS - 1)) + 1, left_edge + round((x + 1) / 2 * (RING_COLUMNS - 1))
        found.setdefault((row, column), []).append(turn)
    cells = [(row, column, sum(turns) / len(turns) % 1.0) for (row, column), turns in found.items()]
    return sorted(cells, key=lambda cell: cell[2])


def _cell_at(cells: list[tuple[int, int, float]], turn: float) -> int:
    def apart(index: int) -> float:
        gap = abs(cells[index][2] - turn)
        return min(gap, 1 - gap)

    return min(range(len(cells)), key=apart)


def _nearest_free(wanted: int, taken: set[int], count: int) -> int:
    for step in range(count):
        for cell in ((wanted + step) % count, (wanted - step) % count):
            if cell not in taken:
                return cell
    raise AssertionError("unreachable: there are more cells than nodes")


def _label(row: list[str], text: str, side: str, left_edge: int, *, moved: bool, column: int) -> None:
    """Beside the ring, in the row of the node or the next that is free."""
    text = text[: left_edge - 2]
    start = left_edge + RING_COLUMNS + 2 if side == "right" else left_edge - 2 - len(text)
    row[start : start + len(text)] = text
    if moved:
        return
    gap = range(column + 2, start - 1) if side == "right" else range(start + len(text) + 1, column - 1)
    for at in gap:
        if row[at] == " ":
            row[at] = "-"


def _quarter(grid: list[list[str]], row: int, column: int, turn: float, word: str) -> None:
    """The address where a quarter of the ring begins, inside of it."""
    row += {0.0: 1, 0.5: -1}.get(turn, 0)
    column += {0.25: -4, 0.75: 3}.get(turn, -1)
    grid[row][column : column + len(word)] = word


def _names(ring: list[Place]) -> list[str]:
    return [place.name for place in ring]


def _shown(name: str) -> str:
    """A name, or the beginning of an address."""
    return name if len(name) <= MAX_NAME_CHARS else f"{name[:SHORT_HEX_DIGITS]}…"


def _short(place: Place) -> str:
    return place.address.hex()[:SHORT_HEX_DIGITS]


def _bin_counts(place: Place) -> str:
    """``2 1 | 3``: connected peers in each bin, a bar where the neighbourhood begins."""
    counts = Counter({po: len(names) for po, names in place.connected.items()})
    if not counts:
        return ""
    deepest = max(counts)
    cells = []
    for po in range(deepest + 1):
        if po == place.depth:
            cells.append("|")
        cells.append(str(counts[po]))
    if place.depth is not None and place.depth > deepest:
        cells.append("|")
    return " ".join(cells)


def _begins(depth: int, rows: list[tuple[str, ...]], index: int) -> bool:
    """Whether a row is the first one of the neighbourhood."""
    before = int(rows[index - 1][0]) if index > 1 else -1
    return before < depth <= int(rows[index][0])
