"""What the nodes of a running lab say, put together: the journey of a message, who is connected with whom."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Collection, Mapping
from typing import TYPE_CHECKING, TypeVar

from node.control.client import ControlError
from node.control.gen import control_pb2 as pb
from orchestrator.ideal import Network, compare
from orchestrator.trace import Journey, join_events

if TYPE_CHECKING:
    from orchestrator.lab import Lab
    from orchestrator.node_handle import NodeHandle
    from orchestrator.spec import LabSpec

ANSWER_TIMEOUT_S = 5.0
"""For a node that runs; connecting to it is given up after 0.1 s and tried anew (node.control.client)."""
RETRY_S = 0.1

T = TypeVar("T")


def trace(lab: Lab, digest: bytes, *, arrived: Collection[str] = ()) -> Journey:
    """The journey of a message, with the way it should have taken over the connections there are now.

    Args:
        arrived: nodes of kind reference that are known to have had it; they report nothing themselves.
    """
    text, silent = digest.hex(), {node.name for node in lab.spec.nodes if node.reference is not None}
    # Without a digest, as of what a reference node encrypted, there is nothing to ask for.
    asked = lab.running - silent if digest else set()
    histories = lab.ask(lambda node: node.control.history(digest=text), asked)
    events = [(name, event) for name, history in histories.items() for event in history]
    names = {node.id.hex(): node.name for node in lab.spec.nodes}
    journey = join_events(text, events, names, silent=silent, arrived=arrived)
    ideals = compare(journey, network(lab), arrived=arrived) if journey.hops else ()
    return dataclasses.replace(journey, ideals=ideals, unanswered=tuple(sorted(asked - set(histories))))


def patiently(question: Callable[[NodeHandle], T], node: NodeHandle) -> T:
    """Ask a node that runs; on a busy machine it can take several attempts to reach it.

    Raises:
        ControlError: it does not answer in time.
    """
    deadline = time.monotonic() + ANSWER_TIMEOUT_S
    while True:
        try:
            return question(node)
        except ControlError as error:
            if error.code.name != "UNAVAILABLE" or time.monotonic() > deadline:
                raise
        time.sleep(RETRY_S)


def network(lab: Lab) -> Network:
    """Addresses and live connections of a lab."""
    addresses = {node.name: node.overlay for node in lab.spec.nodes}
    return Network.of(addresses, connections(lab.spec, tables(lab)))


def tables(lab: Lab) -> dict[str, pb.Kademlia]:
    """The kademlia tables of the nodes that run and answer, by name, in the lab's order."""
    told = lab.ask(lambda node: node.control.kademlia())
    return {name: told[name] for name in lab.spec.node_names if name in told}


def connections(spec: LabSpec, told: Mapping[str, pb.Kademlia]) -> set[tuple[str, str]]:
    """Pairs of names, in alphabetical order, of which at least one says that it is connected with the other."""
    names = {bytes(node.overlay): node.name for node in spec.nodes}
    found = set()
    for name, table in told.items():
        for row in table.bins:
            for overlay in row.connected:
                peer = names.get(bytes(overlay))
                if peer is not None and peer != name:
                    found.add((min(name, peer), max(name, peer)))
    return found
