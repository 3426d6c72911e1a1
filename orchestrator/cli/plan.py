"""Which lab a command is about, before anything runs: its options, and the plan that `--dry-run` shows."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from orchestrator.cli.labs import DEFAULT_NAME
from orchestrator.cli.output import print_table
from orchestrator.spec_json import spec_to_json

if TYPE_CHECKING:
    from orchestrator.spec import LabSpec, NodeSpec

DEFAULT_TOPOLOGY = "line"

F = TypeVar("F", bound=Callable[..., Any])


def source_options(command: F) -> F:
    """The options that :func:`choose_spec` takes."""
    for decorate in (
        click.option(
            "--seed", type=click.IntRange(min=0), metavar="N", help="Other keys, and another random topology."
        ),
        click.option("--name", metavar="NAME", help="Of the lab, instead of the file's."),
        click.option(
            "--topology",
            metavar="KIND",
            help="With --nodes: line (default), ring, star, full, tree, random, smallworld or kademlia.",
        ),
        click.option("-n", "--nodes", type=int, metavar="N", help="A lab of N nodes instead of a SOURCE."),
        click.option("-f", "--file", metavar="FILE", help="A lab file, as SOURCE."),
        click.argument("source", required=False),
    ):
        command = decorate(command)
    return command


def choose_spec(
    *,
    source: str | None = None,
    file: str | None = None,
    nodes: int | None = None,
    topology: str | None = None,
    name: str | None = None,
    seed: int | None = None,
) -> LabSpec:
    """The lab that was asked for.

    Raises:
        LabFileError: it makes no sense.
        click.UsageError: neither do the options together.
    """
    from orchestrator.labfile_model import DEFAULT_SEED
    from orchestrator.source import find_lab_file, resolve
    from orchestrator.topology import make_spec

    if sum(given is not None for given in (source, file, nodes)) > 1:
        raise click.UsageError("give one of SOURCE, --file and --nodes")
    if topology is not None and nodes is None:
        raise click.UsageError("--topology needs --nodes")
    if nodes is not None:
        kind = topology or DEFAULT_TOPOLOGY
        return make_spec(name or f"{kind}{nodes}", kind=kind, n=nodes, seed=DEFAULT_SEED if seed is None else seed)
    if file is not None:
        return resolve(file if file == "-" else Path(file), name=name, seed=seed)
    return resolve(source or find_lab_file(Path()) or DEFAULT_NAME, name=name, seed=seed)


def print_plan(spec: LabSpec, runtime: str, running: bool) -> None:
    """What `lab up` would do."""
    click.echo(f"lab {spec.name}: {len(spec.nodes)} nodes, {len(spec.links)} links, seed {spec.seed}")
    click.echo(f"runtime {runtime}, network {spec.network_id}, auto-connect {'on' if spec.auto_connect else 'off'}")
    click.echo("it runs already and would be taken as it is" if running else "would start:")
    rows = [
        (node.name, node.role, _overlay(node), ", ".join(_dials(spec, node.name)), _runs(node)) for node in spec.nodes
    ]
    # A column for what runs only where not all nodes are plain ones of ours.
    width = 4 + any(node.reference or node.own for node in spec.nodes)
    print_table(("node", "role", "overlay", "dials", "runs")[:width], [row[:width] for row in rows])


def plan_to_json(spec: LabSpec, runtime: str, running: bool) -> dict[str, Any]:
    """The same as JSON types; no secret keys."""
    return spec_to_json(spec) | {"runtime": runtime, "running": running}


def _overlay(node: NodeSpec) -> str:
    return "its own choice" if node.chooses_keys else node.overlay.hex()[:16]


def _runs(node: NodeSpec) -> str:
    if node.reference:
        return node.reference.image
    return " ".join([node.kind, *(node.own.names if node.own else ())])


def _dials(spec: LabSpec, name: str) -> list[str]:
    return [link.b for link in spec.links if link.a == name]
