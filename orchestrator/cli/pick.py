"""Nodes of a lab by the names that users type."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestrator.errors import LabNotReady, UnknownNode

if TYPE_CHECKING:
    from orchestrator.lab import Lab
    from orchestrator.spec import NodeSpec


def known_node(lab: Lab, name: str) -> NodeSpec:
    """The node of that name.

    Raises:
        UnknownNode: with the name that was probably meant.
    """
    from orchestrator.names import did_you_mean

    known = lab.spec.node_names
    if name not in known:
        hint = did_you_mean(name, known) or "nodes: " + ", ".join(known)
        raise UnknownNode(f"lab {lab.spec.name} has no node {name!r}", hint=hint)
    return lab.spec.node(name)


def running_node(lab: Lab, name: str) -> NodeSpec:
    """The node of that name, which runs.

    Raises:
        UnknownNode: there is none.
        LabNotReady: it does not run.
    """
    node = known_node(lab, name)
    state = lab.runtime.node_states().get(name, "missing")
    if state != "running":
        verb = "unpause" if state == "paused" else "start"
        raise LabNotReady(f"node {name} is {state}", hint=f"lab node {verb} {name}")
    return node
