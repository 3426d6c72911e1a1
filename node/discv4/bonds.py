"""What is known about endpoints: who answered us, who asked us, who keeps failing (spec 04 section 4).

An endpoint is a node ID at an IP address; the port does not count. An endpoint is *proven* while its last PONG to a
PING of ours is recent: only then is there an answer that is larger than the question, or a spoofed address would have
us flood its owner.
"""

from __future__ import annotations

from typing import Generic, NamedTuple, TypeVar

from node.enode import IPAddress, Node
from node.ids import NodeId

V = TypeVar("V")

BOND_LIFETIME_S = 24 * 3600.0
MAX_FIND_FAILURES = 5
"""In a row; then a node leaves the table."""
MAX_ENDPOINTS = 4096
"""Remembered in each of the three lists, about 1 MB in all; the one not heard of for longest goes first. Ours."""


class Peer(NamedTuple):
    """An endpoint."""

    id: NodeId
    ip: IPAddress


def peer_of(node: Node) -> Peer:
    """The endpoint of a node with an address."""
    assert node.ip is not None
    return Peer(node.id, node.ip)


class _Recent(Generic[V]):
    """A dictionary of bounded size."""

    def __init__(self) -> None:
        self._values: dict[Peer, V] = {}

    def __len__(self) -> int:
        return len(self._values)

    def get(self, peer: Peer) -> V | None:
        return self._values.get(peer)

    def put(self, peer: Peer, value: V) -> None:
        self._values.pop(peer, None)
        if len(self._values) >= MAX_ENDPOINTS:
            del self._values[next(iter(self._values))]
        self._values[peer] = value

    def discard(self, peer: Peer) -> None:
        self._values.pop(peer, None)


class Bonds:
    """Last contacts with endpoints, on the caller's clock in seconds.

    Who only asked and who proved itself are apart: strangers cannot push out the proven.
    """

    def __init__(self) -> None:
        self._pings: _Recent[float] = _Recent()
        self._pongs: _Recent[float] = _Recent()
        self._failures: _Recent[int] = _Recent()

    def __len__(self) -> int:
        return len(self._pings) + len(self._pongs) + len(self._failures)

    def ping_received(self, peer: Peer, now: float) -> None:
        self._pings.put(peer, now)

    def pong_received(self, peer: Peer, now: float) -> None:
        """It answered a PING of ours."""
        self._pongs.put(peer, now)

    def last_pong(self, peer: Peer) -> float | None:
        """When it last answered a PING of ours."""
        return self._pongs.get(peer)

    def is_proven(self, peer: Peer, now: float) -> bool:
        """Whether we may answer its questions."""
        return _recent(self._pongs.get(peer), now)

    def must_ping_first(self, peer: Peer, now: float) -> bool:
        """Whether it would hardly answer our questions: it did not ping us lately, or keeps failing."""
        return not _recent(self._pings.get(peer), now) or self.failures(peer) > MAX_FIND_FAILURES

    def failures(self, peer: Peer) -> int:
        return self._failures.get(peer) or 0

    def find_failed(self, peer: Peer) -> int:
        """It told nothing when asked; how often in a row by now."""
        failures = self.failures(peer) + 1
        self._failures.put(peer, failures)
        return failures

    def find_answered(self, peer: Peer) -> None:
        self._failures.discard(peer)


def _recent(at: float | None, now: float) -> bool:
    return at is not None and now - at < BOND_LIFETIME_S
