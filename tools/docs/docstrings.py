"""Docstrings as Markdown, for mkdocstrings: roles become code, and what follows `::` becomes a block of code."""

from __future__ import annotations

import re
from typing import Any

import griffe

_ROLE = re.compile(r":(?:mod|class|func|meth|data|attr|exc|obj):`~?([^`]+)`")


def to_markdown(text: str) -> str:
    """The text of a docstring with what is reStructuredText in it written as Markdown.

    A block of code ends where the indentation does. If it has none (the whole docstring has the same), at a blank line.
    """
    lines = _ROLE.sub(r"`\1`", text).splitlines()
    written: list[str] = []
    while lines:
        line = lines.pop(0)
        if not line.endswith("::") or line.lstrip().startswith(">>>"):
            written.append(line)
            continue
        if introduction := line.removesuffix("::").rstrip():
            written += [introduction + ":", ""]
        while lines and not lines[0]:
            lines.pop(0)
        block: list[str] = []
        indented = bool(lines) and lines[0].startswith(" ")
        while lines and (lines[0].startswith(" ") or (not lines[0] if indented else bool(lines[0]))):
            block.append(lines.pop(0))
        while block and not block[-1]:
            block.pop()
        depth = min((len(code) - len(code.lstrip()) for code in block if code), default=0)
        written += ["```python", *(code[depth:] for code in block), "```", ""]
    return "\n".join(written)


class Markdown(griffe.Extension):
    """Found by mkdocstrings through mkdocs.yml."""

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        if obj.docstring is not None:
            obj.docstring.value = to_markdown(obj.docstring.value)
