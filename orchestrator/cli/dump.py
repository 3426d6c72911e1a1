"""`lab dump`: everything needed to understand a failure."""

from __future__ import annotations

from pathlib import Path

import click

from orchestrator.cli.labs import choose_lab
from orchestrator.cli.output import json_option, print_json
from orchestrator.cli.session import Session, lab_option, pass_session


@click.command()
@click.argument("directory", metavar="DIR", type=click.Path(file_okay=False, path_type=Path))
@lab_option
@json_option
@pass_session
def dump(session: Session, directory: Path, lab_name: str | None, as_json: bool) -> None:
    """Write down how a lab is: logs, events, peers, tables, containers, versions.

    DIR must not exist, or be empty. There are no private keys in it; its README.txt says what is what. Nodes that do
    not run or do not answer are named in missing.txt.
    """
    lab = session.labs.open(choose_lab(session.labs, lab_name))
    try:
        written = lab.dump(directory)
    finally:
        lab.close()
    files = sorted(str(path.relative_to(written)) for path in written.rglob("*") if path.is_file())
    if as_json:
        print_json({"lab": lab.spec.name, "directory": str(written), "files": files})
    else:
        click.echo(f"{written}: {len(files)} files, see README.txt there")
