"""`lab verify`: whether a running lab is what its file, or a teacher's, expects of it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from orchestrator.cli.arguments import NamedOption
from orchestrator.cli.failures import EXIT_FAILED
from orchestrator.cli.nodes import opened
from orchestrator.cli.output import json_option, print_json, print_table, say
from orchestrator.cli.session import Session, lab_option, pass_session
from orchestrator.errors import OrchestratorError

if TYPE_CHECKING:
    from orchestrator.lab import Lab
    from orchestrator.verify.model import Check, CheckResult


class NoSuchCheck(OrchestratorError):
    """None of that id, or none at all."""

    exit_code = 5


@click.command()
@click.argument("ids", nargs=-1, metavar="[ID]...")
@click.option("--tests", metavar="FILE", help="A lab file whose `verify:` is used instead of the lab's own.")
@click.option("--list", "listing", cls=NamedOption, is_flag=True, help="Say what would be checked, and check nothing.")
@click.option("--error-only", is_flag=True, help="Print only what fails.")
@lab_option
@json_option
@pass_session
def verify(
    session: Session,
    ids: tuple[str, ...],
    tests: str | None,
    listing: bool,
    error_only: bool,
    lab_name: str | None,
    as_json: bool,
) -> None:
    """Check what the lab file's `verify:` expects of the running lab; with IDs only those.

    Exit code 1 if a check fails, 5 if there is none.
    """
    from orchestrator.verify.model import points_of

    with opened(session, lab_name) as lab:
        checks = _choose(lab, ids, tests)
        if listing:
            _list(checks, as_json)
            return
        results: list[CheckResult] = []
        for result in lab.verify(checks):
            results.append(result)
            if not as_json and not (result.passed and error_only):
                _print(result)
    passed = all(result.passed for result in results)
    gained, of = points_of(results)
    if as_json:
        document = {"lab": lab.spec.name, "passed": passed, "points": gained, "of": of}
        print_json({**document, "checks": [result.to_json() for result in results]})
    else:
        done = sum(result.passed for result in results)
        say(f"lab {lab.spec.name}: {done} of {len(results)} checks passed, {gained} of {of} points")
    if not passed:
        raise click.exceptions.Exit(EXIT_FAILED)


def _choose(lab: Lab, ids: tuple[str, ...], tests: str | None) -> tuple[Check, ...]:
    from orchestrator.labfile import load_checks
    from orchestrator.names import did_you_mean
    from orchestrator.source import read_file

    source, checks = f"lab {lab.spec.name}", lab.spec.checks
    if tests is not None:
        source, checks = tests, load_checks(read_file(Path(tests)), lab.spec.nodes, source=tests)
    known = {check.id: check for check in checks}
    if not known:
        raise NoSuchCheck(f"{source} has nothing to verify", hint="give its lab file a verify:, see docs/lab-files.md")
    for one in ids:
        if one not in known:
            hint = did_you_mean(one, known) or f"checks: {', '.join(known)}"
            raise NoSuchCheck(f"{source} has no check {one!r}", hint=hint)
    return tuple(known[one] for one in ids) if ids else checks


def _list(checks: tuple[Check, ...], as_json: bool) -> None:
    if as_json:
        rows = [{"id": one.id, "kind": one.kind, "expected": str(one), "of": one.points} for one in checks]
        print_json({"checks": rows})
        return
    print_table(
        ("check", "expects", "points"), [(one.id, str(one), str(one.points)) for one in checks], right=["points"]
    )


def _print(result: CheckResult) -> None:
    click.echo(f"{'ok    ' if result.passed else 'FAILED'} {result.check.id}: {result.found}")
    if not result.passed:
        within = "" if result.check.impossible else f", within {result.check.within_s:g} s"
        click.echo(f"       expected {result.check}{within}")
        if result.check.hint:
            click.echo(f"       hint: {result.check.hint}")
