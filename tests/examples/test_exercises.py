"""Every solution of an exercise runs, ends well, and prints what its docstring says."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from tests.examples.test_examples import run

EXERCISES = Path(__file__).parents[2] / "examples" / "exercises"
SOLUTIONS = sorted(path for path in EXERCISES.glob("*.py") if path.name != "beside.py")


@pytest.mark.parametrize("path", SOLUTIONS, ids=lambda path: path.stem)
def test_solution(path: Path, tmp_path: Path) -> None:
    text = ast.get_docstring(ast.parse(path.read_text())) or ""
    promised = re.findall(r"^Prints: (.+)$", text, re.MULTILINE)
    assert promised, "its docstring has no line `Prints: REGULAR EXPRESSION`"
    done = run(path, home=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    for pattern in promised:
        assert re.search(pattern, done.stdout, re.MULTILINE), f"{pattern!r} is not in:\n{done.stdout}"
