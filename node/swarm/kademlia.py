"""The Kademlia tables of a node: live peers, known addresses, depth, and walks over them (spec 05 section 7).

Generic over what stands for a live peer. Does not know what is sent to peers (:mod:`node.swarm.hive`) or how messages
choose among them (pss). Time comes in as seconds on a monotonic clock.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Generic

from node.ids import OverlayAddress
from node.swarm import depth as formulas
from node.swarm.address import BzzAddr
from node.swarm.bins import BinTable
from node.swarm.params import DEFAULT_PARAMS, KademliaParams
from node.swarm.proximity import position, proximity_order
from node.swarm.suggest import KnownAddress, Suggestion, find_shortage
from node.swarm.walk import Conn, PeerT, Walk

MAX_KNOWN_ADDRESSES = 16_384
"""Entries of the table of known addresses; ours, against peers that invent them (a few hundred bytes each)."""
EVICTED_FRACTION = 100
"""One entry in so many leaves a full table at once; ours. Choosing them means looking at the whole table, and must not
happen for every address of a flood."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnChange(Generic[PeerT]):
    """A peer entered (`on`) or left the table of live peers.

    Attributes:
        on: whether it entered.
        address, peer: as given to :meth:`Kademlia.on`.
        po: its proximity order to the base.
    """

    on: bool
    address: BzzAddr
    peer: PeerT
    po: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Registration:
    """What became of the addresses given to :meth:`Kademlia.register`.

    Attributes:
        stored: entries made or replaced.
        refused: too long, another underlay too soon after the last, or the table is full of live peers.
        met_self: our own address was among them; it and everything behind it was left out.
    """

    stored: int = 0
    refused: int = 0
    met_self: bool = False


