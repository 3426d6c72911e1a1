"""`lab smoke`: how reliably a lab delivers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from orchestrator.cli.arguments import DURATION, NamedOption
from orchestrator.cli.failures import EXIT_FAILED
from orchestrator.cli.labs import choose_lab
from orchestrator.cli.output import format_ms, json_option, print_json, print_table, say
from orchestrator.cli.progress import make_progress
from orchestrator.cli.session import Session, lab_option, pass_session
from orchestrator.shot import DEFAULT_BYTES, DEFAULT_TIMEOUT_S, MAX_MESSAGE_BYTES, MIN_MESSAGE_BYTES, MODES, PERCENT
from orchestrator.smoke import DEFAULT_MESSAGES, DEFAULT_SEED, SmokeReport, modes_of

if TYPE_CHECKING:
    from orchestrator.lab import Lab

COLUMNS = ("mode", "arrived", "reliability", "p50", "p95", "duplicates", "strays", "hops", "ideal", "took")
FAILURES_SHOWN = 5


@click.command()
@click.argument("mode", type=click.Choice([*MODES, "all"]), default="all")
@click.option(
    "--seed", type=click.IntRange(min=0), default=DEFAULT_SEED, show_default=True, help="Same pairs, same bytes."
)
@click.option("--msgcount", type=click.IntRange(min=1), default=DEFAULT_MESSAGES, show_default=True, help="Messages.")
@click.option(
    "--msgbytes",
    type=click.IntRange(MIN_MESSAGE_BYTES, MAX_MESSAGE_BYTES),
    default=DEFAULT_BYTES,
    show_default=True,
    help="Of each.",
)
@click.option(
    "--msgtimeout", type=DURATION, default=f"{DEFAULT_TIMEOUT_S:g}s", show_default=True, help="For each message."
)
@click.option(
    "--min",
    "minimum",
    cls=NamedOption,
    type=click.FloatRange(0, PERCENT),
    default=PERCENT,
    show_default=True,
    metavar="PERCENT",
    help="Exit code 1 if fewer arrive.",
)
@lab_option
@json_option
@pass_session
def smoke(
    session: Session,
    mode: str,
    seed: int,
    msgcount: int,
    msgbytes: int,
    msgtimeout: float,
    minimum: float,
    lab_name: str | None,
    as_json: bool,
) -> None:
    """Send messages between random nodes and count what arrives.

    MODE is raw, sym, asym or all, one after the other. Nodes that do not run take no part.
    """
    lab = session.labs.open(choose_lab(session.labs, lab_name))
    progress = make_progress()
    reports = []
    try:
        with progress:
            for one in modes_of(mode):
                step = f"sending, {one}"
                progress.step(step, 0, msgcount)
                reports.append(
                    lab.smoke(
                        one,
                        seed=seed,
                        count=msgcount,
                        size=msgbytes,
                        timeout_s=msgtimeout,
                        progress=lambda done, step=step: progress.step(step, done, msgcount),  # type: ignore[misc]
                    )
                )
    finally:
        lab.close()
    passed = all(report.reliability >= minimum for report in reports)
    if as_json:
        document = {"lab": lab.spec.name, "passed": passed, "min": minimum}
        print_json({**document, "modes": [report.to_json() for report in reports]})
    else:
        _print(lab, reports)
    if not passed:
        raise click.exceptions.Exit(EXIT_FAILED)


def _print(lab: Lab, reports: list[SmokeReport]) -> None:
    rows = []
    for report in reports:
        rows.append(
            (
                report.mode,
                f"{report.delivered}/{report.sent}",
                f"{report.reliability:g} %",
                format_ms(report.p50_ms),
                format_ms(report.p95_ms),
                str(report.duplicates),
                str(report.strays),
                _mean(report.hops, report.traced),
                _mean(report.ideal_hops, report.traced),
                f"{report.seconds:.1f} s",
            )
        )
    print_table(COLUMNS, rows, right=COLUMNS[1:])
    for report in reports:
        for failure in report.failures[:FAILURES_SHOWN]:
            say(f"{report.mode}: {failure}")
        more = report.sent - report.delivered - FAILURES_SHOWN
        if more > 0:
            say(f"{report.mode}: and {more} more")
    say(f"lab {lab.spec.name}: hops are the mean over all messages whose way is known; ideal is a shortest way")


def _mean(total: int, count: int) -> str:
    return f"{total / count:.2f}" if count else ""
