"""`lab up`: start a lab, show that it works."""

from __future__ import annotations

import dataclasses
import datetime
import shlex
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from orchestrator.cli import story
from orchestrator.cli.arguments import DURATION
from orchestrator.cli.interrupts import Interrupted
from orchestrator.cli.output import json_option, print_json, say
from orchestrator.cli.plan import choose_spec, plan_to_json, print_plan, source_options
from orchestrator.cli.progress import Progress, make_progress
from orchestrator.cli.session import Session, pass_session
from orchestrator.cli.status import came_up, warn_if_expired
from orchestrator.errors import DeliveryFailed

if TYPE_CHECKING:
    from orchestrator.lab import Delivery, Lab
    from orchestrator.spec import LabSpec

RUNTIMES = ("auto", "docker", "process")
MAX_PORT = 65535
NAMES_A_LAB = ("source", "file", "nodes", "name")
"""Arguments by which a user says which lab is wanted."""


@click.command()
@source_options
@click.option("--runtime", type=click.Choice(RUNTIMES), default="auto", show_default=True, help="What a node is.")
@click.option(
    "--port",
    type=click.IntRange(0, MAX_PORT),
    default=0,
    metavar="PORT",
    help="Of the gateway on 127.0.0.1; 0 for any.",
)
@click.option("--timeout", type=DURATION, default=None, help="How long to wait until it is ready, such as 60s.")
@click.option("--expires", type=DURATION, default=None, help="After that lab gc removes it, such as 2h; default never.")
@click.option("--keep-on-fail", is_flag=True, help="Leave a lab that did not come up for inspection.")
@click.option("--no-send", is_flag=True, help="Do not send the first message.")
@click.option("--dry-run", is_flag=True, help="Only show the plan.")
@json_option
@pass_session
def up(
    session: Session,
    /,
    runtime: str,
    port: int,
    timeout: float | None,
    expires: float | None,
    keep_on_fail: bool,
    no_send: bool,
    dry_run: bool,
    as_json: bool,
    **source: Any,
) -> None:
    """Start a lab and send a first message.

    SOURCE is a stock lab or a lab file, - for standard input. Without one it is the only *.lab.yml here, or else the
    stock lab "default". A lab that runs already is taken as it is. Where no container engine answers, the nodes are
    processes.
    """
    spec = choose_spec(**source)
    if timeout is not None:
        spec = dataclasses.replace(spec, ready_timeout_s=timeout)
    if expires is not None:
        spec = dataclasses.replace(spec, expires=_expiry(expires))
    if dry_run:
        running = _is_up(session, spec)
        print_json(plan_to_json(spec, runtime, running)) if as_json else print_plan(spec, runtime, running)
        return
    if not any(source[key] for key in NAMES_A_LAB) and not _is_up(session, spec):
        _tell_of_others(session, spec)
    started = time.monotonic()
    lab, delivery = _bring_up(session, spec, runtime=runtime, port=port, keep=keep_on_fail, greet=not no_send)
    seconds = time.monotonic() - started
    try:
        warn_if_expired(lab.spec)
        if as_json:
            print_json(story.to_json(lab, delivery, seconds))
            return
        story.print_ready(lab, seconds)
        if expires is not None and lab.adopted:
            say(f"--expires is for new labs; this one expires {lab.spec.expires or 'never'}")
        if delivery is not None:
            story.print_delivery(lab, delivery)
        story.print_next(lab, alone=len(session.labs.saved()) < 2)
    finally:
        lab.close()


def _expiry(seconds: float) -> str:
    """When a lab that is started now expires."""
    from orchestrator.labels import format_time

    return format_time(datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=seconds))


def _bring_up(
    session: Session, spec: LabSpec, *, runtime: str, port: int, keep: bool, greet: bool
) -> tuple[Lab, Delivery | None]:
    """Start a lab and send its first message; when interrupted, nothing that was started stays."""
    progress = make_progress()
    adopting = _is_up(session, spec)
    if keep or adopting:
        message = f"interrupted; lab {spec.name} is left as it is"
    else:
        message = "interrupted; cleaning up: removing what was started"
    try:
        with session.interrupts.cleaning(message, progress.interrupted), progress:
            lab = session.labs.up(
                spec,
                runtime=runtime,
                port=port,
                report=progress.report,
                progress=progress.step,
                keep_on_failure=keep,
            )
            delivery = _greet(session, lab, progress, keep=keep) if greet else None
    except Interrupted:
        if not (keep or adopting):
            say(f"nothing is left of lab {spec.name}")
        raise
    return lab, delivery


def _is_up(session: Session, spec: LabSpec) -> bool:
    """Whether the lab came up before, and is taken as it is; what an interrupted `lab up` left is not."""
    return came_up(session.labs.saved().get(spec.name))


def _tell_of_others(session: Session, wanted: LabSpec) -> None:
    """Say which labs run already: who types `lab up` alone may want one of them."""
    from orchestrator.state import SavedLab

    for name, saved in session.labs.saved().items():
        if name != wanted.name and isinstance(saved, SavedLab) and saved.complete:
            say(f"lab {name} runs here too; to mend that one: {_how_to_mend(saved.spec)}")


def _how_to_mend(lab: LabSpec) -> str:
    """The `lab up` that takes a lab which runs as it is."""
    from orchestrator.stock import STOCK_DIRECTORY, SUFFIX

    file = Path(lab.source)
    if file.parent == STOCK_DIRECTORY:
        stock = file.name.removesuffix(SUFFIX)
        return f"lab up {stock}" if stock == lab.name else f"lab up {stock} --name {lab.name}"
    if file.is_file():
        return f"lab up {shlex.quote(str(file))} --name {lab.name}"
    return f"the lab up that started it, with --name {lab.name}"


def _greet(session: Session, lab: Lab, progress: Progress, *, keep: bool) -> Delivery | None:
    """The first message of a lab that was just started."""
    if lab.adopted or not story.tells_story(lab.spec):
        return None
    progress.step("sending a message", 0, 1)
    try:
        delivery = lab.send(story.SENDER, story.RECEIVER, story.GREETING)
    except Interrupted:
        lab.close() if keep else lab.down()
        raise
    except DeliveryFailed:
        progress.report(f"lab {lab.spec.name} runs, but its first message did not arrive; lab status tells more")
        session.labs.dump_failure(lab, progress.report)
        lab.close()
        raise
    except BaseException:
        lab.close()
        raise
    progress.step("sending a message", 1, 1)
    session.labs.remember_digest(lab.spec.name, delivery.digest.hex())
    return delivery
