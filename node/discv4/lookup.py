"""Finding the nodes closest to a point by asking those that are closer and closer to it (spec 04 section 6)."""

from __future__ import annotations

import bisect
from collections.abc import Iterable

from node.enode import Node
from node.ids import NodeId

ALPHA = 3
"""Questions at a time."""
RESULT_SIZE = 16
MAX_QUERIES = 200
"""Questions in one lookup, about ten times what a network of a million nodes takes: whoever invents ever closer nodes
does not keep us busy for ever. Ours."""


def distance_key(target: bytes, node_id: NodeId) -> bytes:
    """Sorts nodes by their closeness to `target`: the XOR, compared big-endian."""
    return (int.from_bytes(target, "big") ^ int.from_bytes(node_id, "big")).to_bytes(len(target), "big")


class Lookup:
    """One search. The caller asks :meth:`next_queries` and reports each end with :meth:`answered`."""

    def __init__(self, target: bytes, start: Iterable[Node], *, own_id: NodeId) -> None:
        """Begin a search.

        Args:
            target: 32 bytes on the scale of node IDs.
            start: the closest nodes that are known.
            own_id: never asked and never found.
        """
        self._target = target
        self._closest: list[tuple[bytes, Node]] = []
        self._seen = {own_id}
        self._asked: set[NodeId] = set()
        self._in_flight = 0
        self._add(start)

    @property
    def closest(self) -> list[Node]:
        """Up to :data:`RESULT_SIZE` nodes, closest first."""
        return [node for _, node in self._closest]

    @property
    def finished(self) -> bool:
        return not self._in_flight and not self._next()

    def next_queries(self) -> list[Node]:
        """Whom to ask now."""
        queries = []
        while self._in_flight < ALPHA and (node := self._next()) is not None:
            self._asked.add(node.id)
            self._in_flight += 1
            queries.append(node)
        return queries

    def answered(self, found: Iterable[Node]) -> None:
        """A node told whom it knows, nobody if it did not answer."""
        self._in_flight -= 1
        self._add(found)

    def _next(self) -> Node | None:
        if len(self._asked) >= MAX_QUERIES:
            return None
        return next((node for _, node in self._closest if node.id not in self._asked), None)

    def _add(self, nodes: Iterable[Node]) -> None:
        for node in nodes:
            if node.id not in self._seen:
                self._seen.add(node.id)
                bisect.insort(self._closest, (distance_key(self._target, node.id), node), key=lambda one: one[0])
                del self._closest[RESULT_SIZE:]
