"""Progress of `lab up` on stderr: a spinner on a terminal, one line per step elsewhere."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import Protocol, Self

import click

from orchestrator.cli.output import console, format_seconds


class Progress(Protocol):
    """What is told while something takes time."""

    def report(self, line: str) -> None:
        """Show a line that stays."""

    def step(self, name: str, done: int, of: int) -> None:
        """Show how far a step has come; another name begins the next one."""

    def interrupted(self, line: str) -> None:
        """Show a line from within a signal handler."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


def make_progress() -> Progress:
    """What fits this stderr."""
    return SpinnerProgress() if sys.stderr.isatty() else PlainProgress()


class PlainProgress:
    """A line when a step is through: for logs and continuous integration."""

    def __init__(self) -> None:
        self._step = ""
        self._count = ""
        self._begun = 0.0

    def report(self, line: str) -> None:
        click.echo(line, err=True)

    def step(self, name: str, done: int, of: int) -> None:
        if name != self._step:
            self._finish()
            self._step, self._begun = name, time.monotonic()
        self._count = f"{done}/{of}"

    def interrupted(self, line: str) -> None:
        from orchestrator.cli.interrupts import write

        write(line)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # Where it stood when it failed is worth a line; the user who interrupted it knows.
        if kind is None or issubclass(kind, Exception):
            self._finish()

    def _finish(self) -> None:
        if self._step:
            self.report(f"{self._step}: {self._count}, {format_seconds(time.monotonic() - self._begun)}")
        self._step = ""


class SpinnerProgress:
    """A spinner with the present step; steps that are through stay as lines."""

    def __init__(self) -> None:
        from rich.progress import Progress as RichProgress
        from rich.progress import SpinnerColumn, TextColumn, TimeElapsedColumn

        self._rich = RichProgress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            TextColumn("{task.fields[count]}"),
            TimeElapsedColumn(),
            console=console(stderr=True),
            transient=True,
        )
        self._task = self._rich.add_task("starting", total=None, count="")
        self._step = ""
        self._count = ""
        self._begun = 0.0

    def report(self, line: str) -> None:
        self._rich.console.print(line, markup=False, style="dim")

    def step(self, name: str, done: int, of: int) -> None:
        if name != self._step:
            self._finish()
            self._step, self._begun = name, time.monotonic()
        self._count = f"{done}/{of}"
        self._rich.update(self._task, description=name, count=self._count)

    def interrupted(self, line: str) -> None:
        # Changes what the spinner's own thread shows next; printing here could meet a print we interrupted.
        self._step = ""
        self._rich.update(self._task, description=line, count="")

    def __enter__(self) -> Self:
        self._rich.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self._finish()
        self._rich.stop()

    def _finish(self) -> None:
        if self._step:
            took = format_seconds(time.monotonic() - self._begun)
            self._rich.console.print(f"[green]✓[/] {self._step} {self._count} [dim]{took}[/]")
        self._step = ""
