"""Whom to dial because discovery found it (spec 02 section 9.5, step 3). No sockets, no clock."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from node.enode import Node

LOOKUP_INTERVAL_S = 4.0
"""From the beginning of one random search to the next."""
BOOTNODE_FALLBACK_S = 20.0
"""After the start: from then on, bootnodes are dialed while there are no peers at all."""
MAX_FOUND = 64
"""Nodes kept from searches; ours. A search finds up to 16 and is made only when more are wanted than are left."""


class Finder:
    """Fills the places that are free for found nodes."""

    def __init__(
        self,
        random_nodes: Callable[[int], Sequence[Node]],
        *,
        max_dialed: int,
        now: float,
        bootnodes: Sequence[Node] = (),
        allowed: Callable[[Node], bool] = lambda _: True,
    ) -> None:
        """Prepare.

        Args:
            random_nodes: up to so many different nodes of discovery's table.
            max_dialed: the places.
            now: the time of the start, on the caller's clock in seconds.
            bootnodes: dialed when there is nobody else.
            allowed: whether a node may be dialed at all.
        """
        self.max_dialed = max_dialed
        self._random_nodes, self._allowed = random_nodes, allowed
        self._bootnodes = list(bootnodes)
        self._bootnodes_from = now + BOOTNODE_FALLBACK_S
        self._found: list[Node] = []
        self._wanting = self._searching = False
        self._search_from = now

    def fill(self, need: int, dial: Callable[[Node], bool], *, alone: bool, now: float) -> None:
        """Offer nodes to `dial` until it took `need` of them or no more are known.

        Args:
            dial: begins to dial a node and returns True, or refuses it.
            alone: there are no peers at all.
        """
        if need > 0 and alone and self._bootnodes and now >= self._bootnodes_from:
            self._bootnodes.append(self._bootnodes.pop(0))
            need -= self._offer(self._bootnodes[-1], dial)
        for node in self._random_nodes(max(0, need) // 2):
            need -= self._offer(node, dial)
        while need > 0 and self._found:
            need -= self._offer(self._found.pop(0), dial)
        self._wanting = need > 0

    def _offer(self, node: Node, dial: Callable[[Node], bool]) -> bool:
        return node.ip is not None and node.tcp > 0 and self._allowed(node) and dial(node)

    def begins_search(self, now: float) -> bool:
        """Whether to begin a random search now; the caller reports its end with :meth:`found`."""
        if not self._wanting or self._searching or now < self._search_from:
            return False
        self._searching, self._search_from = True, now + LOOKUP_INTERVAL_S
        return True

    def found(self, nodes: Iterable[Node]) -> None:
        """A search is over."""
        self._searching = False
        self._found = [*self._found, *nodes][-MAX_FOUND:]

    def next_deadline(self) -> float | None:
        """When the next search may begin, if one is wanted."""
        return self._search_from if self._wanting and not self._searching else None
