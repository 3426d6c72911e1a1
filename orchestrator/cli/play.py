"""`lab play`: what a lab file says happens to its lab."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from orchestrator.cli.failures import EXIT_FAILED
from orchestrator.cli.faults import INTERRUPTED
from orchestrator.cli.nodes import opened
from orchestrator.cli.output import format_ms, json_option, print_json, print_table, say
from orchestrator.cli.session import Session, lab_option, pass_session
from orchestrator.errors import OrchestratorError

if TYPE_CHECKING:
    from orchestrator.traffic.run import TrafficReport

COLUMNS = ("traffic", "mode", "arrived", "reliability", "wanted", "p50", "p95", "duplicates")
FAILURES_SHOWN = 3


class NothingToPlay(OrchestratorError):
    """The lab file has neither faults nor traffic."""

    exit_code = 5


@click.command()
@lab_option
@json_option
@pass_session
def play(session: Session, lab_name: str | None, as_json: bool) -> None:
    """Play the lab file's `faults:` and `traffic:`, together and in real time.

    At its end, and on Ctrl-C, all faults are taken back. Exit code 1 if less of the traffic arrives than its `min:`.
    """
    told: list[tuple[float, str]] = []

    def tell(at_s: float, line: str) -> None:
        told.append((at_s, line))
        (say if as_json else click.echo)(f"{at_s:7.2f} s  {line}")

    with opened(session, lab_name) as lab, session.interrupts.cleaning(INTERRUPTED):
        if not (lab.spec.timeline or lab.spec.traffic):
            raise NothingToPlay(
                f"lab {lab.spec.name} has no faults and no traffic to play", hint="see docs/lab-files.md"
            )
        reports = lab.play(tell)
    passed = all(report.passed for report in reports)
    if as_json:
        events = [{"at_s": round(at_s, 3), "what": line} for at_s, line in told]
        print_json(
            {
                "lab": lab.spec.name,
                "passed": passed,
                "events": events,
                "traffic": [report.to_json() for report in reports],
            }
        )
    elif reports:
        _print(reports)
    if not passed:
        raise click.exceptions.Exit(EXIT_FAILED)


def _print(reports: list[TrafficReport]) -> None:
    rows = []
    for report in reports:
        tally, wanted = report.tally, report.traffic.min_share
        rows.append(
            (
                report.traffic.name,
                report.traffic.mode,
                f"{tally.delivered}/{tally.sent}",
                f"{tally.reliability:g} %",
                "" if wanted is None else f"{wanted * 100:.4g} %",
                format_ms(tally.p50_ms),
                format_ms(tally.p95_ms),
                str(tally.duplicates),
            )
        )
    print_table(COLUMNS, rows, right=COLUMNS[2:])
    for report in reports:
        for failure in report.tally.failures[:FAILURES_SHOWN]:
            say(f"{report.traffic.name}: {failure}")
        if (more := report.tally.sent - report.tally.delivered - FAILURES_SHOWN) > 0:
            say(f"{report.traffic.name}: and {more} more")
