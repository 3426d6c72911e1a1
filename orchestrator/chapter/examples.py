"""Which examples there are, and who plays in them; read from their source, without running it."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from pathlib import Path

from orchestrator.errors import LabFileError

EXAMPLES_DIR = Path(__file__).resolve().parents[2] / "examples"
PLAY = "play"
"""The function that an example calls with its actors (examples/stage.py)."""


@dataclass(frozen=True, slots=True)
class Example:
    """One example."""

    name: str
    """Of its file, without the ending: ``e2_dark``."""
    title: str
    """First line of its docstring."""
    cast: tuple[str, ...]
    """Names of its actors; the first one opens the board."""

    @property
    def chapter(self) -> str:
        """``e2``."""
        return self.name.partition("_")[0]


def all_examples(directory: Path = EXAMPLES_DIR) -> list[Example]:
    """Every example, in the order of the tutorial.

    Raises:
        LabFileError: there is no folder of examples here.
    """
    if not directory.is_dir():
        raise LabFileError("the examples are not installed here", hint="lab chapter needs a checkout of the project")
    examples = (_read(path) for path in sorted(directory.glob("*.py")))
    return [example for example in examples if example is not None]


def find_example(name: str, directory: Path = EXAMPLES_DIR) -> Example:
    """The example of a chapter (``e2``) or file name (``e2_dark``, with or without ``.py``).

    Raises:
        LabFileError: no such example.
    """
    wanted = name.lower().removesuffix(".py")
    examples = all_examples(directory)
    for example in examples:
        if wanted in (example.chapter, example.name):
            return example
    chapters = ", ".join(example.chapter for example in examples)
    raise LabFileError(f"no example {name!r}", hint=f"there are: {chapters}")


def _read(path: Path) -> Example | None:
    """The example in a file; None if it is one of the modules that they share."""
    module = ast.parse(path.read_text(), filename=str(path))
    cast = tuple(
        argument.id
        for node in ast.walk(module)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == PLAY
        for argument in node.args
        if isinstance(argument, ast.Name)
    )
    if not cast:
        return None
    return Example(path.stem, (ast.get_docstring(module) or "").partition("\n")[0], cast)
