"""Whom to dial and when (spec 02 section 9.5): static nodes, kept connected, and found ones. No sockets, no clock."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from node.enode import Node
from node.ids import NodeId
from node.p2p.finder import Finder

MAX_ACTIVE_DIALS = 16
REDIAL_S = 35.0
"""From the end of one attempt to the next for the same node; longer than the inbound throttle of its target."""
FIRST_RETRY_S = 1.0
"""After an attempt without a TCP connection; doubles up to REDIAL_S. Ours: nobody was there to count the attempt
against us, and nodes that start together should find each other at once."""
CROSSED_REDIAL_S = 1.0
"""After a dial that was refused as a duplicate although no other connection came of it; ours."""
DIAL_TIMEOUT_S = 15.0
"""For the TCP connection."""
RESOLVE_INTERVAL_S = 60.0
"""From one attempt to learn where a node is to the next; doubles while nobody knows, up to MAX_RESOLVE_INTERVAL_S."""
MAX_RESOLVE_INTERVAL_S = 3600.0
MAX_RESOLVING = 4
"""Such attempts at the same time, each of which may be a search of the network; ours."""


@dataclass(slots=True)
class _Static:
    node: Node
    control: bool
    """The next attempt is one that somebody asked for, not a redial or a suggestion."""
    unreachable: int = 0
    """Attempts in a row that ended without a TCP connection."""
    resolve_from: float = 0.0
    resolve_interval_s: float = RESOLVE_INTERVAL_S


@dataclass(frozen=True, slots=True)
class Dial:
    """An attempt to make now."""

    node: Node
    control: bool
    static: bool = True
    """False for one that discovery found."""


class DialScheduler:
    """The list of nodes to stay connected with, and attempts with others while there is room."""

    def __init__(self) -> None:
        self.finder: Finder | None = None
        """Whom else to dial; nobody without one."""
        self._static: dict[NodeId, _Static] = {}
        self._not_before: dict[NodeId, float] = {}
        self._dialing: dict[NodeId, Dial] = {}
        self._resolving: set[NodeId] = set()

    def __contains__(self, node_id: object) -> bool:
        return node_id in self._static

    @property
    def nodes(self) -> list[Node]:
        return [static.node for static in self._static.values()]

    def add(self, node: Node, *, control: bool = False, immediately: bool = False) -> None:
        """Stay connected with `node` from now on.

        Args:
            control: somebody asked for it.
            immediately: forget that it was tried lately. The reference waits out REDIAL_S even then; where the target
                does not throttle (local networks), somebody who asks for a connection should get one.
        """
        known, static = self._static.get(node.id), _Static(node, control)
        if known is not None:
            static.resolve_from, static.resolve_interval_s = known.resolve_from, known.resolve_interval_s
        self._static[node.id] = static
        if immediately:
            self.retry(node.id)

    def remove(self, node_id: NodeId) -> None:
        self._static.pop(node_id, None)

    def due(self, *, connected: Collection[NodeId], now: float, dynamic_peers: int = 0) -> list[Dial]:
        """The attempts to begin now; the caller reports each end with :meth:`finished` or :meth:`unreachable`.

        Args:
            dynamic_peers: how many of the connected were found by discovery and dialed.
        """
        for node_id in [n for n, t in self._not_before.items() if t <= now]:
            del self._not_before[node_id]
        dials: list[Dial] = []

        def begin(dial: Dial) -> bool:
            node_id = dial.node.id
            if len(self._dialing) >= MAX_ACTIVE_DIALS:
                return False
            if node_id in connected or node_id in self._dialing or node_id in self._not_before:
                return False
            self._dialing[node_id] = dial
            dials.append(dial)
            return True

        for static in self._static.values():
            if begin(Dial(static.node, static.control)):
                static.control = False
        if self.finder is not None:
            begun = sum(not dial.static for dial in self._dialing.values())
            need = min(self.finder.max_dialed - dynamic_peers - begun, MAX_ACTIVE_DIALS - len(self._dialing))
            self.finder.fill(
                need, lambda node: begin(Dial(node, control=False, static=False)), alone=not connected, now=now
            )
        return dials

    def finished(self, node_id: NodeId, *, now: float, redial_s: float = REDIAL_S) -> None:
        """An attempt that reached the node is over, whether a peer came of it or not; the next is `redial_s` away."""
        self._dialing.pop(node_id, None)
        self._not_before[node_id] = now + redial_s
        if node_id in self._static:
            self._static[node_id].unreachable = 0

    def unreachable(self, node_id: NodeId, *, now: float) -> None:
        """An attempt ended without a TCP connection."""
        static = self._static.get(node_id)
        if static is None:
            self.finished(node_id, now=now)
            return
        failures = static.unreachable
        self.finished(node_id, now=now, redial_s=min(FIRST_RETRY_S * 2**failures, REDIAL_S))
        static.unreachable = failures + 1

    def begins_resolving(self, node_id: NodeId, *, now: float) -> bool:
        """Whether to ask the network now where an unreachable node is; the caller reports with :meth:`resolved`."""
        static = self._static.get(node_id)
        if static is None or node_id in self._resolving or now < static.resolve_from:
            return False
        if len(self._resolving) >= MAX_RESOLVING:
            return False
        self._resolving.add(node_id)
        return True

    def resolved(self, node_id: NodeId, node: Node | None, *, now: float) -> None:
        """The network said where a node is, or, with None, did not; a new endpoint is dialed once without a wait."""
        self._resolving.discard(node_id)
        static = self._static.get(node_id)
        if static is None:
            return
        if node is None:
            static.resolve_from = now + static.resolve_interval_s
            static.resolve_interval_s = min(2 * static.resolve_interval_s, MAX_RESOLVE_INTERVAL_S)
        else:
            static.resolve_from, static.resolve_interval_s = now + RESOLVE_INTERVAL_S, RESOLVE_INTERVAL_S
            if (node.ip, node.tcp) != (static.node.ip, static.node.tcp):
                static.node = node
                self.retry(node_id)

    def retry(self, node_id: NodeId) -> None:
        """Forget that a node was tried lately."""
        self._not_before.pop(node_id, None)

    def next_deadline(self) -> float | None:
        """When :meth:`due` may have more to say; None if only a change can tell."""
        waiting = [t for n, t in self._not_before.items() if n in self._static]
        search = self.finder.next_deadline() if self.finder is not None else None
        return min(waiting if search is None else [*waiting, search], default=None)
