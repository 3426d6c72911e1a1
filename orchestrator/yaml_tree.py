"""YAML to plain data, with the place of everything in it and without its traps.

A small part of YAML 1.2: mappings, lists and scalars. Scalars stay text, so that a node may be called `no` or `on`;
what reads them knows whether it wants a number. Anchors, aliases and tags are refused: they can make a kilobyte stand
for gigabytes, or for code. Knows nothing of labs; everything wrong becomes a LabFileError with line and column.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NoReturn, TypeAlias

import yaml

from orchestrator.errors import LabFileError

MAX_TEXT_CHARS = 256 * 1024
"""500 nodes and 10,000 links take 200 KiB; a megabyte would keep the parser busy for ten seconds."""
MAX_NODES = 50_000
"""Mappings, lists and scalars of one file."""
MAX_DEPTH = 16
MAX_SHOWN_CHARS = 60
"""Of something wrong, in the error's text."""
NULLS = frozenset({"", "~", "null", "Null", "NULL"})
"""Plain scalars that stand for nothing (YAML 1.2 core schema)."""

Path: TypeAlias = tuple[str | int, ...]


@dataclass(frozen=True)
class Position:
    """Counts from 1."""

    line: int
    column: int


@dataclass(frozen=True)
class YamlTree:
    """A file's content and where each part of it is."""

    data: dict[str, Any]
    """Scalars are str or None, keys str."""
    source: str
    keys: Mapping[Path, Position]
    """Where the key of an entry is."""
    values: Mapping[Path, Position]
    """Where a value or a list's item begins."""

    def position(self, path: Path, *, of_key: bool = False) -> Position:
        """Where something is; of what is not in the file, where it would have to be."""
        marks = self.keys if of_key and path in self.keys else self.values
        while path and path not in marks:
            path = path[:-1]
        return marks.get(path, Position(1, 1))

    def error(self, message: str, path: Path = (), *, of_key: bool = False, hint: str = "") -> LabFileError:
        """An error about something in the file."""
        at = self.position(path, of_key=of_key)
        return LabFileError(message, source=self.source, line=at.line, column=at.column, hint=hint)


def parse_yaml(text: str, *, source: str) -> YamlTree:
    """Read one YAML document that is a mapping.

    Args:
        source: name of the file, for errors.

    Raises:
        LabFileError: not YAML, or YAML of a kind that is refused.
    """
    if len(text) > MAX_TEXT_CHARS:
        raise LabFileError(f"the file has {len(text)} characters, more than {MAX_TEXT_CHARS}", source=source)
    root = _compose(text, source)
    if root is None:
        raise LabFileError("the file is empty", source=source, line=1, column=1)
    builder = _Builder(source)
    if not isinstance(root, yaml.MappingNode):
        raise builder.error(f"expected keys such as 'name:', got {_describe(root)}", root)
    return YamlTree(builder.build(root, ()), source, builder.keys, builder.values)


class _Loader(yaml.SafeLoader):
    """PyYAML's composer with limits, applied while it reads, before anything is built."""

    count = depth = 0

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        event = self.peek_event()  # type: ignore[no-untyped-call]
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            self._refuse("anchors and aliases (& and *) are not supported here; quote a text that begins so", event)
        if getattr(event, "tag", None):
            self._refuse(f"tags such as {event.tag[:MAX_SHOWN_CHARS]!r} are not supported here", event)
        self.count += 1
        if self.count > MAX_NODES:
            self._refuse(f"the file has more than {MAX_NODES} entries", event)
        if self.depth >= MAX_DEPTH:
            self._refuse(f"nested more than {MAX_DEPTH} levels deep", event)
        self.depth += 1
        try:
            return super().compose_node(parent, index)
        finally:
            self.depth -= 1

    def _refuse(self, problem: str, event: Any) -> NoReturn:
        raise yaml.composer.ComposerError(None, None, problem, event.start_mark)


def _compose(text: str, source: str) -> yaml.Node | None:
    try:
        loader = _Loader(text)
        try:
            node: yaml.Node | None = loader.get_single_node()
            return node
        finally:
            loader.dispose()
    except yaml.MarkedYAMLError as error:
        problem = ", ".join(filter(None, (error.context, error.problem))) or "not YAML"
        mark = error.problem_mark or error.context_mark
        line, column = (mark.line + 1, mark.column + 1) if mark else (0, 0)
        raise LabFileError(problem, source=source, line=line, column=column, hint=_syntax_hint(text, line)) from None
    except yaml.reader.ReaderError as error:
        before = text[: error.position]
        line, column = before.count("\n") + 1, len(before) - before.rfind("\n")
        what = f"character {error.character!r} is not allowed in YAML"
        raise LabFileError(what, source=source, line=line, column=column) from None
    except (ValueError, OverflowError) as error:
        # PyYAML lets these through for numbers beyond belief: "\UFFFFFFFF", %YAML 1.99999999...
        raise LabFileError(f"not YAML: {str(error)[:MAX_SHOWN_CHARS]}", source=source) from None


def _syntax_hint(text: str, line: int) -> str:
    lines = text.splitlines()
    if 0 < line <= len(lines) and "\t" in lines[line - 1]:
        return "YAML is indented with spaces, not with tabs"
    return ""


class _Builder:
    """Turns composed nodes into data and notes where they were."""

    def __init__(self, source: str) -> None:
        self._source = source
        self.keys: dict[Path, Position] = {}
        self.values: dict[Path, Position] = {}

    def build(self, node: yaml.Node, path: Path) -> Any:
        self.values[path] = _at(node)
        if isinstance(node, yaml.MappingNode):
            return {key: self.build(value, (*path, key)) for key, value in self._entries(node, path)}
        if isinstance(node, yaml.SequenceNode):
            return [self.build(item, (*path, index)) for index, item in enumerate(node.value)]
        plain = isinstance(node, yaml.ScalarNode) and node.style is None
        return None if plain and node.value in NULLS else node.value

    def _entries(self, node: yaml.MappingNode, path: Path) -> Iterator[tuple[str, yaml.Node]]:
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise self.error(f"expected a name as key, got {_describe(key)}", key)
            place = (*path, key.value)
            if place in self.keys:
                first = self.keys[place].line
                raise self.error(f"key {key.value[:MAX_SHOWN_CHARS]!r} is there twice, first in line {first}", key)
            self.keys[place] = _at(key)
            yield key.value, value

    def error(self, message: str, node: yaml.Node) -> LabFileError:
        at = _at(node)
        return LabFileError(message, source=self._source, line=at.line, column=at.column)


def _at(node: yaml.Node) -> Position:
    return Position(node.start_mark.line + 1, node.start_mark.column + 1)


def _describe(node: yaml.Node) -> str:
    if isinstance(node, yaml.ScalarNode):
        return f"the text {node.value[:MAX_SHOWN_CHARS]!r}"
    return "a list" if isinstance(node, yaml.SequenceNode) else "a mapping"
