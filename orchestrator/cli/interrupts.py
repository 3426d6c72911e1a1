"""Ctrl-C and friends: the first one ends the command, which cleans up; the next ones must not end the clean-up."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any, Self

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
PATIENCE = "still cleaning up; one moment"


class Interrupted(KeyboardInterrupt):
    """The user, or whoever started us, wants us to stop."""

    def __init__(self, signal_number: int) -> None:
        super().__init__()
        self.signal_number = signal_number


class Interrupts:
    """Raises :class:`Interrupted` once while its block runs, and afterwards only says that it heard."""

    def __init__(self) -> None:
        self._received = False
        self._tell: Callable[[str], None] = write
        self._cleaning = ""
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Self:
        self._received = False
        if threading.current_thread() is threading.main_thread():
            self._before = {number: signal.signal(number, self._handle) for number in SIGNALS}
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            # After the first signal we are on our way out, with an exit code that another one must not change.
            signal.signal(number, signal.SIG_IGN if self._received else handler)
        self._before.clear()

    @contextlib.contextmanager
    def cleaning(self, message: str, tell: Callable[[str], None] | None = None) -> Iterator[None]:
        """What to say, and how, when a signal comes within the block: there is something to clean up."""
        self._cleaning, self._tell = message, tell or write
        try:
            yield
        finally:
            self._cleaning, self._tell = "", write

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self._received:
            self._tell(PATIENCE)
            return
        self._received = True
        if self._cleaning:
            self._tell(self._cleaning)
        raise Interrupted(number)


def write(line: str) -> None:
    """One line to stderr, from within a signal handler."""
    # Not print(): we may have interrupted one.
    with contextlib.suppress(OSError):
        os.write(2, f"\r{line}\n".encode())
