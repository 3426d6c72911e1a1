"""orchestrator.uninterrupted: what must not be left half done."""

from __future__ import annotations

import signal
import threading

import pytest

from orchestrator.uninterrupted import uninterrupted


def test_an_interruption_waits_for_the_end_of_the_block() -> None:
    done: list[str] = []
    with pytest.raises(KeyboardInterrupt), uninterrupted():
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)
        done.append("to the end")
    assert done == ["to the end"]
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)  # as before


def test_a_failure_comes_through() -> None:
    with pytest.raises(ZeroDivisionError), uninterrupted():
        raise ZeroDivisionError


def test_other_threads_are_never_interrupted() -> None:
    done: list[int] = []

    def act() -> None:
        with uninterrupted():
            done.append(1)

    thread = threading.Thread(target=act)
    thread.start()
    thread.join()
    assert done == [1]
