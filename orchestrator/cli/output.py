"""How data gets to stdout and talk to stderr."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from orchestrator.cli.arguments import NamedOption

if TYPE_CHECKING:
    from rich.console import Console

PIPE_COLUMNS = 240
"""Width where there is no terminal: lines must not wrap for grep."""
BYTES_PER_MB = 1024 * 1024

json_option = click.option("--json", "as_json", cls=NamedOption, is_flag=True, help="One JSON document on stdout.")


def console(*, stderr: bool = False) -> Console:
    """A rich console on the present stdout or stderr; NO_COLOR and the lack of a terminal are honoured."""
    from rich.console import Console

    stream = sys.stderr if stderr else sys.stdout
    width = None if stream.isatty() else PIPE_COLUMNS
    return Console(file=stream, width=width, highlight=False, emoji=False, soft_wrap=False)


def print_json(document: Any) -> None:
    """One JSON document."""
    click.echo(json.dumps(document, indent=2))


def print_table(columns: Sequence[str], rows: Sequence[Sequence[str]], *, right: Sequence[str] = ()) -> None:
    """A table without frames; `right` names the columns of numbers."""
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, padding=(0, 3, 0, 0), header_style="bold")
    for column in columns:
        table.add_column(column, justify="right" if column in right else "left", overflow="fold")
    for row in rows:
        table.add_row(*(Text(cell, style=STYLES.get(cell, "")) for cell in row))
    console().print(table)


STYLES = {"ready": "green", "running": "green", "stopped": "red", "missing": "red", "not ready": "yellow"}
"""Colours of some words."""


def say(line: str = "") -> None:
    """One line for people."""
    click.echo(line, err=True)


def format_megabytes(size_bytes: int) -> str:
    return f"{size_bytes / BYTES_PER_MB:.0f} MB"


def format_ms(value: float | None) -> str:
    """``12.3 ms``; nothing of None."""
    return "" if value is None else f"{value:.1f} ms"


def format_seconds(seconds: float) -> str:
    """``0.4 s``, ``12 s``, ``3 min``, ``2 h 5 min``: short, for people."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    if seconds < 120:
        return f"{seconds:.0f} s"
    minutes = int(seconds // 60)
    if minutes < 120:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours < 48 else f"{hours // 24} d {hours % 24} h"


def join_words(words: Sequence[str], *, limit: int = 8) -> str:
    """``a, b and c``; the rest of a long list is counted."""
    if len(words) > limit:
        return f"{', '.join(words[:limit])} and {len(words) - limit} more"
    if len(words) < 2:
        return "".join(words)
    return f"{', '.join(words[:-1])} and {words[-1]}"
