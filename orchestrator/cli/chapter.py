"""`lab chapter`: an example of the tutorial with every actor in a container of its own."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import click

from orchestrator.cli.output import console, json_option, print_json, print_table, say
from orchestrator.cli.session import Session, pass_session
from orchestrator.journey import format_journey

if TYPE_CHECKING:
    from orchestrator.chapter.examples import Example
    from orchestrator.chapter.transcript import Said, Transcript

RUNTIMES = ("auto", "docker", "process")
COLOURS = ("cyan", "magenta", "green", "yellow", "blue")
MAX_JOURNEYS = 8
"""How many messages are traced on the terminal; an example sends fewer."""


@click.command()
@click.argument("name", required=False, metavar="[EXAMPLE]")
@click.option("--runtime", type=click.Choice(RUNTIMES), default="auto", show_default=True, help="What an actor is.")
@click.option("--no-trace", is_flag=True, help="Do not show the way of the pss messages at the end.")
@json_option
@pass_session
def chapter(session: Session, /, name: str | None, runtime: str, no_trace: bool, as_json: bool) -> None:
    """Play an example of the tutorial, each actor in a container.

    EXAMPLE is a chapter such as e2, or the name of a file in examples/. Without one all are listed. The code is the
    same that `python examples/...` runs in one process. Where no engine answers, actors are processes.
    """
    from orchestrator.chapter.examples import all_examples, find_example

    if name is None:
        _list(all_examples(), as_json=as_json)
        return
    example = find_example(name)
    scene = _Scene(example, silent=as_json)
    with session.interrupts.cleaning("removing the actors; one moment"):
        transcript = session.labs.play(example, runtime=runtime, show=scene.show, report=scene.report)
    if as_json:
        print_json(_to_json(example, transcript))
    elif not no_trace:
        _print_journeys(transcript)


def _list(examples: list[Example], *, as_json: bool) -> None:
    if as_json:
        print_json([dataclasses.asdict(example) for example in examples])
        return
    rows = [(example.chapter, ", ".join(example.cast), example.title.partition(": ")[2]) for example in examples]
    print_table(("EXAMPLE", "ACTORS", "WHAT IT SHOWS"), rows)


class _Scene:
    """Prints what the actors say: when, who in a colour of its own, what."""

    def __init__(self, example: Example, *, silent: bool) -> None:
        self._colours = {actor: COLOURS[i % len(COLOURS)] for i, actor in enumerate(example.cast)}
        self._width = max(map(len, example.cast))
        self._silent = silent
        self._began_s: float | None = None
        self._console = console()
        if not silent:
            say(example.title)

    def report(self, line: str) -> None:
        if not self._silent:
            say(line)

    def show(self, said: Said) -> None:
        if self._silent:
            return
        from rich.text import Text

        if said.at_s is not None and self._began_s is None:
            self._began_s = said.at_s
        when = "" if said.at_s is None or self._began_s is None else f"{said.at_s - self._began_s:.3f} s"
        line = Text(f"{when:>9}  ", style="dim")
        line.append(f"{said.actor:{self._width}}", style=self._colours[said.actor])
        self._console.print(line.append(f"  {said.text}", style="default"), soft_wrap=True)


def _print_journeys(transcript: Transcript) -> None:
    journeys = transcript.journeys
    for journey in journeys[:MAX_JOURNEYS]:
        click.echo()
        click.echo(format_journey(journey))
    if len(journeys) > MAX_JOURNEYS:
        click.echo(f"\nand {len(journeys) - MAX_JOURNEYS} more messages")


def _to_json(example: Example, transcript: Transcript) -> dict[str, object]:
    return {
        "example": example.name,
        "actors": list(example.cast),
        "said": [{"actor": said.actor, "at": said.at_s, "text": said.text} for said in transcript.said],
        "messages": [journey.to_json() for journey in transcript.journeys],
    }
