"""What discovery keeps between two runs: the number of our last record, and nodes that answered (spec 04 section 6).

To a JSON document and back; where that is kept, the p2p server knows. Times are Unix time in seconds.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from node.discv4.relay import may_relay
from node.enode import InvalidEnode, Node, parse_enode

MAX_STORED_NODES = 512
"""Those heard of last; ours. A table has room for 272."""
MAX_SEEDS = 30
"""With which a table is filled."""
SEED_MAX_AGE_S = 5 * 24 * 3600.0
"""Since the last PONG; nodes not heard of for longer are forgotten."""
MAX_SEQ = 2**62
"""Of a record in the document, which counts no further; ours. Far from what a record can hold (2^64)
and from what can be counted up to: one that is larger was not written by us."""
MAX_PONG_AT = 2**48
"""Of a node in the document, in seconds; ours: no clock is ahead by millions of years."""
SAVE_INTERVAL_S = 30.0
"""While the node runs; it is saved once more when it stops."""
FORMAT: Final = 1
"""Of the document; one of another format is not ours."""


@dataclass(frozen=True, slots=True)
class Remembered:
    """A node that answered."""

    node: Node
    """With an address and a UDP port."""
    pong_at: float
    """When it did so last."""


@dataclass(frozen=True, slots=True)
class Database:
    """Everything in the document."""

    seq: int = 0
    """Of our last record; 0 if there was none."""
    nodes: tuple[Remembered, ...] = ()

    def to_document(self) -> dict[str, Any]:
        nodes = [{"enode": one.node.url, "pong": int(one.pong_at)} for one in self.nodes]
        return {"format": FORMAT, "seq": min(self.seq, MAX_SEQ), "nodes": nodes}


def from_document(document: object, *, now: float) -> Database:
    """Read a document; nodes that make no sense or were not heard of for long are left out.

    Raises:
        ValueError: it is not ours.
    """
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise ValueError("it is no node database")
    seq, nodes = document.get("seq"), document.get("nodes")
    if type(seq) is not int or not 0 <= seq <= MAX_SEQ or not isinstance(nodes, list):
        raise ValueError("it is no node database with a record number and nodes")
    return Database(seq, latest(_nodes(nodes[:MAX_STORED_NODES]), now=now))


def latest(nodes: Iterable[Remembered], *, now: float) -> tuple[Remembered, ...]:
    """The nodes worth keeping, those heard of last first.

    Those of a time that is yet to come are kept as they are and come last: if our clock is behind, as before it is set
    after a start, they are as good as ever; if it was ahead, they must not be the latest for ever.
    """
    recent = [one for one in nodes if now - one.pong_at <= SEED_MAX_AGE_S]
    return tuple(sorted(recent, key=lambda one: (one.pong_at > now, -one.pong_at))[:MAX_STORED_NODES])


def _nodes(entries: Iterable[object]) -> Iterator[Remembered]:
    for entry in entries:
        if not isinstance(entry, dict):
            continue
        url, pong = entry.get("enode"), entry.get("pong")
        if not isinstance(url, str) or not isinstance(pong, int) or not 0 <= pong <= MAX_PONG_AT:
            continue
        try:
            node = parse_enode(url)
        except InvalidEnode:
            continue
        if node.ip is not None and node.udp and may_relay(node.ip, node.ip):
            yield Remembered(node, pong)
