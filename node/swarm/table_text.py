"""The Kademlia tables for people, and as the object of ``..._kademliaInfo`` (spec 05 section 10).

Knows how the reference prints them. The date is an argument: this package has no clock.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, TypeVar

from node.ids import OverlayAddress
from node.swarm.kademlia import Kademlia

ROWS = 16
"""Bins displayed; deeper ones all write the last row (MaxProxDisplay, spec 05 section 7.2)."""
PEERS_PER_CELL = 4
LEFT_COLUMN_CHARS = 31
RULE = "=" * 73
WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")

T = TypeVar("T", str, OverlayAddress, tuple[OverlayAddress, int])


def format_table(table: Kademlia[Any], date: datetime, *, commit: str = "") -> str:
    """The text of hive_string.

    Args:
        date: any time zone; shown in UTC.
        commit: hash of the build; adds a line if not empty.
    """
    params, depth = table.params, table.neighbourhood_depth
    lines = ["", RULE, *([f"commit hash: {commit}"] if commit else [])]
    lines.append(f"{_format_date(date)} KΛÐΞMLIΛ hive: queen's address: {table.base.hex()}")
    lines.append(
        f"population: {table.conn_count} ({table.known_count}), NeighbourhoodSize: {params.neighbourhood_size}, "
        f"MinBinSize: {params.min_bin_size}, MaxBinSize: {params.max_bin_size}"
    )
    conns = _rows([(po, [address.overlay for address in bin_]) for po, bin_ in table.conn_bins()])
    known = _rows([(po, [(e.address.overlay, e.retries) for e in bin_]) for po, bin_ in table.known_bins()])
    for row in range(ROWS):
        if row == depth:
            lines.append(f"{'=' * 12} DEPTH: {depth} {'=' * 42}")
        left = _format_cell(len(conns[row]), [f" {overlay.hex()[:4]}" for overlay in conns[row]])
        right = _format_cell(len(known[row]), [f" {overlay.hex()[:4]} ({tries})" for overlay, tries in known[row]])
        lines.append(f"{row:03d} {left:<{LEFT_COLUMN_CHARS}} | {right}")
    return "\n".join([*lines, RULE])


def _format_cell(size: int, names: list[str]) -> str:
    return f"{size:2d}" + "".join(names[:PEERS_PER_CELL])


def _format_date(date: datetime) -> str:
    """Like ``Mon Nov  2 03:33:51 UTC 2026``; strftime would follow the locale."""
    at = date.astimezone(UTC)
    return f"{WEEKDAYS[at.weekday()]} {MONTHS[at.month - 1]} {at.day:2d} {at:%H:%M:%S} UTC {at.year}"


def _rows(bins: Sequence[tuple[int, list[T]]]) -> list[list[T]]:
    """One list per row, sorted; of the bins too deep to be shown the deepest stands in the last row."""
    rows: list[list[T]] = [[] for _ in range(ROWS)]
    for po, values in bins:
        rows[min(po, ROWS - 1)] = sorted(values)
    return rows


def kademlia_info(table: Kademlia[Any]) -> dict[str, Any]:
    """The object of hive_kademliaInfo; hex without 0x."""
    conns = _rows([(po, [address.overlay.hex() for address in bin_]) for po, bin_ in table.conn_bins()])
    known = _rows([(po, [entry.address.overlay.hex() for entry in bin_]) for po, bin_ in table.known_bins()])
    return {
        "self": table.base.hex(),
        "depth": table.neighbourhood_depth,
        "total_connections": table.conn_count,
        "total_known": table.known_count,
        "connections": [row or None for row in conns],
        "known": [row or None for row in known],
    }