class Kademlia(Generic[PeerT]):
    """The tables of one node."""

    def __init__(
        self,
        base: OverlayAddress,
        params: KademliaParams = DEFAULT_PARAMS,
        *,
        max_known: int = MAX_KNOWN_ADDRESSES,
        may_dial: Callable[[BzzAddr], bool] = lambda address: True,
    ) -> None:
        """Make empty tables.

        Args:
            base: the node's own overlay address.
            max_known: when so many addresses are known, :meth:`register` puts new ones in the place of old ones.
            may_dial: addresses for which it says no are kept but never suggested.
        """
        self.base, self.params = base, params
        self.listeners: list[Callable[[ConnChange[PeerT]], None]] = []
        """Called after each change of the live peers, in order."""
        self._max_known, self._may_dial = max_known, may_dial
        self._conns: BinTable[Conn[PeerT]] = BinTable(base)
        self._known: BinTable[KnownAddress] = BinTable(base)
        self._standby: list[Conn[PeerT]] = []
        self._saturation_depth = 0
        self._refresh()

    # -- what is in the tables --

    @property
    def conn_count(self) -> int:
        """Number of live peers."""
        return len(self._conns)

    @property
    def known_count(self) -> int:
        """Number of known addresses, those of live peers included."""
        return len(self._known)

    @property
    def connected(self) -> list[BzzAddr]:
        """Records of the live peers, shallow bins first."""
        return [conn.address for conn in self._conns]

    @property
    def known(self) -> list[BzzAddr]:
        """All known records, shallow bins first."""
        return [entry.address for entry in self._known]

    def get_conn(self, overlay: bytes) -> Conn[PeerT] | None:
        """The live peer at an overlay address."""
        return self._conns.get(overlay)

    def get_known(self, overlay: bytes) -> KnownAddress | None:
        """The entry for an overlay address."""
        return self._known.get(overlay)

    def conn_bins(self) -> list[tuple[int, list[BzzAddr]]]:
        """Live peers by proximity order to the base, shallow to deep."""
        return [(po, [conn.address for conn in conns]) for po, conns in self._conns.bins()]

    def known_bins(self) -> list[tuple[int, list[KnownAddress]]]:
        """Known addresses by proximity order to the base, shallow to deep."""
        return [(po, list(entries)) for po, entries in self._known.bins()]

    # -- what follows from them --

    @property
    def neighbourhood_depth(self) -> int:
        """Where our neighbourhood begins, as a proximity order."""
        return self._depth

    @property
    def saturation(self) -> int:
        """Up to which bin we have the peers we want, by the live peers of this moment."""
        return formulas.saturation(self._sizes, self.params)

    @property
    def saturation_depth(self) -> int:
        """The saturation last announced: set by :meth:`on`, lowered by :meth:`suggest_peer`."""
        return self._saturation_depth

    def depth_among(self, accept: Callable[[BzzAddr], bool]) -> int:
        """Neighbourhood depth counted over those live peers that `accept` says yes to."""
        sizes = [(po, sum(map(accept, addresses))) for po, addresses in self.conn_bins()]
        return formulas.neighbourhood_depth([(po, size) for po, size in sizes if size], self.params)

    def is_within_depth(self, address: bytes) -> bool:
        """Whether a 32-byte address is in our neighbourhood."""
        return proximity_order(self.base, address) >= self._depth

    def is_closest(self, target: bytes, accept: Callable[[PeerT], bool] = lambda peer: True) -> bool:
        """Whether no accepted live peer is nearer to a 32-byte target than we are; one exactly there does not count."""
        goal = position(target)
        ours = goal ^ position(self.base)
        return not any(0 < conn.position ^ goal < ours and accept(conn.peer) for conn in self._conns)

    # -- walks --

    def bins_by(self, target: bytes) -> list[tuple[int, Sequence[PeerT]]]:
        """Live peers in groups of equal proximity order to a 32-byte target, the closest group first."""
        return self._walk.bins_by(target)

    def each_conn(self, target: bytes | None = None) -> Iterator[tuple[PeerT, int]]:
        """Live peers with their proximity order to a target (the base if None), decreasing."""
        for po, peers in self.bins_by(self.base if target is None else target):
            for peer in peers:
                yield peer, po

    # -- changes --

    def register(self, addresses: Iterable[BzzAddr], now: float) -> Registration:
        """Learn of addresses. Our own ends it: whoever names us to us knows nothing more (spec 05 section 7.4)."""
        stored = refused = 0
        for address in addresses:
            if address.overlay == self.base:
                return Registration(stored=stored, refused=refused, met_self=True)
            entry = self._known.get(address.overlay)
            # An entry of a live peer is left alone, other than in the reference: its record came from the peer itself
            # and hearsay must not make us dial it again.
            if entry is not None and (entry.live or entry.address.underlay == address.underlay):
                continue
            fresh = self._fresh_entry(address, entry, now)
            if fresh is None:
                refused += 1
                continue
            self._known.put(address.overlay, fresh)
            stored += 1
        return Registration(stored=stored, refused=refused)

    def _fresh_entry(self, address: BzzAddr, old: KnownAddress | None, now: float) -> KnownAddress | None:
        """What to store for an address that is new or has another underlay than before; None to refuse it."""
        if not address.storable:
            return None
        if old is not None:
            replaceable = old.replaceable_at(now, self.params)
            return KnownAddress(address=address, seen_at_s=now, replaced_at_s=now) if replaceable else None
        return KnownAddress(address=address, seen_at_s=now) if self._make_room() else None

    def _make_room(self) -> bool:
        """Have a free place among the known addresses; False if live peers take up all of them.

        The entries tried most often in vain go first; among equals those in shallow bins, where the most are known, and
        the longest known.
        """
        surplus = len(self._known) - self._max_known
        if surplus < 0:
            return True
        idle = (entry for entry in self._known if not entry.live)
        count = surplus + max(1, self._max_known // EVICTED_FRACTION)
        for entry in heapq.nlargest(count, idle, key=lambda entry: entry.retries):
            self._known.remove(entry.address.overlay)
        return len(self._known) < self._max_known

    def on(self, address: BzzAddr, peer: PeerT, now: float) -> tuple[int, bool]:
        """A peer is connected.

        A second connection that claims an overlay address waits until the first one ends, and then takes its place
        (in the reference it would stay connected and in no table; the wire shows no difference).

        Returns:
            The saturation depth to announce, and whether it changed.
        """
        conn = Conn(address, peer, position(address.overlay))
        if self._conns.get(address.overlay) is None:
            self._enter(conn, now)
        else:
            self._standby.append(conn)
        saturation = self.saturation
        changed = saturation != self._saturation_depth
        self._saturation_depth = saturation
        return saturation, changed

    def off(self, address: BzzAddr, peer: PeerT, now: float) -> None:
        """A peer is gone. Only the very object that was given to :meth:`on` leaves the tables."""
        live = self._conns.get(address.overlay)
        if live is None or live.peer is not peer:
            self._standby = [conn for conn in self._standby if conn.peer is not peer]
            return
        self._conns.remove(address.overlay)
        self._known.put(address.overlay, KnownAddress(address=live.address, seen_at_s=now))
        self._refresh()
        self._publish(live, on=False)
        heir = next((conn for conn in self._standby if conn.address.overlay == address.overlay), None)
        if heir is not None:
            self._standby.remove(heir)
            self._enter(heir, now)

    def suggest_peer(self, now: float) -> Suggestion:
        """Whom to dial now, so that bins that lack peers get some; counts as an attempt (spec 05 section 7.5)."""
        shortage = find_shortage(self._sizes, deepest_known=self._known.deepest, params=self.params)
        address = self._pick(shortage.bins_in_order(), now)
        if shortage.depth < self._saturation_depth:
            self._saturation_depth = shortage.depth
            return Suggestion(address=address, depth=shortage.depth, changed=True)
        return Suggestion(address=address)

    def _pick(self, bins: list[int], now: float) -> BzzAddr | None:
        for po in bins:
            for entry in self._known.bin(po):
                if entry.callable_at(now, self.params) and self._may_dial(entry.address):
                    entry.retries += 1
                    return entry.address
        return None

    def _enter(self, conn: Conn[PeerT], now: float) -> None:
        self._conns.put(conn.address.overlay, conn)
        self._known.put(conn.address.overlay, KnownAddress(address=conn.address, seen_at_s=now, live=True))
        self._refresh()
        self._publish(conn, on=True)

    def _publish(self, conn: Conn[PeerT], *, on: bool) -> None:
        po = proximity_order(self.base, conn.address.overlay)
        change = ConnChange(on=on, address=conn.address, peer=conn.peer, po=po)
        for listener in self.listeners:
            listener(change)

    def _refresh(self) -> None:
        """Compute once per change what forwarding asks for with every message."""
        self._sizes = self._conns.sizes()
        self._depth = formulas.neighbourhood_depth(self._sizes, self.params)
        self._walk = Walk(self.base, self._conns.bins())
