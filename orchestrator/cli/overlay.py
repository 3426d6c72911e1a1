"""`lab overlay` and `lab kademlia`: where nodes are in the address space, and whom they know."""

from __future__ import annotations

from pathlib import Path

import click

from orchestrator.cli.arguments import NamedOption
from orchestrator.cli.nodes import opened
from orchestrator.cli.output import json_option, print_json, say
from orchestrator.cli.pick import known_node, running_node
from orchestrator.cli.session import Session, lab_option, pass_session
from orchestrator.errors import OrchestratorError


@click.command()
@click.argument("node", required=False)
@click.option("--svg", "svg_file", cls=NamedOption, metavar="FILE", help="Draw it into a file instead.")
@lab_option
@json_option
@pass_session
def overlay(session: Session, node: str | None, svg_file: str | None, lab_name: str | None, as_json: bool) -> None:
    """Show the ring of addresses, with depth and bins of all nodes.

    With NODE, as that node sees it: whom it is connected with, whom it knows, whom not, and in which bin they are.
    """
    from orchestrator import observe, overlay_svg, overlay_view

    if svg_file and as_json:
        raise click.UsageError("give one of --svg and --json")
    with opened(session, lab_name) as lab:
        if node:
            known_node(lab, node)
        ring = overlay_view.places(lab.spec, observe.tables(lab))
        name = lab.spec.name
    if svg_file:
        write_text(svg_file, overlay_svg.draw_node(ring, node, name) if node else overlay_svg.draw_overlay(ring, name))
    elif as_json:
        print_json(overlay_view.overlay_to_json(ring, name, node or ""))
    else:
        click.echo(overlay_view.format_node(ring, node) if node else overlay_view.format_overlay(ring), nl=False)


@click.command()
@click.argument("node")
@lab_option
@json_option
@pass_session
def kademlia(session: Session, node: str, lab_name: str | None, as_json: bool) -> None:
    """Show the kademlia table of a node.

    Whom it is connected with, whom it knows beyond that, and which nodes of the lab it does not know. Rows are by
    proximity order: how many leading bits of an address are the same as of its own.
    """
    from orchestrator import overlay_view

    with opened(session, lab_name) as lab:
        running_node(lab, node)
        table = lab[node].control.kademlia()
        spec = lab.spec
    ring = overlay_view.places(spec, {node: table})
    if as_json:
        print_json(overlay_view.node_to_json(ring, spec.name, node))
    else:
        click.echo(overlay_view.format_table(ring, node), nl=False)


def write_text(file: str, text: str) -> None:
    """Write a file and say so.

    Raises:
        OrchestratorError: it cannot be written.
    """
    try:
        Path(file).write_text(text, encoding="utf-8")
    except OSError as error:
        raise OrchestratorError(f"{file}: {error.strerror or error}") from None
    say(f"wrote {file}")
