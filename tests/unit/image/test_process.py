"""orchestrator.image.process: the one line a user sees of a program that failed; nothing is left of a stopped one."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from pathlib import Path

import pytest

from orchestrator.errors import ImageError
from orchestrator.image.process import find_reason, run_command


def test_returns_output_and_passes_variables() -> None:
    command = [sys.executable, "-c", "import os; print(os.environ['PSS_PROBE'])"]
    assert run_command(command, what="probe", extra_env={"PSS_PROBE": "7"}) == "7\n"


def test_failure_names_the_reason() -> None:
    with pytest.raises(ImageError, match=r"^probe failed: no such luck$"):
        run_command([sys.executable, "-c", "raise SystemExit('no such luck')"], what="probe failed")


def test_a_missing_program_is_named() -> None:
    with pytest.raises(ImageError, match=r"cannot run /nonexistent/tool \(No such file or directory\)"):
        run_command(["/nonexistent/tool"], what="probe")


@pytest.mark.parametrize(
    ("complaint", "reason"),
    [
        ("", "it gave no reason"),
        ("one\ntwo\n\n", "two"),
        ("ERROR: Could not find a version\nhint: try later\n", "ERROR: Could not find a version"),
        ("E: Unable to locate package x\nE: apt-get install failed\n", "E: Unable to locate package x"),
    ],
)
def test_reason_is_the_line_that_says_why(complaint: str, reason: str) -> None:
    assert find_reason(complaint) == reason


def test_an_interruption_ends_the_program_and_its_children(tmp_path: Path) -> None:
    started = tmp_path / "pid"
    script = (
        "import os, pathlib, subprocess, sys, time\n"
        "subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])\n"
        f"pathlib.Path({str(tmp_path / 'new')!r}).write_text(str(os.getpid()))\n"
        f"os.rename({str(tmp_path / 'new')!r}, {str(started)!r})\n"
        "time.sleep(60)\n"
    )

    def press_ctrl_c() -> None:
        while not started.exists():
            time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGINT)

    presser = threading.Thread(target=press_ctrl_c)
    presser.start()
    with pytest.raises(KeyboardInterrupt):
        run_command([sys.executable, "-c", script], what="probe")
    presser.join()
    deadline = time.monotonic() + 5.0  # init may take a moment to reap the grandchild
    while time.monotonic() < deadline:
        try:
            os.killpg(int(started.read_text()), 0)
        except ProcessLookupError:
            return
        time.sleep(0.01)
    pytest.fail("something of the interrupted program still runs")
