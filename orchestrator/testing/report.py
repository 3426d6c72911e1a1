"""What is shown with a test that failed: what each node last said and did."""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from node.errors import LabError
from node.events import NodeEvent
from orchestrator.lab import Lab
from orchestrator.node_handle import NodeHandle
from orchestrator.testing.since import counts

LOG_LINES = 25
"""Of each node."""
EVENTS = 15
MAX_NODES = 16
"""More than these fill the screen rather than help; a dump has all of them."""
MAX_TEST_CHARS = 80
WORKERS = 8
SHORT_DIGITS = 8
"""Of ids and addresses."""

_ID = re.compile(r"[0-9a-f]{64}")

Section = tuple[str, str]
"""Title and text, as pytest has them in its reports."""


def report_on(labs: Sequence[Lab], dumps: Path | None, test: str) -> list[Section]:
    """Sections about labs. Nothing in here raises: the failure of the test is what matters.

    Args:
        dumps: directory for dumps; each test and lab gets one of its own in it.
        test: node id of the test.
    """
    found: list[Section] = []
    for lab in labs:
        try:
            nodes = lab.nodes[:MAX_NODES]
        except LabError as error:  # the way to all of them is gone
            nodes = []
            found.append((f"lab {lab.spec.name}", f"its nodes cannot be asked: {error}"))
        with ThreadPoolExecutor(WORKERS) as pool:
            for sections in pool.map(lambda node, lab=lab: _of_node(lab, node), nodes):
                found += sections
        if nodes and len(lab.spec.nodes) > MAX_NODES:
            found.append((f"lab {lab.spec.name}", f"... and {len(lab.spec.nodes) - MAX_NODES} nodes more"))
        if dumps is not None:
            found += _dump(lab, dumps / re.sub(r"[^\w.-]+", "_", test)[-MAX_TEST_CHARS:] / lab.spec.name)
    return found


def last_events(node: NodeHandle, names: Mapping[str, str] | None = None, *, limit: int = EVENTS) -> str:
    """The last events of a node in this test, one a line; if it does not answer, that.

    Args:
        names: of nodes by their ids in hex.
    """
    try:
        events = [event for event in node.control.history() if counts(node, event)]
    except LabError as error:
        return f"(it does not tell: {error})"
    begun = events[0].mono_s if events else 0.0
    return "\n".join(describe(event, names or {}, begun=begun) for event in events[-limit:]) or "(nothing happened)"


def describe(event: NodeEvent, names: Mapping[str, str], *, begun: float = 0.0) -> str:
    """One event in one line; times count from `begun` of the node's clock."""
    parts = [f"{event.mono_s - begun:9.3f} s", f"{event.kind.value:<14}"]
    if event.peer:
        parts.append(names.get(event.peer, event.peer[:SHORT_DIGITS]))
    if event.protocol:
        parts.append(event.protocol + (f":{event.code}" if event.code is not None else ""))
    if event.digest:
        parts.append(f"message {event.digest[:SHORT_DIGITS]}")
    if event.reason:
        parts.append(event.reason)
    return " ".join([*parts, *(f"{key}={_short(value)}" for key, value in event.data.items())])


def _short(value: object) -> str:
    text = str(value)
    return text[:SHORT_DIGITS] if _ID.fullmatch(text) else text


def _of_node(lab: Lab, node: NodeHandle) -> list[Section]:
    title = f"{lab.spec.name}/{node.name}"
    names = {other.id.hex(): other.name for other in lab.spec.nodes}
    try:
        said = "\n".join(lab.runtime.logs(node.spec, tail=LOG_LINES)) or "(nothing)"
    except Exception as error:  # of whatever library the runtime uses
        said = f"(its log cannot be read: {error})"
    return [(f"{title} last said", said), (f"{title}: last events", last_events(node, names))]


def _dump(lab: Lab, directory: Path) -> list[Section]:
    """Everything about a lab, into a directory of its own; an earlier one stays as it is."""
    numbers = itertools.count(2)
    free = directory
    while free.exists():
        free = directory.with_name(f"{directory.name}.{next(numbers)}")
    try:
        lab.dump(free)
    except Exception as error:  # as above
        return [(f"lab {lab.spec.name}", f"it could not be dumped: {error}")]
    return [(f"lab {lab.spec.name}", f"dumped to {free}")]
