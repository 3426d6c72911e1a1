"""Peers tell each other about peers: the rules of hive/11 (spec 05 section 6).

A pure state machine around the Kademlia tables: it takes what happened and returns what to send, in order, and whom to
dial. Knows nothing of connections but the object that stands for one.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import Generic, NamedTuple, TypeVar

from node.ids import OverlayAddress
from node.swarm.address import BzzAddr
from node.swarm.kademlia import MAX_KNOWN_ADDRESSES, Kademlia, Registration
from node.swarm.messages import HiveMessage, PeersMsg, SubPeersMsg
from node.swarm.params import DEFAULT_PARAMS, KademliaParams
from node.swarm.proximity import closer, proximity_order

TICK_INTERVAL_S = 0.5
"""How often to call :meth:`HiveCore.on_tick` (spec 05 section 8)."""
MAX_ADDRESSES_PER_MESSAGE = 128
"""Addresses taken from one peersMsg, the first ones; ours. Each may go on to every peer, all while nothing else of the
node runs; an honest node tells of those it is connected to, some 50."""
MAX_SEEN_PER_PEER = 2 * MAX_KNOWN_ADDRESSES
"""Addresses remembered as already exchanged with one peer; ours. When full, the older half is forgotten: whoever floods
us with addresses, which go on to all peers, must not be able to have those told of nobody new."""

KeyT = TypeVar("KeyT", bound=Hashable)


class Outgoing(NamedTuple, Generic[KeyT]):
    """A message, and the connection to send it on."""

    peer: KeyT
    message: HiveMessage


@dataclass(frozen=True, slots=True, kw_only=True)
class Tick(Generic[KeyT]):
    """What a tick asks for.

    Attributes:
        dial: whom to connect to, if anybody.
        messages: what to send.
    """

    dial: BzzAddr | None
    messages: list[Outgoing[KeyT]]


@dataclass(slots=True, kw_only=True)
class _PeerState(Generic[KeyT]):
    """What we remember of one connection (spec 05 section 6.1)."""

    key: KeyT
    address: BzzAddr
    depth: int = 0
    sent_peers: bool = False
    seen: set[OverlayAddress] = field(default_factory=set)
    seen_before: set[OverlayAddress] = field(default_factory=set)
    """The older half; together they are the `seen` of the specification."""

    def mark(self, overlay: OverlayAddress) -> bool:
        """Remember that this peer has an address; False if it had it already."""
        # Its own counts as seen, or we would send peers their own record (spec 05 section 14, pitfall 12).
        if overlay in self.seen or overlay in self.seen_before or overlay == self.address.overlay:
            return False
        if len(self.seen) >= MAX_SEEN_PER_PEER // 2:
            self.seen, self.seen_before = set(), self.seen
        self.seen.add(overlay)
        return True

    def unmark(self, overlay: OverlayAddress) -> None:
        """Forget that this peer has an address."""
        self.seen.discard(overlay)
        self.seen_before.discard(overlay)


class HiveCore(Generic[KeyT]):
    """Hive on all connections of one node; owns the node's Kademlia tables."""

    def __init__(
        self,
        base: OverlayAddress,
        params: KademliaParams = DEFAULT_PARAMS,
        *,
        max_known: int = MAX_KNOWN_ADDRESSES,
    ) -> None:
        self.kademlia: Kademlia[KeyT] = Kademlia(
            base, params, max_known=max_known, may_dial=lambda address: address.dialable
        )
        self.last_registration = Registration()
        """What became of the addresses of the latest peersMsg, for the log."""
        self._peers: dict[KeyT, _PeerState[KeyT]] = {}

    def address_of(self, peer: KeyT) -> BzzAddr | None:
        """The record of a connected peer, as of its handshake; None for one that is not connected."""
        state = self._peers.get(peer)
        return state.address if state is not None else None

    def on_connected(self, peer: KeyT, address: BzzAddr, now: float) -> list[Outgoing[KeyT]]:
        """A connection finished its bzz handshake.

        Args:
            peer: stands for the connection; one object for its whole life.
            address: the remote record of the handshake.
            now: seconds, monotonic.

        Raises:
            ValueError: it is connected already (our bug).
        """
        if peer in self._peers:
            raise ValueError(f"{peer!r} is connected already")
        self._peers[peer] = _PeerState(key=peer, address=address)
        depth, changed = self.kademlia.on(address, peer, now)
        told = self.broadcast_depth(depth) if changed else [Outgoing(peer, SubPeersMsg(depth=depth))]
        return told + self._announce(address)

    def on_disconnected(self, peer: KeyT, now: float) -> None:
        """A connection ended; nothing happens for one that never finished its handshake."""
        state = self._peers.pop(peer, None)
        if state is not None:
            self.kademlia.off(state.address, state.key, now)

    def on_message(self, peer: KeyT, message: HiveMessage, now: float) -> list[Outgoing[KeyT]]:
        """Handle either message; nothing happens if the connection is gone already."""
        if isinstance(message, SubPeersMsg):
            return self.on_sub_peers(peer, message.depth)
        return self.on_peers(peer, message, now)

    def on_sub_peers(self, peer: KeyT, depth: int) -> list[Outgoing[KeyT]]:
        """A peer told its depth. The first time it is told of our live peers in its neighbourhood."""
        state = self._peers.get(peer)
        if state is None:
            return []
        state.depth = depth
        if state.sent_peers:
            return []
        state.sent_peers = True
        addresses = []
        for other, po in self.kademlia.each_conn(state.address.overlay):
            if po < depth:
                break
            address = self._peers[other].address
            if state.mark(address.overlay):
                addresses.append(address)
        return [Outgoing(peer, PeersMsg(peers=tuple(addresses)))] if addresses else []

    def on_peers(self, peer: KeyT, message: PeersMsg, now: float) -> list[Outgoing[KeyT]]:
        """A peer told of others: tell those who should know, then remember them for dialing."""
        state = self._peers.get(peer)
        if state is None:
            return []
        addresses = message.peers[:MAX_ADDRESSES_PER_MESSAGE]
        for address in addresses:
            state.mark(address.overlay)
        # Everybody we are connected to has our own record from the handshake, and records too long to keep are not
        # worth multiplying; the reference passes on both.
        messages = self._announce(*(a for a in addresses if a.overlay != self.kademlia.base and a.storable))
        self.last_registration = self.kademlia.register(addresses, now)
        return messages

    def on_unsent(self, outgoing: Outgoing[KeyT]) -> None:
        """A message was not sent after all: its peer has not seen those addresses, and may ask for them again."""
        state = self._peers.get(outgoing.peer)
        if state is not None and isinstance(outgoing.message, PeersMsg):
            for address in outgoing.message.peers:
                state.unmark(address.overlay)
            state.sent_peers = False

    def on_tick(self, now: float) -> Tick[KeyT]:
        """Look for somebody to dial; call every :data:`TICK_INTERVAL_S` unless auto-connect is off."""
        suggestion = self.kademlia.suggest_peer(now)
        messages = self.broadcast_depth(suggestion.depth) if suggestion.changed else []
        return Tick(dial=suggestion.address, messages=messages)

    def broadcast_depth(self, depth: int) -> list[Outgoing[KeyT]]:
        """Tell every connected peer a saturation depth, 0..255."""
        return [Outgoing(peer, SubPeersMsg(depth=depth)) for peer in self._peers]

    def _announce(self, *addresses: BzzAddr) -> list[Outgoing[KeyT]]:
        """Tell of addresses everybody who should know (spec 05 section 6.2, rule N).

        One message for each recipient, other than in the reference, which sends one for each address as well: a single
        peersMsg would come to thousands of messages.
        """
        messages = []
        for d in self._peers.values():
            news = tuple(a for a in addresses if self._concerns(d, a) and d.mark(a.overlay))
            if news:
                messages.append(Outgoing(d.key, PeersMsg(peers=news)))
        return messages

    def _concerns(self, d: _PeerState[KeyT], address: BzzAddr) -> bool:
        """Whether an address is in the neighbourhood that `d` told us, or nearer to us than `d` is."""
        if proximity_order(address.overlay, d.address.overlay) >= d.depth:
            return True
        # Nearer to our own base, not to the recipient (pitfall 11).
        return closer(address.overlay, d.address.overlay, base=self.kademlia.base)
