"""Commands around a lab that need none running: export, validate, schema, image, version."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from orchestrator.cli.output import json_option, print_json, say
from orchestrator.cli.plan import choose_spec, source_options
from orchestrator.cli.session import Session, pass_session
from orchestrator.errors import OrchestratorError
from orchestrator.spec_json import spec_to_json

STDOUT = "-"


@click.group()
def export() -> None:
    """Write a lab for other tools to run."""


@export.command("compose")
@source_options
@click.option("-o", "--output", default=STDOUT, metavar="FILE", help="Where to; - for stdout.")
def export_compose(output: str, **source: Any) -> None:
    """A lab as a Compose file, for docker compose v2 and docker-compose 1.29."""
    from orchestrator import compose

    text = compose.export_compose(choose_spec(**source))
    if output == STDOUT:
        click.echo(text, nl=False)
        return
    try:
        Path(output).write_text(text)
    except OSError as error:
        raise OrchestratorError(f"{output}: {error.strerror or error}") from None
    say(f"wrote {output}")


@click.command()
@click.argument("file")
@json_option
def validate(file: str, as_json: bool) -> None:
    """Check a lab file.

    FILE - reads standard input. Exit code 2 if it makes no sense.
    """
    spec = choose_spec(file=file)
    if as_json:
        print_json({"valid": True} | spec_to_json(spec))
    else:
        click.echo(f"{file}: lab {spec.name}, {len(spec.nodes)} nodes, {len(spec.links)} links")


@click.command()
def schema() -> None:
    """Print the JSON Schema of lab files."""
    from orchestrator.labfile import json_schema

    print_json(json_schema())


@click.command()
@click.option("--rebuild", is_flag=True, help="Build every layer again.")
@json_option
@pass_session
def image(session: Session, rebuild: bool, as_json: bool) -> None:
    """Find or build the node image."""
    info = session.labs.image(say, rebuild=rebuild)
    if as_json:
        print_json({"tag": info.tag, "id": info.id, "size_bytes": info.size_bytes, "built": info.built})
    else:
        size = info.size_bytes / 1_000_000
        click.echo(f"{info.tag}  {size:.0f} MB  {'built' if info.built else 'was there already'}")


@click.command()
@json_option
def version(as_json: bool) -> None:
    """Print the version."""
    import platform

    from node import __version__

    if as_json:
        print_json({"version": __version__, "python": platform.python_version()})
    else:
        click.echo(f"pss-lab {__version__}")
