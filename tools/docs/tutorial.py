"""What the tutorial consists of: chapters, examples, their pages, the solutions of their exercises."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
TUTORIAL = DOCS / "tutorial"
EXAMPLES = ROOT / "examples"
EXERCISES = EXAMPLES / "exercises"

CHAPTERS = {
    "a": "Servers and messages",
    "b": "RPC",
    "c": "Service nodes",
    "d": "Protocols with types",
    "e": "Messages over pss",
    "f": "Assembled by hand",
}
"""By the letter that the ids of their examples begin with."""
SECTIONS = (
    "What you will learn",
    "The code",
    "What you should see",
    "On the wire",
    "Exercises",
    "In the real world",
)
"""Every page of an example has these, in this order. Between "What you will learn" and "What you should see" a page may
have more of its own."""


@dataclass(frozen=True, slots=True)
class Example:
    """A program of the tutorial, such as a1_server.py, whose page is a1.md."""

    path: Path

    @property
    def id(self) -> str:
        return self.path.stem.partition("_")[0]

    @property
    def summary(self) -> str:
        """The first line of its docstring without the id."""
        text = (ast.get_docstring(ast.parse(self.path.read_text())) or "").partition("\n")[0]
        return text.partition(": ")[2]

    @property
    def page(self) -> Path:
        return TUTORIAL / f"{self.id}.md"

    @property
    def solutions(self) -> list[Path]:
        return sorted(EXERCISES.glob(f"{self.id}_*.py"))


def examples() -> list[Example]:
    """In the order of the tutorial."""
    return [Example(path) for path in sorted(EXAMPLES.glob("[a-f][0-9]_*.py"))]


def written_pages(chapter: str) -> list[Path]:
    """The pages of a chapter that are there."""
    return sorted(path for path in TUTORIAL.glob(f"{chapter}[0-9].md") if re.fullmatch(r"[a-f]\d", path.stem))
