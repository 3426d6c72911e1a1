"""`lab down`: remove a lab, whatever is left of it."""

from __future__ import annotations

from collections import Counter

import click

from orchestrator.cli.arguments import NamedOption
from orchestrator.cli.labs import Labs, choose_lab
from orchestrator.cli.output import join_words, json_option, print_json, say
from orchestrator.cli.session import Session, pass_session

INTERRUPTED = "interrupted; the rest is still there: run lab down again"

PLURALS = {"process": "processes", "directory": "directories"}


@click.command()
@click.argument("name", required=False)
@click.option("--all", "all_labs", cls=NamedOption, is_flag=True, help="Every lab of the state directory.")
@json_option
@pass_session
def down(session: Session, name: str | None, all_labs: bool, as_json: bool) -> None:
    """Remove a lab and all that it made.

    Twice is fine. NAME defaults to the only lab there is; an id as lab ls shows it works too, for a lab that was
    started from another directory.
    """
    if all_labs and name:
        raise click.UsageError("--all or a NAME, not both")
    removed: dict[str, list[str]] = {}
    with session.interrupts.cleaning(INTERRUPTED):
        for one in sorted(session.labs.saved()) if all_labs else [name]:
            removed |= _remove(session.labs, one)
    if as_json:
        print_json({"removed": removed})
        return
    for lab, objects in removed.items():
        say(f"lab {lab} is down: removed {_count(objects)}" if objects else f"there was nothing of a lab {lab}")
        if not objects:
            _point_elsewhere(session.labs, lab)
    if not removed:
        say("there was no lab")


def _remove(labs: Labs, name: str | None) -> dict[str, list[str]]:
    """Remove a lab by name or id: its name and what was removed."""
    if name is not None and "-" in name and name not in labs.saved():
        for lab in labs.found(lambda line: None):
            if lab.lab_id == name:
                return {name: labs.remove_found(lab)}
    name = choose_lab(labs, name, how="lab down NAME")
    return {name: labs.remove(name, say)}


def _count(objects: list[str]) -> str:
    """``6 containers and 2 networks`` from names that begin with what they are."""
    counts = Counter(name.partition(" ")[0] for name in objects)
    return join_words(
        [f"{count} {PLURALS.get(kind, kind + 's')}" if count > 1 else f"1 {kind}" for kind, count in counts.items()]
    )


def _point_elsewhere(labs: Labs, name: str) -> None:
    """Labs that may have been meant: those here, and those of that name that were started from elsewhere."""
    if here := sorted(labs.saved()):
        say(f"hint: labs here: {', '.join(here)}")
    for lab in labs.found(lambda line: None):
        if lab.name == name:
            where = f" ({lab.directory})" if lab.directory else ""
            say(f"hint: a lab of that name was started from elsewhere{where}: lab down {lab.lab_id}")
