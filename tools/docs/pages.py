"""Pages as Markdown tokens, and the fences in them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from markdown_it import MarkdownIt
from markdown_it.token import Token

_INFO = re.compile(r"(?P<language>[\w-]*)(?P<rest>.*)")
_ATTRIBUTE = re.compile(r"""(?P<key>\w+)=(?P<quote>["'])(?P<value>.*?)(?P=quote)""")


@dataclass(frozen=True, slots=True)
class Fence:
    """A fenced block."""

    path: Path
    line: int
    """Of the opening fence, from 1."""
    language: str
    attributes: dict[str, str]
    content: str

    @property
    def place(self) -> str:
        return f"{self.path.name}:{self.line}"


def parser() -> MarkdownIt:
    """CommonMark with tables, which is what our pages are written in."""
    return MarkdownIt("commonmark").enable("table")


def info_of(token: Token) -> tuple[str, dict[str, str]]:
    """Language and attributes in the opening line of a fence."""
    match = _INFO.fullmatch(token.info.strip())
    assert match is not None
    return match["language"], {found["key"]: found["value"] for found in _ATTRIBUTE.finditer(match["rest"])}


def fences(path: Path) -> list[Fence]:
    """All fenced blocks of a page."""
    found: list[Fence] = []
    for token in parser().parse(path.read_text()):
        if token.type == "fence":
            language, attributes = info_of(token)
            assert token.map is not None
            found.append(Fence(path, token.map[0] + 1, language, attributes, token.content))
    return found


def headings(tokens: Sequence[Token]) -> list[tuple[int, str]]:
    """Level and text of the headings."""
    return [
        (int(token.tag[1]), tokens[index + 1].content)
        for index, token in enumerate(tokens)
        if token.type == "heading_open"
    ]
