"""Whether a block of code on a page is what a program of the tutorial has, and what the bytes of a figure should be."""

from __future__ import annotations

import ast
import difflib
import doctest
import textwrap
from pathlib import Path
from typing import Any

from tools.docs import samples
from tools.docs.pages import fences
from tools.docs.tutorial import EXAMPLES


def contains(source: str, excerpt: str) -> bool:
    """Whether the lines of `excerpt` follow one another in `source`, all of them indented by the same amount."""
    wanted = excerpt.rstrip("\n").splitlines()
    lines = source.splitlines()
    return any(
        _dedented(lines[start : start + len(wanted)]) == _dedented(wanted)
        for start in range(len(lines) - len(wanted) + 1)
    )


def _dedented(lines: list[str]) -> list[str]:
    return [line.rstrip() for line in textwrap.dedent("\n".join(lines)).splitlines()]


def programs() -> dict[str, str]:
    """Everything in examples/, by path within it."""
    return {path.relative_to(EXAMPLES).as_posix(): path.read_text() for path in sorted(EXAMPLES.rglob("*.py"))}


def nearest(excerpt: str) -> str:
    """For whoever has to correct an excerpt: the difference to the most similar part of a program."""
    wanted = excerpt.rstrip("\n").splitlines()
    best: tuple[float, str, list[str]] = (-1.0, "", [])
    for name, source in programs().items():
        lines = textwrap.dedent(source).splitlines()
        for start in range(max(1, len(lines) - len(wanted) + 1)):
            part = _dedented(lines[start : start + len(wanted)])
            same = len(set(part) & set(wanted)) / len(wanted)
            if same > best[0]:
                best = (same, f"{name}:{start + 1}", part)
    return "\n".join(difflib.unified_diff(best[2], wanted, best[1], "the page", lineterm=""))


def run_snippets(path: Path) -> tuple[dict[str, Any], str]:
    """Run the ```pycon blocks of a page, top to bottom in one namespace that begins with :mod:`tools.docs.samples`.

    Returns:
        The namespace they leave, and what went otherwise than the page says (empty if nothing did).
    """
    names: dict[str, Any] = {name: value for name, value in vars(samples).items() if not name.startswith("_")}
    report: list[str] = []
    runner = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS)
    for fence in fences(path):
        if fence.language != "pycon":
            continue
        test = doctest.DocTestParser().get_doctest(fence.content, names, fence.place, str(path), fence.line)
        runner.run(test, out=report.append, clear_globs=False)
        names.update(test.globs)
    return names, "".join(report)


def evaluate(expression: str, names: dict[str, Any]) -> bytes:
    """The value of a `check`: statements may come before it, parted by semicolons. Bytes, or hex as text."""
    body = ast.parse(expression.strip()).body
    if not body or not isinstance(body[-1], ast.Expr):
        raise ValueError(f"no expression at the end: {expression!r}")
    names = dict(names)
    exec(compile(ast.Module(body[:-1], []), "<check>", "exec"), names)  # noqa: S102 - our own pages
    value = eval(compile(ast.Expression(body[-1].value), "<check>", "eval"), names)  # noqa: S307
    return bytes.fromhex(value) if isinstance(value, str) else bytes(value)
