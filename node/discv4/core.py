"""Discovery v4 as a whole: the table kept fresh, searches run, others answered (spec 04). No sockets, no clock.

The caller hands over datagrams and the time, sends what :meth:`Discovery.data_to_send` gives, and calls
:meth:`Discovery.handle_deadline` at :meth:`Discovery.next_deadline`; after every call both may have changed.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from functools import partial

from node.crypto.keccak import keccak256
from node.crypto.secp256k1 import PUBLIC_KEY_BYTES, PrivateKey
from node.discv4.bonds import MAX_FIND_FAILURES, peer_of
from node.discv4.database import MAX_SEEDS, Database, Remembered, latest
from node.discv4.endpoint import Address, Endpoint
from node.discv4.exchange import Datagram, Exchange
from node.discv4.lookup import RESULT_SIZE, Lookup
from node.discv4.packet import Pong
from node.discv4.predictor import EndpointPredictor
from node.discv4.table import Entry, Table
from node.discv4.timers import Timers
from node.enode import IPAddress, Node
from node.enr import Record, make_record
from node.networks import Network

RANDOM_LOOKUPS = 3
"""In a refresh, after the one for our own key."""
Found = Callable[[list[Node], float], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Intervals:
    """How often the table is looked after; in seconds."""

    refresh_s: float = 30 * 60.0
    refresh_empty_s: float = 10.0
    """While the table is empty although there are bootnodes. Ours: nodes that start before their bootnode join soon."""
    revalidate_max_s: float = 10.0
    """From one check of a node to the next: random, up to this."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LookupFinished:
    """A search that :meth:`Discovery.lookup` began is over."""

    number: int
    """As returned by it."""
    nodes: Sequence[Node]
    """Up to 16, closest first; not all of them need be alive."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolved:
    """Asking for a node's endpoint, as :meth:`Discovery.resolve` began it, is over."""

    number: int
    """As returned by it."""
    node: Node | None
    """As the node itself says in its record; None if it was not found."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordChanged:
    """Others see us elsewhere; our record now says so."""

    record: Record


Event = LookupFinished | Resolved | RecordChanged


class Discovery:
    """One node's part in the network."""

    def __init__(
        self,
        key: PrivateKey,
        record: Record,
        *,
        bootnodes: Iterable[Node] = (),
        net_restrict: Collection[Network] = (),
        seeds: Iterable[Remembered] = (),
        predicts_endpoint: bool = False,
        intervals: Intervals | None = None,
        rng: random.Random | None = None,
        unix_offset: float = 0.0,
    ) -> None:
        """Prepare; :meth:`start` begins.

        Args:
            record: our own, with the endpoint that others should use.
            bootnodes: where to begin; each needs an address and a UDP port.
            net_restrict: nodes that others tell about must be in one of these networks, if any are given.
            seeds: nodes that answered in an earlier run; some of them join the bootnodes.
            predicts_endpoint: have the record follow what others say of our address.
            unix_offset: Unix time minus the caller's clock in seconds; update :attr:`unix_offset` if it drifts.
        """
        self._key = key
        self._rng = rng or random.SystemRandom()
        self._own_key, self._own_id = key.public.raw, key.public.node_id
        self._bootnodes, self._seeds = tuple(bootnodes), tuple(seeds)
        self._predictor = EndpointPredictor() if predicts_endpoint else None
        self._intervals = intervals or Intervals()
        self._timers = Timers()
        self.table = Table(self._own_id, rng=self._rng)
        self._exchange = Exchange(key, record, self, self._timers, net_restrict=net_restrict, unix_offset=unix_offset)
        self._events: list[Event] = []
        self._initialised = self._refreshing = False
        self._refreshes = 0
        self._after_refresh: list[Callable[[float], None]] = []
        self._lookups = 0

    # -- the caller's side

    def start(self, *, now: float) -> None:
        """Fill the table and keep it."""
        self._refresh(now)
        self._plan_revalidation(now)

    def receive_datagram(self, data: bytes, source: Address, *, now: float) -> list[Event]:
        """Take a datagram; bad ones are dropped and counted in :attr:`dropped`."""
        self._exchange.receive(data, source, now)
        return self._take_events()

    def handle_deadline(self, *, now: float) -> list[Event]:
        """Do what is due."""
        self._timers.run(now)
        return self._take_events()

    def next_deadline(self) -> float | None:
        """When :meth:`handle_deadline` wants to be called, on the caller's clock."""
        return self._timers.next_deadline()

    def data_to_send(self) -> list[Datagram]:
        """Take what is to be sent; call after every other method."""
        return self._exchange.data_to_send()

    def lookup(self, target: bytes | None = None, *, now: float) -> int:
        """Begin a search, after a refresh if nobody is known; :class:`LookupFinished` ends it.

        Args:
            target: 64 bytes, a public key or not; random if None.

        Returns:
            The number of the search.
        """
        self._lookups += 1
        number = self._lookups

        def finished(nodes: list[Node], now: float) -> None:
            self._events.append(LookupFinished(number=number, nodes=tuple(nodes)))

        def begin(now: float) -> None:
            self._search(target if target is not None else self._random_target(), now, finished)

        if len(self.table) or not (self._bootnodes or self._seeds):
            self._timers.at(now, begin)
        else:
            self._after_refresh.append(begin)
            self._refresh(now)
        return number

    def random_nodes(self, count: int) -> list[Node]:
        """Different nodes of the table, up to `count`."""
        return self.table.random_nodes(count)

    def resolve(self, node: Node, *, now: float) -> int:
        """Begin to ask where a node is now: itself at the endpoint given, then the network (spec 02 section 9.5).

        :class:`Resolved` ends it.

        Returns:
            The number of the question; those of searches are others.
        """
        self._lookups += 1
        number = self._lookups

        def end(found: Node | None) -> None:
            self._events.append(Resolved(number=number, node=found))

        def ask(whom: Node | None, then: Callable[[float], None], now: float) -> None:
            if whom is None or whom.ip is None or not whom.udp:
                then(now)
            else:
                self._exchange.request_record(whom, now, partial(answered, then))

        def answered(then: Callable[[float], None], record: Record | None, now: float) -> None:
            if record is not None and record.node.ip is not None:
                end(record.node)
            else:
                then(now)

        def search(now: float) -> None:
            self._search(node.key.raw, now, searched)

        def searched(nodes: list[Node], now: float) -> None:
            ask(next((one for one in nodes if one.id == node.id), None), lambda now: end(None), now)

        self._timers.at(now, partial(ask, node, search))
        return number

    def remembered(self, *, now: float) -> Database:
        """For the next run: nodes of the table that answered, and the seeds that may yet do."""
        offset = self.unix_offset
        nodes = {seed.node.id: seed for seed in self._seeds}
        for entry in self.table:
            at = self._exchange.bonds.last_pong(peer_of(entry.node))
            if at is not None:
                nodes[entry.node.id] = Remembered(entry.node, round(at + offset))
        return Database(self.record.seq, latest(nodes.values(), now=now + offset))

    @property
    def record(self) -> Record:
        """Our own."""
        return self._exchange.record

    @property
    def dropped(self) -> Counter[str]:
        """Datagrams that led to nothing, by cause: malformed, own, expired, unbonded, unsolicited."""
        return self._exchange.dropped

    @property
    def unix_offset(self) -> float:
        return self._exchange.unix_offset

    @unix_offset.setter
    def unix_offset(self, offset: float) -> None:
        self._exchange.unix_offset = offset

    def _take_events(self) -> list[Event]:
        events, self._events = self._events, []
        return events

    # -- what conversations ask (the Owner of node.discv4.exchange)

    def closest_live(self, target: bytes) -> list[Node]:
        return self.table.closest(target, RESULT_SIZE, only_live=True)

    def verified(self, node: Node) -> None:
        # Until then whoever pings first could fill the table.
        if self._initialised:
            self.table.add_verified(node)

    def seen_at(self, host: IPAddress, endpoint: Endpoint, now: float) -> None:
        if self._predictor is None:
            return
        self._predictor.add(host, endpoint, now)
        predicted, own = self._predictor.predict(now), self.record.node
        if predicted is not None and predicted != (own.ip, own.udp):
            seq, (ip, port) = self.record.seq + 1, predicted
            self._exchange.record = make_record(self._key, seq=seq, ip=ip, tcp=own.tcp, udp=port)
            self._events.append(RecordChanged(record=self.record))

    # -- searching

    def _search(self, target: bytes, now: float, finished: Found) -> None:
        point = keccak256(target)
        lookup = Lookup(point, self.table.closest(point, RESULT_SIZE), own_id=self._own_id)

        def advance(now: float) -> None:
            for node in lookup.next_queries():
                self._exchange.find(node, target, now, partial(answered, node))
            if lookup.finished:
                finished(lookup.closest, now)

        def answered(node: Node, found: list[Node], now: float) -> None:
            self._learn(node, found)
            lookup.answered(found)
            advance(now)

        advance(now)

    def _learn(self, node: Node, found: list[Node]) -> None:
        """A node told about others, or did not."""
        bonds, peer = self._exchange.bonds, peer_of(node)
        if found:
            bonds.find_answered(peer)
        elif bonds.find_failed(peer) >= MAX_FIND_FAILURES:
            self.table.remove(node.id)
        for one in found:
            self.table.add_seen(one)

    def _random_target(self) -> bytes:
        return self._rng.randbytes(PUBLIC_KEY_BYTES)

    # -- the table

    def _refresh(self, now: float) -> None:
        """Look for ourselves, which makes us known to our neighbours, then in random directions."""
        if self._refreshing:
            return
        self._refreshing = True
        seeds = self._rng.sample(self._seeds, min(MAX_SEEDS, len(self._seeds)))
        for node in (*self._bootnodes, *(seed.node for seed in seeds)):
            self.table.add_seen(node)
        targets = [self._own_key, *(self._random_target() for _ in range(RANDOM_LOOKUPS))]

        def next_search(_: list[Node], now: float) -> None:
            if targets:
                self._search(targets.pop(0), now, next_search)
            else:
                self._refreshed(now)

        self._timers.at(now, partial(next_search, []))

    def _refreshed(self, now: float) -> None:
        self._refreshing, self._initialised = False, True
        waiting, self._after_refresh = self._after_refresh, []
        for begin in waiting:
            begin(now)
        alone = (self._bootnodes or self._seeds) and not len(self.table)
        interval = self._intervals.refresh_empty_s if alone else self._intervals.refresh_s
        self._refreshes += 1
        self._timers.at(now + interval, partial(self._refresh_again, self._refreshes))

    def _refresh_again(self, number: int, now: float) -> None:
        # A search may have had one made in the meantime, which then planned the next.
        if number == self._refreshes:
            self._refresh(now)

    def _plan_revalidation(self, now: float) -> None:
        self._timers.at(now + self._rng.uniform(0, self._intervals.revalidate_max_s), self._revalidate)

    def _revalidate(self, now: float) -> None:
        """Have one node show that it is alive."""
        entry = self.table.to_revalidate()
        if entry is None:
            self._plan_revalidation(now)
        else:
            self._exchange.ping(entry.node, now, partial(self._revalidated, entry))

    def _revalidated(self, entry: Entry, pong: Pong | None, now: float) -> None:
        node = entry.node

        def renewed(record: Record | None, now: float) -> None:
            if record is not None and record.seq >= entry.seq and record.node.udp:
                self.table.alive(node.id, node=record.node, seq=record.seq)
            else:
                self.table.alive(node.id)
            self._plan_revalidation(now)

        if pong is None:
            self.table.dead(node.id)
            self._plan_revalidation(now)
        elif pong.enr_seq > entry.seq:
            self._exchange.request_record(node, now, renewed)
        else:
            renewed(None, now)
