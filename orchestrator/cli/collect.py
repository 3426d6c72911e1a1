"""`lab gc`: remove what nobody needs any more."""

from __future__ import annotations

import click

from orchestrator.cli.failures import EXIT_FAILED, show
from orchestrator.cli.output import json_option, print_json, say
from orchestrator.cli.session import Session, pass_session
from orchestrator.errors import OrchestratorError


@click.command()
@click.argument("only", metavar="[ID]", required=False)
@click.option("--dry-run", is_flag=True, help="Only say what would go.")
@click.option("--images", is_flag=True, help="Old node images too; other checkouts may still want theirs.")
@json_option
@pass_session
def gc(session: Session, only: str | None, dry_run: bool, images: bool, as_json: bool) -> None:
    """Remove what nobody needs any more.

    Labs whose state directory is gone or that have expired; with --images also old node images. Labs that a state
    directory knows are left alone, whoever started them. With an ID, as lab ls shows it, no other lab is looked at.
    """
    leftovers = [one for one in session.labs.leftovers(say) if images or one.kind != "image"]
    if only is not None:
        leftovers = [one for one in leftovers if one.id == only]
    rows, failed = [], False
    for leftover in leftovers:
        removed: list[str] = []
        if not dry_run:
            try:
                removed = session.labs.remove_leftover(leftover)
            except OrchestratorError as error:
                show(error)
                failed = True
                continue
            if not removed:
                say(f"{leftover.kind} {leftover.id} stays: it is in use again, or somebody else removed it")
                continue
        rows.append({"kind": leftover.kind, "id": leftover.id, "reason": leftover.reason, "removed": removed})
    if as_json:
        print_json({"dry_run": dry_run, "leftovers": rows})
    else:
        verb = "would remove" if dry_run else "removed"
        for row in rows:
            click.echo(f"{verb} {row['kind']} {row['id']}: {row['reason']}")
        if not leftovers:
            say("nothing to remove")
    if failed:
        raise click.exceptions.Exit(EXIT_FAILED)
