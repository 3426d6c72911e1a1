"""The nodes we know, by their distance from us (spec 04 section 6)."""

from __future__ import annotations

import ipaddress
import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from node.discv4.lookup import distance_key
from node.enode import IPAddress, Node
from node.ids import NodeId
from node.networks import is_lan

BUCKET_SIZE = 16
MAX_REPLACEMENTS = 10
"""Nodes that wait for a place in a bucket."""
BUCKETS = 17
NEAREST_DISTANCE = 240
"""In bits; everything up to it is in the first bucket."""
SUBNET_BITS = 24
MAX_PER_SUBNET_AND_BUCKET = 2
MAX_PER_SUBNET = 10
"""Nodes of one /24, those waiting included; addresses of the local network are exempt."""


def log_distance(a: NodeId, b: NodeId) -> int:
    """Bit length of the XOR; 0 to 256."""
    return (int.from_bytes(a, "big") ^ int.from_bytes(b, "big")).bit_length()


@dataclass(slots=True)
class Entry:
    """A node in the table."""

    node: Node
    liveness_checks: int = 0
    """How often it answered when it was its turn; only nodes with some are told to others."""
    seq: int = 0
    """Of the record that `node` was made from."""


class _Subnets:
    """How many nodes there are of each /24."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._counts: Counter[object] = Counter()

    def has_room(self, ip: IPAddress) -> bool:
        return self._counts[_subnet(ip)] < self._limit

    def add(self, ip: IPAddress) -> None:
        self._counts[_subnet(ip)] += 1

    def remove(self, ip: IPAddress) -> None:
        subnet = _subnet(ip)
        self._counts[subnet] -= 1
        if not self._counts[subnet]:
            del self._counts[subnet]


def _subnet(ip: IPAddress) -> object:
    return ipaddress.ip_network((ip, SUBNET_BITS), strict=False)


@dataclass(slots=True)
class _Bucket:
    entries: list[Entry] = field(default_factory=list)
    """Longest not seen last."""
    waiting: list[Entry] = field(default_factory=list)
    """Longest waiting last."""
    subnets: _Subnets = field(default_factory=lambda: _Subnets(MAX_PER_SUBNET_AND_BUCKET))


class Table:
    """Up to 16 nodes in each of 17 buckets."""

    def __init__(self, own_id: NodeId, *, rng: random.Random) -> None:
        self._own_id, self._rng = own_id, rng
        self._buckets = [_Bucket() for _ in range(BUCKETS)]
        self._subnets = _Subnets(MAX_PER_SUBNET)

    def __len__(self) -> int:
        return sum(len(bucket.entries) for bucket in self._buckets)

    def __iter__(self) -> Iterator[Entry]:
        for bucket in self._buckets:
            yield from bucket.entries

    def get(self, node_id: NodeId) -> Entry | None:
        return _find(self._bucket(node_id).entries, node_id)

    def add_seen(self, node: Node) -> None:
        """Add a node that others, or our settings, told about: at the end, if there is room."""
        self._add(node, verified=False)

    def add_verified(self, node: Node) -> None:
        """Add a node that answered us: at the front."""
        self._add(node, verified=True)

    def _add(self, node: Node, *, verified: bool) -> None:
        if node.id == self._own_id or node.ip is None:
            return
        bucket = self._bucket(node.id)
        entry = _find(bucket.entries, node.id)
        if entry is not None:
            if verified:
                self._update(bucket, entry, node, entry.seq)
                _to_front(bucket.entries, entry)
            return
        waiting = _find(bucket.waiting, node.id)
        if len(bucket.entries) >= BUCKET_SIZE:
            if waiting is None and self._take_place(bucket, node.ip):
                bucket.waiting.insert(0, Entry(node))
                if len(bucket.waiting) > MAX_REPLACEMENTS:
                    self._leave(bucket, bucket.waiting.pop())
            return
        if waiting is not None:
            bucket.waiting.remove(waiting)
            self._leave(bucket, waiting)
        if self._take_place(bucket, node.ip):
            bucket.entries.insert(0 if verified else len(bucket.entries), Entry(node))

    def remove(self, node_id: NodeId) -> None:
        """Forget a node."""
        bucket = self._bucket(node_id)
        entry = _find(bucket.entries, node_id)
        if entry is not None:
            bucket.entries.remove(entry)
            self._leave(bucket, entry)

    def to_revalidate(self) -> Entry | None:
        """Whose turn it is to show that it is alive: the last of a random bucket that has some."""
        used = [bucket for bucket in self._buckets if bucket.entries]
        return self._rng.choice(used).entries[-1] if used else None

    def is_last(self, node_id: NodeId) -> bool:
        """Whether a node is still the one of its bucket that was not seen for longest."""
        entries = self._bucket(node_id).entries
        return bool(entries) and entries[-1].node.id == node_id

    def alive(self, node_id: NodeId, *, node: Node | None = None, seq: int = 0) -> None:
        """A node answered when it was its turn.

        Args:
            node, seq: what its new record says, if there is one.
        """
        bucket = self._bucket(node_id)
        entry = _find(bucket.entries, node_id)
        if entry is not None:
            entry.liveness_checks += 1
            if node is not None:
                self._update(bucket, entry, node, seq)
            _to_front(bucket.entries, entry)

    def dead(self, node_id: NodeId) -> None:
        """A node did not answer when it was its turn: a random one of those waiting takes its place.

        One that moved from the end in the meantime was heard of and stays.
        """
        bucket = self._bucket(node_id)
        if not self.is_last(node_id):
            return
        self._leave(bucket, bucket.entries.pop())
        if bucket.waiting:
            bucket.entries.append(bucket.waiting.pop(self._rng.randrange(len(bucket.waiting))))

    def closest(self, target: bytes, count: int, *, only_live: bool = False) -> list[Node]:
        """The nodes closest to a point on the scale of node IDs, closest first.

        Args:
            only_live: only those that showed that they are alive.
        """
        nodes = [entry.node for entry in self if entry.liveness_checks or not only_live]
        return sorted(nodes, key=lambda node: distance_key(target, node.id))[:count]

    def random_nodes(self, count: int) -> list[Node]:
        """Different nodes, up to `count`."""
        nodes = [entry.node for entry in self]
        return self._rng.sample(nodes, min(count, len(nodes)))

    def _bucket(self, node_id: NodeId) -> _Bucket:
        return self._buckets[max(0, log_distance(self._own_id, node_id) - NEAREST_DISTANCE)]

    def _update(self, bucket: _Bucket, entry: Entry, node: Node, seq: int) -> None:
        """Take over a new endpoint unless there are too many nodes in its /24."""
        assert node.ip is not None
        if node.ip != entry.node.ip:
            self._leave(bucket, entry)
            if not self._take_place(bucket, node.ip):
                assert entry.node.ip is not None
                self._count(bucket, entry.node.ip)
                return
        entry.node, entry.seq = node, seq

    def _take_place(self, bucket: _Bucket, ip: IPAddress) -> bool:
        if not is_lan(ip) and not (self._subnets.has_room(ip) and bucket.subnets.has_room(ip)):
            return False
        self._count(bucket, ip)
        return True

    def _count(self, bucket: _Bucket, ip: IPAddress) -> None:
        if not is_lan(ip):
            self._subnets.add(ip)
            bucket.subnets.add(ip)

    def _leave(self, bucket: _Bucket, entry: Entry) -> None:
        ip = entry.node.ip
        assert ip is not None
        if not is_lan(ip):
            self._subnets.remove(ip)
            bucket.subnets.remove(ip)


def _find(entries: list[Entry], node_id: NodeId) -> Entry | None:
    return next((entry for entry in entries if entry.node.id == node_id), None)


def _to_front(entries: list[Entry], entry: Entry) -> None:
    entries.remove(entry)
    entries.insert(0, entry)
