"""`lab logs`: what the nodes wrote, one behind the other by time, each line with its node."""

from __future__ import annotations

import heapq
import queue
import re
import threading
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

import click

from orchestrator.cli.labs import choose_lab
from orchestrator.cli.session import Session, lab_option, pass_session

if TYPE_CHECKING:
    from orchestrator.lab import Lab
    from orchestrator.spec import NodeSpec

COLOURS = ("cyan", "green", "yellow", "magenta", "blue", "bright_cyan", "bright_green", "bright_magenta")
QUEUE_POLL_S = 0.2
"""How long Ctrl-C may wait for our attention."""
_TIME = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3}")
"""As node.log writes it."""


@click.command()
@click.argument("selectors", metavar="[NODE]...", nargs=-1)
@click.option("-f", "--follow", is_flag=True, help="Go on with what they write from now on.")
@click.option("--tail", type=click.IntRange(min=0), metavar="N", help="Only the last N lines of each.")
@lab_option
@pass_session
def logs(session: Session, selectors: tuple[str, ...], follow: bool, tail: int | None, lab_name: str | None) -> None:
    """What the nodes wrote. NODE is a name, a glob such as 'n0*' or role=relay; none means all."""
    from orchestrator.names import select_nodes

    lab = session.labs.open(choose_lab(session.labs, lab_name))
    try:
        chosen = select_nodes(lab.spec.nodes, selectors)
        width = max(len(node.name) for node in chosen)
        colours = {node.name: COLOURS[index % len(COLOURS)] for index, node in enumerate(lab.spec.nodes)}
        for name, line in _follow(lab, chosen, tail) if follow else _merge(lab, chosen, tail):
            click.echo(f"{click.style(f'{name:<{width}} |', fg=colours[name])} {line.removeprefix(f'{name} ')}")
    finally:
        lab.close()


def _merge(lab: Lab, nodes: Iterable[NodeSpec], tail: int | None) -> Iterator[tuple[str, str]]:
    """Lines of all nodes by time; a line without one stays behind the line before it."""

    def timed(node: NodeSpec) -> Iterator[tuple[str, str, str]]:
        last = ""
        for line in lab.runtime.logs(node, tail=tail):
            found = _TIME.search(line)
            last = max(last, found[0]) if found else last
            yield last, node.name, line

    for _, name, line in heapq.merge(*(timed(node) for node in nodes), key=lambda item: item[0]):
        yield name, line


def _follow(lab: Lab, nodes: list[NodeSpec], tail: int | None) -> Iterator[tuple[str, str]]:
    """Lines of all nodes as they come, until all have ended."""
    lines: queue.Queue[tuple[str, str | None]] = queue.Queue()

    def read(node: NodeSpec) -> None:
        try:
            for line in lab.runtime.logs(node, follow=True, tail=tail):
                lines.put((node.name, line))
        finally:
            lines.put((node.name, None))

    for node in nodes:
        # Daemons: what they wait for may never come, and the user's Ctrl-C ends us.
        threading.Thread(target=read, args=(node,), name=f"logs of {node.name}", daemon=True).start()
    open_ends = len(nodes)
    while open_ends:
        try:
            name, line = lines.get(timeout=QUEUE_POLL_S)
        except queue.Empty:
            continue
        if line is None:
            open_ends -= 1
        else:
            yield name, line
