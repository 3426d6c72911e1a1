"""Who may connect: the checks that are made twice on every connection (spec 02 sections 2.1 and 9.4).

Pure decisions; the server calls them on its one event loop, so that nothing changes in between.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from node.disconnect import DisconnectReason
from node.enode import IPAddress
from node.ids import NodeId
from node.networks import is_lan

INBOUND_THROTTLE_S = 30.0
"""An address outside the local network may try again after this time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A connection that passed the encryption handshake."""

    id: NodeId
    inbound: bool
    static: bool
    """It results from our list of static nodes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How many peers a server takes."""

    max_peers: int
    max_inbound: int


def check(
    candidate: Candidate,
    *,
    own_id: NodeId,
    peers: Mapping[NodeId, bool],
    trusted: Collection[NodeId],
    limits: Limits,
) -> DisconnectReason | None:
    """Why a connection is refused, or None.

    Args:
        peers: the connected peers, and for each whether it is inbound.
    """
    if candidate.id not in trusted:
        if not candidate.static and len(peers) >= limits.max_peers:
            return DisconnectReason.TOO_MANY_PEERS
        if candidate.inbound and sum(peers.values()) >= limits.max_inbound:
            return DisconnectReason.TOO_MANY_PEERS
    if candidate.id in peers:
        return DisconnectReason.ALREADY_CONNECTED
    if candidate.id == own_id:
        return DisconnectReason.SELF
    return None


def loses_crossing(*, own_id: NodeId, remote_id: NodeId, inbound: bool) -> bool:
    """Of two connections that two nodes opened to each other at once, whether both sides give this one up.

    The reference may let both die and redial 35 s later (spec 02 section 9.5). Both ends know who dialed, so a rule
    that each can apply alone keeps one: the dial of the node with the lower ID.
    """
    dialed_by = remote_id if inbound else own_id
    return dialed_by != min(own_id, remote_id)


class InboundThrottle:
    """Remembers who tried lately; addresses of the local network are exempt."""

    def __init__(self) -> None:
        self._expires: dict[IPAddress, float] = {}

    def admit(self, ip: IPAddress, now: float) -> bool:
        """Whether a connection from `ip` may be looked at; counts as an attempt if so."""
        if is_lan(ip):
            return True
        # Insertion order is expiry order: every entry lives equally long.
        while self._expires and next(iter(self._expires.values())) <= now:
            del self._expires[next(iter(self._expires))]
        if ip in self._expires:
            return False
        self._expires[ip] = now + INBOUND_THROTTLE_S
        return True
