"""Names of labs and nodes: which are allowed, ranges of them, and how a user picks some.

Names become host names, container names and labels, so both kinds are DNS labels. Knows nothing of lab files; errors
carry no position, the caller who knows the line adds it.
"""

from __future__ import annotations

import difflib
import hashlib
import re
from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase

from orchestrator.errors import LabFileError, UnknownNode
from orchestrator.spec import NodeSpec

MAX_NAME_CHARS = 30
"""Of a lab or a node (lab-anchors.md 5.4); a DNS label may have 63 (RFC 1123)."""
MAX_RANGE_NAMES = 1000
"""Names that one range may stand for; a bridge carries 1023 ports at most."""
LAB_ID_DIGITS = 6
"""Hex digits after the name in a lab id."""
RESERVED_NODE_NAMES = {
    "localhost": "the name by which every host means itself",
    "gateway": "the name of the lab's gateway",
}
"""What no node can be called, and why."""

_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?")
_RANGE_END = re.compile(r"(?P<prefix>(?:.*[^0-9])?)(?P<digits>[0-9]{1,9})", re.DOTALL)
_GLOB_CHARS = frozenset("*?[")


def check_lab_name(name: str) -> str:
    """Return `name` if a lab can be called that.

    Raises:
        LabFileError: says what is wrong, with a name that would do as hint.
    """
    return _check(name, "lab name")


def check_node_name(name: str) -> str:
    """Return `name` if a node can be called that.

    Raises:
        LabFileError: says what is wrong, with a name that would do as hint.
    """
    if name in RESERVED_NODE_NAMES:
        raise LabFileError(f"node name {name!r} is reserved: {RESERVED_NODE_NAMES[name]}", hint="choose another name")
    return _check(name, "node name")


def lab_id(name: str, where: str) -> str:
    """What the objects of one lab carry: the name and six hex digits.

    Args:
        name: the lab's.
        where: what makes this lab another one than its namesake: state directory and user. Two checkouts coexist.
    """
    digest = hashlib.sha256(f"{name}\0{where}".encode(errors="surrogateescape")).hexdigest()
    return f"{name}-{digest[:LAB_ID_DIGITS]}"


def expand_range(text: str) -> list[str]:
    """``n00..n03`` -> n00, n01, n02, n03; a text without ``..`` stands for itself.

    The digits of the first name say how wide the others are, as in a shell.

    Raises:
        LabFileError: the ends do not belong together, or there are too many between them.
    """
    first, dots, last = text.partition("..")
    if not dots:
        return [text]
    start, end = _RANGE_END.fullmatch(first), _RANGE_END.fullmatch(last)
    if start is None or end is None or start["prefix"] != end["prefix"]:
        raise LabFileError(f"range {text!r}: expected two names that differ in their last number, such as n00..n13")
    low, high, width = int(start["digits"]), int(end["digits"]), len(start["digits"])
    if high < low:
        raise LabFileError(f"range {text!r} runs backwards", hint=f"write {last}..{first}")
    if high - low >= MAX_RANGE_NAMES:
        raise LabFileError(f"range {text!r} is {high - low + 1} names, more than {MAX_RANGE_NAMES}")
    names = [f"{start['prefix']}{number:0{width}d}" for number in range(low, high + 1)]
    if names[-1] != last:
        padded = f"{start['prefix']}{low:0{len(end['digits'])}d}"
        raise LabFileError(f"range {text!r}: the ends are padded differently", hint=f"write {padded}..{last}")
    return names


def select_nodes(nodes: Sequence[NodeSpec], selectors: Iterable[str]) -> list[NodeSpec]:
    """The nodes that a user picked, in the lab's order, each once.

    Args:
        nodes: of the lab.
        selectors: names (``alice``), globs (``n0*``) or roles (``role=relay``, globs too), one each or several
            separated by commas. None at all picks everybody.

    Raises:
        UnknownNode: one of them picks nobody; hints at a similar name.
    """
    parts = [part.strip() for selector in selectors for part in selector.split(",") if part.strip()]
    if not parts:
        return list(nodes)
    picked: set[str] = set()
    for part in parts:
        picked |= _matching(nodes, part)
    return [node for node in nodes if node.name in picked]


def did_you_mean(word: str, candidates: Iterable[str], *, before: str = "") -> str:
    """A question that names the candidate most like `word`; empty if none is.

    Args:
        before: what has to be typed before the candidate.
    """
    similar = difflib.get_close_matches(word.lower()[:MAX_NAME_CHARS], list(map(str, candidates)), n=1)
    return f"did you mean {before + similar[0]!r}?" if similar else ""


def _check(name: str, what: str) -> str:
    rule = "lower-case letters, digits and dashes, none of them at an end"
    if not name:
        raise LabFileError(f"{what} is empty; expected {rule}")
    if len(name) > MAX_NAME_CHARS:
        raise LabFileError(f"{what} {_shorten(name)!r} has {len(name)} characters, more than {MAX_NAME_CHARS}")
    if not _LABEL.fullmatch(name):
        usable = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
        hint = f"{usable!r} would do" if usable else ""
        raise LabFileError(f"{what} {name!r} is not DNS-like: expected {rule}", hint=hint)
    return name


def _shorten(name: str) -> str:
    return f"{name[:MAX_NAME_CHARS]}…"


def _matching(nodes: Sequence[NodeSpec], selector: str) -> set[str]:
    key, equals, pattern = selector.partition("=")
    if equals and key == "role":
        found = {node.name for node in nodes if node.role and fnmatchcase(node.role, pattern)}
        hint = did_you_mean(pattern, {node.role for node in nodes if node.role}, before="role=")
    elif equals:
        raise UnknownNode(f"selector {selector!r}: expected a name, a glob or role=ROLE")
    elif _GLOB_CHARS & set(selector):
        found, hint = {node.name for node in nodes if fnmatchcase(node.name, selector)}, ""
    else:
        found = {node.name for node in nodes if node.name == selector}
        hint = did_you_mean(selector, [node.name for node in nodes])
    if not found:
        everybody = "nodes: " + ", ".join(node.name for node in nodes)
        raise UnknownNode(f"no node matches {selector!r}", hint=hint or everybody)
    return found
