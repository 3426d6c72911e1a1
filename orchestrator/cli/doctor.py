"""`lab doctor`: can this machine carry a lab."""

from __future__ import annotations

import click

from orchestrator.cli.output import json_option, print_json
from orchestrator.cli.session import Session, pass_session

EXIT_REFUSED = 4
"""As of PreflightError: this machine cannot carry the lab."""
MAX_PORT = 65535
COLOURS = {"ok": "green", "note": "cyan", "warn": "yellow", "refuse": "red"}


@click.command()
@click.option("-n", "--nodes", type=click.IntRange(min=1), metavar="N", help="Of the lab that is wanted; default any.")
@click.option(
    "--runtime",
    type=click.Choice(["auto", "docker", "process"]),
    default="auto",
    show_default=True,
    help="What a node is to be.",
)
@click.option("--port", type=click.IntRange(0, MAX_PORT), default=0, metavar="PORT", help="Is it free for a gateway?")
@click.option(
    "--kernel/--no-kernel", default=True, help="Try out what faults can use, in a helper container (default)."
)
@json_option
@pass_session
def doctor(session: Session, nodes: int | None, runtime: str, port: int, kernel: bool, as_json: bool) -> None:
    """Look whether this machine can carry a lab, and how large a one.

    Nothing is changed. Exit code 4 if something is in the way of any lab, or of one of --nodes; below each finding is
    what to do about it.
    """
    found = session.labs.examine(runtime=runtime, nodes=nodes or 0, port=port, kernel=kernel)
    if as_json:
        print_json(found.to_json())
    else:
        for line in found.lines():
            level, space, rest = line.partition(" ")
            click.echo(click.style(level, fg=COLOURS[level]) + space + rest if level in COLOURS else line)
    if found.refused:
        raise click.exceptions.Exit(EXIT_REFUSED)
