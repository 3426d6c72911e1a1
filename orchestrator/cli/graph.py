"""`lab graph`: who is linked with whom, of a file or of a lab that runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from orchestrator.cli.arguments import NamedOption
from orchestrator.cli.nodes import opened
from orchestrator.cli.output import print_json
from orchestrator.cli.plan import choose_spec
from orchestrator.cli.session import Session, lab_option, pass_session
from orchestrator.errors import LabFileError

if TYPE_CHECKING:
    from orchestrator.graph import LabGraph

FORMATS = ("ascii", "dot", "mermaid", "svg", "json")


@click.command()
@click.argument("source", required=False)
@click.option(
    "--format",
    "form",
    cls=NamedOption,
    type=click.Choice(FORMATS),
    default="ascii",
    show_default=True,
    help="How it is written.",
)
@click.option("--json", "as_json", cls=NamedOption, is_flag=True, help="The same as --format json.")
@lab_option
@pass_session
def graph(session: Session, source: str | None, form: str, as_json: bool, lab_name: str | None) -> None:
    """Show who is linked with whom.

    Of the lab that runs: its connections as they are, against the links it should have. With SOURCE, of a lab file
    (- for standard input) or a stock lab, as it should be; nothing has to run.
    """
    from orchestrator import graph as graphs
    from orchestrator.graph_svg import to_svg

    if source and lab_name:
        raise click.UsageError("give SOURCE or --lab: one is about a file, the other about a lab that runs")
    shown = _live(session, lab_name) if not source and (lab_name or session.labs.saved()) else None
    if shown is None:
        shown = _planned(session, source)
    if as_json or form == "json":
        print_json(graphs.to_json(shown))
        return
    write = {"ascii": graphs.to_ascii, "dot": graphs.to_dot, "mermaid": graphs.to_mermaid, "svg": to_svg}[form]
    click.echo(write(shown), nl=False)


def _live(session: Session, lab_name: str | None) -> LabGraph:
    from orchestrator import observe
    from orchestrator.graph import live_graph
    from orchestrator.runtime import NodeState

    with opened(session, lab_name) as lab:
        told = lab.runtime.node_states()
        states = {name: told.get(name, NodeState.MISSING) for name in lab.spec.node_names}
        running = {name for name, state in states.items() if state is NodeState.RUNNING}
        return live_graph(lab.spec, running, observe.connections(lab.spec, observe.tables(lab)), states=states)


def _planned(session: Session, source: str | None) -> LabGraph:
    from orchestrator.graph import planned_graph

    try:
        return planned_graph(choose_spec(source=source))
    except LabFileError as error:
        if source in session.labs.saved():
            error.hint = f"lab graph --lab {source} is about the lab of that name"
        raise
