"""Since when events count: a node of a lab that tests share remembers what happened in the tests before.

What a test looks for in the past (:func:`orchestrator.testing.expect.event`) and what is shown when it fails are of
this test alone. A mark is the monotonic time of the node's last event, on the node's own clock; who has no mark
counts from the beginning.
"""

from __future__ import annotations

import math
from weakref import WeakKeyDictionary

from node.events import NodeEvent
from orchestrator.lab import Lab
from orchestrator.node_handle import NodeHandle

_MARKS: WeakKeyDictionary[NodeHandle, float] = WeakKeyDictionary()


def mark(lab: Lab) -> None:
    """From now on nothing counts that happened until now. Nodes that keep no events are left out."""
    for name, last_s in lab.ask(_last_s).items():
        _MARKS[lab[name]] = last_s


def counts(node: NodeHandle, event: NodeEvent) -> bool:
    """Whether an event of a node happened after its mark."""
    return event.mono_s > _MARKS.get(node, -math.inf)


def _last_s(node: NodeHandle) -> float:
    return max((event.mono_s for event in node.control.history()), default=-math.inf)
