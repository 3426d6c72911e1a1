"""node.discv4.database: nodes that answered, from one run to the next."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from node.discv4.database import (
    MAX_SEQ,
    MAX_STORED_NODES,
    SEED_MAX_AGE_S,
    Database,
    Remembered,
    from_document,
    latest,
)
from node.enode import Node, parse_ip
from tests.support.keys import make_key

NOW = 1_700_000_000.0
DAY_S = 24 * 3600


def node(number: int, ip: str = "10.0.0.1", port: int = 30303) -> Node:
    return Node(make_key(number).public, parse_ip(ip), port, port)


def read(document: object) -> Database:
    """As after a restart: through JSON."""
    return from_document(json.loads(json.dumps(document)), now=NOW)


def entry(**members: object) -> dict[str, Any]:
    return {"enode": node(1).url, "pong": int(NOW)} | members


def nodes_of(*entries: object) -> tuple[Remembered, ...]:
    return read({"format": 1, "seq": 0, "nodes": list(entries)}).nodes


def test_what_is_kept_comes_back() -> None:
    other = Node(make_key(2).public, parse_ip("2001:4860::8"), 0, 30303)
    database = Database(7, (Remembered(node(1), NOW - 1), Remembered(other, NOW - 10)))
    assert read(database.to_document()) == database


def test_those_heard_of_last_come_first_and_old_ones_go() -> None:
    days = [3, 0, 5.1, 4.9, 1, 400]
    kept = latest([Remembered(node(n), NOW - age * DAY_S) for n, age in enumerate(days, 1)], now=NOW)
    assert [round((NOW - one.pong_at) / DAY_S, 1) for one in kept] == [0, 1, 3, 4.9]
    assert SEED_MAX_AGE_S == 5 * DAY_S


def test_the_bounds() -> None:
    many = [Remembered(node(n), NOW - n) for n in range(1, MAX_STORED_NODES + 20)]
    assert latest(reversed(many), now=NOW) == tuple(many[:MAX_STORED_NODES])
    document = Database(1, tuple(many)).to_document()
    assert len(read(document).nodes) == MAX_STORED_NODES


@pytest.mark.parametrize(
    "document",
    [
        None,
        [],
        {},
        {"format": 2, "seq": 1, "nodes": []},
        {"format": 1, "nodes": []},
        {"format": 1, "seq": 1},
        {"format": 1, "seq": "1", "nodes": []},
        {"format": 1, "seq": True, "nodes": []},
        {"format": 1, "seq": -1, "nodes": []},
        {"format": 1, "seq": MAX_SEQ + 1, "nodes": []},
        {"format": 1, "seq": 2**63 - 1, "nodes": []},
        {"format": 1, "seq": 1, "nodes": {}},
    ],
)
def test_a_foreign_document(document: object) -> None:
    with pytest.raises(ValueError, match="it is no node database"):
        read(document)


@pytest.mark.parametrize(
    "bad",
    [
        None,
        "enode://",
        {},
        entry(enode=None),
        entry(enode="enode://00@10.0.0.1:1"),
        entry(enode=node(1).key.raw.hex()),
        entry(enode=node(1, port=0).url),
        entry(enode=node(1, "0.0.0.0").url),
        entry(enode=node(1, "224.0.0.1").url),
        entry(pong=None),
        entry(pong="now"),
        entry(pong=-1),
        entry(pong=10**300),
        entry(pong=10**4000),
        entry(pong=NOW - 6 * DAY_S),
        entry(pong=int(NOW - 6 * DAY_S)),
    ],
    ids=lambda bad: str(bad)[-40:],
)
def test_what_is_no_node_is_left_out(bad: object) -> None:
    good = {"enode": node(2).url, "pong": int(NOW) - 5}
    assert nodes_of(bad, good) == (Remembered(node(2), NOW - 5),)


def test_a_clock_that_was_ahead() -> None:
    """It does not make a node the latest for ever."""
    ahead, lately = entry(pong=int(NOW) + 400 * DAY_S), {"enode": node(2).url, "pong": int(NOW) - 4 * DAY_S}
    assert [one.node for one in nodes_of(ahead, lately)] == [node(2), node(1)]
    many = [Remembered(node(n), NOW - n) for n in range(2, MAX_STORED_NODES + 2)]
    assert node(1) not in [one.node for one in latest([Remembered(node(1), NOW + DAY_S), *many], now=NOW)]


def test_a_clock_that_is_behind_when_the_node_starts() -> None:
    """What is read, and saved, before it is set is what it was."""
    document = {"format": 1, "seq": 1, "nodes": [entry(pong=int(NOW) - 60)]}
    early = from_document(document, now=100.0)
    saved = Database(1, latest(early.nodes, now=130.0)).to_document()
    assert latest(read(saved).nodes, now=NOW) == (Remembered(node(1), NOW - 60),)


def test_a_number_that_cannot_grow_is_still_ours() -> None:
    database = Database(MAX_SEQ)
    for _ in range(3):
        database = read(replace(database, seq=database.seq + 1).to_document())
        assert database.seq == MAX_SEQ
