"""Log levels and the name in front of each line."""

from __future__ import annotations

import io
import logging
import sys
from collections.abc import Iterator

import pytest

from node.log import set_up_logging


@pytest.fixture(autouse=True)
def root_as_it_was() -> Iterator[None]:
    root, aio = logging.getLogger(), logging.getLogger("asyncio")
    handlers, level, aio_level = root.handlers[:], root.level, aio.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    aio.setLevel(aio_level)


@pytest.mark.parametrize(
    ("verbosity", "shown"),
    [(0, "C"), (1, "CE"), (2, "CEW"), (3, "CEWI"), (4, "CEWID"), (5, "CEWIDX")],
)
def test_what_each_level_shows(verbosity: int, shown: str, monkeypatch: pytest.MonkeyPatch) -> None:
    stderr = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stderr)
    set_up_logging(verbosity)
    levels = {"C": 50, "E": 40, "W": 30, "I": 20, "D": 10, "X": 1}
    for letter, level in levels.items():
        logging.getLogger("node.test").log(level, "line %s", letter)
    assert [line[-1] for line in stderr.getvalue().splitlines()] == list(shown)


def test_lines_say_which_node_and_module(monkeypatch: pytest.MonkeyPatch) -> None:
    stderr = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stderr)
    set_up_logging(3, name="alice")
    logging.getLogger("node.p2p").info("hello")
    (line,) = stderr.getvalue().splitlines()
    assert line.startswith("alice ")
    assert line.endswith("INFO    node.p2p: hello")


def test_the_event_loop_keeps_its_debug_lines_to_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    stderr = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stderr)
    set_up_logging(5)
    logging.getLogger("asyncio").debug("Using selector")
    assert stderr.getvalue() == ""
