"""The traces on the pages of chapter E are those that `lab chapter` shows."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

PAGES = Path(__file__).parents[2] / "docs" / "tutorial"
TIMEOUT_S = 60.0
VARIES = (
    (r"[0-9a-f]{8}…", "DIGEST"),
    (r"\d+\.\d+ ms", "TIME"),
    (r"has \d+ ", "has N "),  # bits that happen to be in common
    (r"tried \d+ keys?", "tried N keys"),
    (r"\s+", " "),
)


def journeys(text: str) -> list[Counter[str]]:
    """The lines of each message's way, without what differs from run to run; echoes may come when nobody listens."""
    for pattern, name in VARIES[:-1]:
        text = re.sub(pattern, name, text)
    return [
        Counter(re.sub(*VARIES[-1], line).strip() for line in part.splitlines() if line and "duplicate" not in line)
        for part in re.split(r"\n(?=message )", text)
        if part.startswith("message ")
    ]


@pytest.mark.parametrize("chapter", [f"e{number}" for number in range(1, 8)])
def test_the_trace_is_one_that_the_example_gives(chapter: str, tmp_path: Path) -> None:
    shown = re.findall(r"```text\n(message .*?)```", (PAGES / f"{chapter}.md").read_text(), re.DOTALL)
    assert shown, "the page shows no trace"
    done = subprocess.run(
        [sys.executable, "-m", "orchestrator", "chapter", chapter, "--runtime", "process"],
        cwd=tmp_path,
        env={name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"},
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=True,
    )
    real = journeys(done.stdout)
    for block in shown:
        (wanted,) = journeys(block)
        assert wanted in real, done.stdout
