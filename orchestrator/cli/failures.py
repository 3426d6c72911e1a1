"""What a failure looks like to the user: one ``error:`` line, a ``hint:`` line, an exit code. No traceback."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from typing import Any

import click

from node.errors import LabError, RPCError
from orchestrator.cli.interrupts import Interrupted
from orchestrator.errors import OrchestratorError

EXIT_FAILED = 1
EXIT_USAGE = 2
EXIT_NOT_READY = 6
EXIT_TIMEOUT = 124
"""As of timeout(1): something did not happen within the time that the user allowed."""
EXIT_SIGNAL = 128
"""Plus the number of the signal: 130 after Ctrl-C, 143 after SIGTERM."""
EXIT_READER_GONE = 141
"""As if SIGPIPE had ended us: whoever read our output stopped, such as ``head``."""

CODES_OF_CALLS = {"UNAVAILABLE": EXIT_NOT_READY, "DEADLINE_EXCEEDED": EXIT_TIMEOUT}
"""gRPC status of a control call -> exit code; others are failures."""


class NothingMatched(OrchestratorError):
    """What was asked for is not there."""

    exit_code = 5


def exit_code_of(error: LabError) -> int:
    """The exit code that stands for an error."""
    if isinstance(error, OrchestratorError):
        return error.exit_code
    return CODES_OF_CALLS.get(_call_status(error), EXIT_FAILED)


def _call_status(error: Exception) -> str:
    """The gRPC status of a ControlError, by its name; its class would drag gRPC in. Empty for other errors."""
    return str(getattr(getattr(error, "code", None), "name", ""))


def describe(error: Exception) -> tuple[str, str]:
    """The text of an error and what to do about it, which may be empty."""
    text = str(error) or type(error).__name__
    if isinstance(error, RPCError):
        return f"{text} (code {error.code})", ""
    if _call_status(error) == "UNAUTHENTICATED":
        from orchestrator.state import TOKEN_HINT

        return text, TOKEN_HINT
    if isinstance(error, LabError):
        return text, str(getattr(error, "hint", ""))
    return f"{type(error).__name__}: {text}", "this should not happen; lab --debug ... shows where it did"


def show(error: Exception) -> None:
    """Print an error to stderr."""
    text, hint = describe(error)
    click.secho("error: ", fg="red", bold=True, nl=False, err=True)
    click.echo(text, err=True)
    if hint:
        click.secho("hint: ", fg="cyan", nl=False, err=True)
        click.echo(hint, err=True)


@contextlib.contextmanager
def shown(*, debug: bool) -> Iterator[None]:
    """Turn whatever a command raises into lines for people and an exit code.

    Raises:
        click.exceptions.Exit: with the code.
    """
    try:
        yield
    except click.UsageError as error:
        _show_usage(error)
        raise click.exceptions.Exit(EXIT_USAGE) from None
    except (click.ClickException, click.Abort, click.exceptions.Exit):
        raise
    except Interrupted as error:
        raise click.exceptions.Exit(EXIT_SIGNAL + error.signal_number) from None
    except BrokenPipeError:
        _discard_output()
        raise click.exceptions.Exit(EXIT_READER_GONE) from None
    except Exception as error:
        if debug:
            _print_traceback()
        show(error)
        code = exit_code_of(error) if isinstance(error, LabError) else EXIT_FAILED
        raise click.exceptions.Exit(code) from None


def _show_usage(error: click.UsageError) -> None:
    click.secho("error: ", fg="red", bold=True, nl=False, err=True)
    text = error.format_message()
    click.echo(text[:1].lower() + text[1:].rstrip("."), err=True)
    if error.ctx is not None:
        click.secho("hint: ", fg="cyan", nl=False, err=True)
        click.echo(f"{error.ctx.command_path} --help", err=True)


def _print_traceback() -> None:
    import traceback

    click.echo(traceback.format_exc(), nl=False, err=True)


def _discard_output() -> None:
    """Let the interpreter's last flush of stdout succeed."""
    stdout: Any = sys.stdout
    with contextlib.suppress(OSError, ValueError):
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, stdout.fileno())
        os.close(null)
