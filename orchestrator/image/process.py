"""Running the host programs that make an image: pip, apt-get, mmdebstrap, strip.

They run in a session of their own, so that an interrupted build can end a program together with its children, and
what they wrote to stderr is condensed to one line for the user. Knows nothing of images.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from typing import IO

from orchestrator.errors import ImageError

STOP_GRACE_S = 5.0
"""How long an interrupted program may take to clean up after itself, in seconds."""

MAX_REASON_CHARS = 300
"""Length of the part of a program's complaint that is repeated to the user."""


def run_command(
    command: Sequence[str],
    *,
    what: str,
    extra_env: Mapping[str, str] | None = None,
    stdout: IO[bytes] | None = None,
) -> str:
    """Run `command` to its end.

    Args:
        command: the program and its arguments; no shell.
        what: the start of the error message, for example "mmdebstrap could not build the base".
        extra_env: variables on top of our own environment.
        stdout: a file that takes the output; without it the output is returned.

    Returns:
        What the program wrote to stdout; empty if `stdout` was given.

    Raises:
        ImageError: the program is missing or failed; carries the line in which it says why.
    """
    try:
        process = subprocess.Popen(  # noqa: S603 - fixed programs, arguments as a list, no shell
            command,
            stdin=subprocess.DEVNULL,
            stdout=stdout if stdout is not None else subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**os.environ, **(extra_env or {})},
            start_new_session=True,
        )
    except OSError as error:
        raise ImageError(f"{what}: cannot run {command[0]} ({error.strerror})") from error
    with process:
        try:
            out, complaint = process.communicate()
        except BaseException:  # Ctrl-C included: nothing of ours keeps running
            _stop_session(process)
            raise
    if process.returncode != 0:
        raise ImageError(f"{what}: {find_reason(complaint.decode(errors='replace'))}")
    return (out or b"").decode(errors="replace")


def find_reason(complaint: str) -> str:
    """Pick the line of a program's stderr that most likely says what went wrong.

    That is the last line that announces an error the way pip ("ERROR:"), apt ("E:") and mmdebstrap ("E:") do, and the
    last line of all if none does.
    """
    lines = [line.strip() for line in complaint.splitlines() if line.strip()]
    if not lines:
        return "it gave no reason"
    announced = [line for line in lines if line.lower().startswith(("error", "e: ", "fatal"))]
    # mmdebstrap closes with the failure of the program it ran; what that program said comes first.
    telling = [line for line in announced if "failed" not in line and "exited" not in line]
    return (telling or announced or lines)[-1][:MAX_REASON_CHARS]


def _stop_session(process: subprocess.Popen[bytes]) -> None:
    """End a program and everything it started: politely, then not."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(STOP_GRACE_S)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
