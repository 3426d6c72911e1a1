"""What the nodes of a running lab say, put together: the journey of a message, who is connected with whom."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Collection, Mapping
from typing import TYPE_CHECKING, TypeVar

from node.control.client import ControlError
from node.control.gen import control_pb2 as pb
from node.events import EventFilter
from orchestrator.ideal import Network, compare
from orchestrator.trace import MS_PER_S, Journey, join_events

if TYPE_CHECKING:
    from orchestrator.lab import Lab
    from orchestrator.node_handle import NodeHandle
    from orchestrator.spec import LabSpec

ANSWER_TIMEOUT_S = 5.0
"""For a node that runs; connecting to it is given up after 0.1 s and tried anew (node.control.client)."""
RETRY_S = 0.1
SEEN_S = 30.0
"""How long nodes take a message for a duplicate after it went through them (spec 06 section 1: CacheTTL)."""

T = TypeVar("T")


def trace(lab: Lab, digest: bytes, *, sender: str = "", arrived: Collection[str] = ()) -> Journey:
    """The journey of a message, with the way it should have taken over the connections there are now.

    Args:
        sender: who sent it, if that is known; nodes of kind reference do not report it themselves.
        arrived: nodes of kind reference that are known to have had it; they report nothing themselves.
    """
    text, silent = digest.hex(), {node.name for node in lab.spec.nodes if node.reference is not None}
    # Without a digest, as of what a reference node encrypted, there is nothing to ask for.
    asked = lab.running - silent if digest else set()
    memories = lab.ask(lambda node: node.control.recall(EventFilter(digest=text)), asked)
    events = [(name, event) for name, memory in memories.items() for event in memory.events]
    since = {name: memory.oldest_wall_s or memory.position.started_wall_s for name, memory in memories.items()}
    names = {node.id.hex(): node.name for node in lab.spec.nodes}
    journey = join_events(text, events, names, silent=silent, arrived=arrived, sender=sender, since=since)
    ideals = compare(journey, network(lab), arrived=arrived) if journey.hops else ()
    # A node that does not run cannot be asked, and what it did is missing all the same.
    unanswered = set(lab.spec.node_names) - silent - set(memories) if digest else set()
    return dataclasses.replace(journey, ideals=ideals, unanswered=tuple(sorted(unanswered)))


def why_not(journey: Journey) -> tuple[str, str]:
    """Why the message that was just sent did not arrive, as far as it is known; and what to do about it."""
    digest = journey.digest
    look = f"lab trace {digest}" if digest else "lab status; lab logs"
    times = [sending.at_ms for sending in journey.sendings if sending.at_ms is not None]
    if times and not journey.origin:
        times.append(0.0)  # somebody sent it before, and has forgotten that
    if len(times) < 2:
        return journey.summary, look
    # The summary would tell of those before, too.
    *before, last = sorted(times)
    ago_s = (last - before[-1]) / MS_PER_S
    text = f"the same raw message was sent {ago_s:.0f} s ago"
    if ago_s < SEEN_S:
        return f"{text}, and nodes that saw it take it for a duplicate for half a minute", "change the text, or wait"
    return text, f"{look} shows both ways"


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
