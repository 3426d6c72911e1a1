"""`lab fault show|clear`: what is wrong on purpose, and whether it really is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from orchestrator.cli.arguments import NamedOption
from orchestrator.cli.failures import EXIT_NOT_READY
from orchestrator.cli.nodes import opened
from orchestrator.cli.output import json_option, print_json, print_table, say
from orchestrator.cli.session import Session, lab_option, pass_session
from orchestrator.errors import OrchestratorError

if TYPE_CHECKING:
    from orchestrator.faults.show import EdgeReport, FaultReport
    from orchestrator.lab import Lab

NO_FAULTS = "no fault"


class NoSuchFault(OrchestratorError):
    """None of that name, or none at all."""

    exit_code = 5


@click.group("fault")
def fault_group() -> None:
    """Show or clear faults."""


@fault_group.command()
@click.option(
    "--all",
    "everything",
    cls=NamedOption,
    is_flag=True,
    help="Also directions between nodes that no link joins.",
)
@json_option
@lab_option
@pass_session
def show(session: Session, everything: bool, as_json: bool, lab_name: str | None) -> None:
    """Show what is wanted and what is, as each node tells, with the round trip before and now.

    Exit code 6 if something is not as wanted.
    """
    with opened(session, lab_name) as lab:
        found = lab.faults.report()
        if as_json:
            from orchestrator.faults.show import report_to_json

            print_json({"lab": lab.spec.name} | report_to_json(found))
        else:
            _print(lab, found, everything)
    if not found.applied:
        raise click.exceptions.Exit(EXIT_NOT_READY)


def _print(lab: Lab, found: FaultReport, everything: bool) -> None:
    if not (found.faults or found.edges):
        say(NO_FAULTS)
        return
    rows = [(fault.name, fault.kind, str(fault), "lab file" if fault.from_file else "") for fault in found.faults]
    print_table(("fault", "kind", "what", ""), rows)
    linked = {frozenset((link.a, link.b)) for link in lab.spec.links}
    shown = [
        edge
        for edge in found.edges
        if everything or edge.connected or not edge.applied or frozenset((edge.a, edge.b)) in linked
    ]
    if shown:
        click.echo()
        columns = ("link", "wanted", "actual", "by", "round trip before", "now")
        print_table(columns, [_row(edge) for edge in shown], right=columns[4:])
    if hidden := len(found.edges) - len(shown):
        click.echo(f"and {hidden} directions between nodes that no link joins, all as wanted")
    for name, done in found.paused.items():
        click.echo(f"{name} is {'frozen' if done else 'to be frozen, and is not'} ({found.how_paused})")


def _row(edge: EdgeReport) -> tuple[str, ...]:
    actual = "not asked" if not edge.asked else "as wanted" if edge.applied else str(edge.actual)
    if edge.astray.shaped:
        actual += f", and {edge.astray} twice" if edge.astray == edge.actual else f", and {edge.astray} besides"
    silent = "no answer" if edge.measured else "connected"
    now = _format_ms(edge.now_s) if edge.now_s else silent if edge.connected else "not connected"
    return (f"{edge.a} > {edge.b}", str(edge.wanted), actual, edge.how, _format_ms(edge.before_s), now)


def _format_ms(seconds: float | None) -> str:
    return "" if seconds is None else f"{seconds * 1000:.1f} ms"


@fault_group.command()
@click.argument("names", nargs=-1, metavar="[NAME]...")
@lab_option
@pass_session
def clear(session: Session, names: tuple[str, ...], lab_name: str | None) -> None:
    """Take faults back, by their names; without a NAME all but those of the lab file."""
    with opened(session, lab_name) as lab:
        known = [fault.name for fault in lab.faults.state().faults]
        if unknown := [name for name in names if name not in known]:
            raise NoSuchFault(f"no fault {unknown[0]!r}", hint=f"faults: {', '.join(known) or 'none'}")
        cleared = lab.faults.clear(names or None)
    say(f"cleared: {', '.join(cleared)}" if cleared else NO_FAULTS)
