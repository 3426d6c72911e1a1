"""Next hops for a message, and whether it may be for this node (spec 06 sections 4 and 5).

Pure: live peers, their use counts and the neighbourhood depth come in as arguments; sending is a callback that says
whether it worked. Knows nothing of connections or of how depth comes about.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import Enum
from typing import Generic, NamedTuple, TypeVar

from node.errors import LocalProtocolError
from node.ids import OVERLAY_ADDRESS_BYTES
from node.swarm.proximity import MAX_PO, position, proximity_order

Peer = TypeVar("Peer")


class Candidate(NamedTuple, Generic[Peer]):
    """A live peer. A plain tuple of the same shape does as well.

    Attributes:
        address: its position (:func:`node.swarm.proximity.position`), so that a message costs one XOR per peer.
        use_count: how often it was used so far; the least used of equally near peers goes first.
        peer: whatever the caller knows it by.
    """

    address: int
    use_count: int
    peer: Peer


class ForwardMode(Enum):
    """Why a message went to as many peers as it did."""

    ONE = "one"
    """The destination is elsewhere: the nearest peer that takes it carries on."""
    ALL = "all"
    """The destination is around here or known in part only: all peers near enough get it."""
    EXACT = "exact"
    """A peer has the very (zero-padded) address: nobody after it is asked."""
    NOBODY = "nobody"
    """No peer took it."""


class Hop(NamedTuple, Generic[Peer]):
    """A peer that took the message, and its proximity order to the address."""

    peer: Peer
    po: int


class Range(NamedTuple):
    """How far a message spreads from here.

    Attributes:
        threshold: proximity order to the address from which peers count as near enough.
        one: one peer is enough.
        own_po: our own proximity order to the address.
    """

    threshold: int
    one: bool
    own_po: int


@dataclass(frozen=True, slots=True)
class ForwardResult(Generic[Peer]):
    """What became of a message.

    Attributes:
        hops: peers that took it, in order.
        refused: peers that were asked and did not take it.
        range: the thresholds this rests on.
        depth: neighbourhood depth at the time.
    """

    mode: ForwardMode
    hops: list[Hop[Peer]]
    refused: int
    range: Range
    depth: int

    @property
    def ok(self) -> bool:
        """Whether anybody took it."""
        return bool(self.hops)


def is_recipient(base: bytes, to: bytes, depth: int, *, prox: bool) -> bool:
    """Whether a message to `to` may be meant for the node at `base`.

    Args:
        prox: the topic has a handler for the whole neighbourhood, so being within `depth` is enough.

    Raises:
        LocalProtocolError: `to` is longer than an address.
    """
    if len(to) > OVERLAY_ADDRESS_BYTES:
        raise LocalProtocolError("address too long")
    return base.startswith(to) or (prox and proximity_order(base, _pad(to)) >= depth)


def forward_range(base: bytes, to: bytes, depth: int) -> Range:
    """How far a message to `to` spreads from the node at `base`.

    Raises:
        LocalProtocolError: `to` is longer than an address.
    """
    if len(to) > OVERLAY_ADDRESS_BYTES:
        raise LocalProtocolError("address too long")
    own_po = proximity_order(base, _pad(to))
    # luminosity: number of address bits that are known
    # threshold = min(po(to, base), depth, luminosity)
    luminosity = 8 * len(to)
    threshold = min(own_po, depth, luminosity)
    if threshold < luminosity and threshold < depth:
        # Bits are left to choose by and the destination is not in our neighbourhood: go one bit closer.
        return Range(threshold + 1, True, own_po)
    return Range(threshold, False, own_po)


def forward(
    base: bytes,
    to: bytes,
    depth: int,
    peers: Iterable[tuple[int, int, Peer]],
    try_send: Callable[[Peer], bool],
) -> ForwardResult[Peer]:
    """Send a message on to whom it should go.

    Args:
        base: our overlay address, 32 bytes.
        to: address of the message, 0 to 32 bytes.
        depth: our neighbourhood depth.
        peers: live peers, as :class:`Candidate`; equals are asked in the order given.
        try_send: sends to one peer; False if that peer does not speak pss or is gone. The next best is asked then.

    Raises:
        LocalProtocolError: `to` is longer than an address.

    Source: spec 06 section 5.1. The peer a message came from is not left out.
    """
    reach = forward_range(base, to, depth)
    target = position(_pad(to))
    # The position breaks ties, so peers are never compared. Few differing bits mean a high proximity order.
    ranked = [((target ^ address).bit_length(), uses, at, peer) for at, (address, uses, peer) in enumerate(peers)]
    ranked.sort()
    farthest = MAX_PO - reach.threshold
    hops: list[Hop[Peer]] = []
    refused, group = 0, -1
    for bits, _, _, peer in ranked:
        # Only between groups of equal proximity order may the walk end for want of nearness.
        if bits != group:
            if bits > farthest and hops:
                break
            group = bits
        if not try_send(peer):
            refused += 1
            continue
        hops.append(Hop(peer, MAX_PO - bits))
        if bits == 0:
            return ForwardResult(ForwardMode.EXACT, hops, refused, reach, depth)
        if reach.one:
            break
    mode = ForwardMode.NOBODY if not hops else ForwardMode.ONE if reach.one else ForwardMode.ALL
    return ForwardResult(mode, hops, refused, reach, depth)


def _pad(to: bytes) -> bytes:
    return to.ljust(OVERLAY_ADDRESS_BYTES, b"\0")
