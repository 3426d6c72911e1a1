"""The pages on own protocols and on labs in pytest: their code is that of examples/own, which the e2e tests run."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from orchestrator.testing import expect, scenario
from tools.docs.excerpts import contains
from tools.docs.pages import Fence, fences

ROOT = Path(__file__).parents[2]
OWN = ROOT / "examples" / "own"
PAGES = [ROOT / "docs" / name for name in ("own-protocol.md", "testing.md")]
LANGUAGES = {"python", "yaml", "sh", "text"}
PYTEST_TIMEOUT_S = 60

page_of = pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)


def steps_of(fence: Fence) -> list[scenario.Step]:
    """The steps of a scenario, without comments; each is one that there is."""
    lines = [line.partition("#")[0].strip() for line in fence.content.splitlines()[1:]]
    return [scenario.Step.parse(line.removeprefix("- ")) for line in lines]


@page_of
def test_code_and_lab_files_are_those_of_the_example(path: Path) -> None:
    sources = {
        "python": [file.read_text() for file in OWN.glob("*.py")],
        "yaml": [file.read_text() for file in OWN.glob("*.yml")],
    }
    found = fences(path)
    assert {fence.language for fence in found} <= LANGUAGES
    checked = 0
    for fence in found:
        if fence.content.startswith(scenario.STEPS_KEY):
            assert steps_of(fence)
        elif fence.language in sources:
            assert any(contains(source, fence.content) for source in sources[fence.language]), fence.place
            checked += 1
    assert checked


@page_of
def test_names_are_those_that_there_are(path: Path) -> None:
    text = path.read_text()
    for name in re.findall(r"\bexpect\.(\w+)", text):
        assert hasattr(expect, name), name
    for name in re.findall(r"(?:examples|tests)/[\w/.]+\w", text):
        assert (ROOT / name).exists(), name


def test_the_two_lines_of_pytest_ini_keep_the_warning_away(tmp_path: Path) -> None:
    [(section, setting)] = re.findall(r"`(\[pytest\])` and\s`([^`]+)`, keeps it away", PAGES[0].read_text())
    (tmp_path / "pytest.ini").write_text(f"{section}\n{setting}\n")
    (tmp_path / "test_nothing.py").write_text("def test_nothing(): pass\n")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider"],
        cwd=tmp_path,
        env={name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")},
        capture_output=True,
        text=True,
        timeout=PYTEST_TIMEOUT_S,
        check=False,
    )
    assert "1 passed" in done.stdout
    assert "Warning" not in done.stdout + done.stderr
