"""node.discv4.table: buckets, replacements, limits per network, closest nodes (spec 04 section 6)."""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.crypto.secp256k1 import PublicKey
from node.discv4.lookup import distance_key
from node.discv4.table import (
    BUCKET_SIZE,
    BUCKETS,
    MAX_PER_SUBNET,
    MAX_PER_SUBNET_AND_BUCKET,
    MAX_REPLACEMENTS,
    Table,
    log_distance,
)
from node.enode import Node, parse_ip
from node.ids import NodeId
from tests.support.keys import make_key

OWN = make_key(1).public.node_id
KEYS: list[PublicKey] = [make_key(n).public for n in range(2, 300)]
FARTHEST = [key for key in KEYS if log_distance(OWN, key.node_id) == 256]
SECOND = [key for key in KEYS if log_distance(OWN, key.node_id) == 255]
LAN = "10.0.0.1"


def at(key: PublicKey, ip: str = LAN, udp: int = 30303) -> Node:
    return Node(key, parse_ip(ip), udp, udp)


def public_ips(subnet: int) -> Iterator[str]:
    return (f"8.8.{subnet}.{n}" for n in range(1, 255))


@pytest.fixture
def table() -> Table:
    return Table(OWN, rng=random.Random(1))


def nodes(table: Table) -> list[Node]:
    return [entry.node for entry in table]


def test_the_constants() -> None:
    assert (BUCKET_SIZE, MAX_REPLACEMENTS, BUCKETS) == (16, 10, 17)
    assert (MAX_PER_SUBNET_AND_BUCKET, MAX_PER_SUBNET) == (2, 10)


def test_the_distance_is_the_bit_length_of_the_xor() -> None:
    zero = NodeId(bytes(32))
    assert log_distance(zero, zero) == 0
    assert log_distance(zero, NodeId(bytes(31) + b"\x01")) == 1
    assert log_distance(zero, NodeId(b"\x00\x01" + bytes(30))) == 241
    assert log_distance(zero, NodeId(b"\x80" + bytes(31))) == 256


@pytest.mark.parametrize(("distance", "bucket"), [(1, 0), (239, 0), (240, 0), (241, 1), (255, 15), (256, 16)])
def test_everything_near_is_in_the_first_bucket(table: Table, distance: int, bucket: int) -> None:
    node_id = NodeId((int.from_bytes(OWN, "big") ^ 1 << distance - 1).to_bytes(32, "big"))
    assert table._bucket(node_id) is table._buckets[bucket]


def test_the_seen_go_to_the_end_and_the_verified_to_the_front(table: Table) -> None:
    a, b, c, d = (at(key) for key in FARTHEST[:4])
    table.add_seen(a)
    table.add_seen(b)
    table.add_verified(c)
    assert nodes(table) == [c, a, b]
    table.add_verified(b)
    assert nodes(table) == [b, c, a]
    table.add_seen(a)
    assert nodes(table) == [b, c, a]
    table.add_verified(d)
    assert nodes(table) == [d, b, c, a]


def test_hearsay_does_not_change_an_endpoint_but_the_node_itself_does(table: Table) -> None:
    node, moved = at(FARTHEST[0]), at(FARTHEST[0], "10.0.0.9", 999)
    table.add_seen(node)
    table.add_seen(moved)
    assert nodes(table) == [node]
    table.add_verified(moved)
    assert nodes(table) == [moved]


def test_ourselves_and_nodes_without_address_never_come_in(table: Table) -> None:
    for node in (at(make_key(1).public), Node(FARTHEST[0])):
        table.add_seen(node)
        table.add_verified(node)
    assert len(table) == 0


def test_a_full_bucket_has_a_waiting_list(table: Table) -> None:
    for key in FARTHEST[:40]:
        table.add_verified(at(key))
    bucket = table._buckets[16]
    assert len(bucket.entries) == BUCKET_SIZE
    assert [entry.node.key for entry in bucket.waiting] == list(reversed(FARTHEST[30:40]))
    table.add_seen(at(SECOND[0]))
    assert len(table) == BUCKET_SIZE + 1


def test_one_that_waits_replaces_the_dead(table: Table) -> None:
    for key in FARTHEST[:20]:
        table.add_seen(at(key))
    dead = table.to_revalidate()
    assert dead is not None
    assert dead.node.key == FARTHEST[15]
    table.dead(dead.node.id)
    assert len(table) == BUCKET_SIZE
    assert table.get(dead.node.id) is None
    assert nodes(table)[-1].key in FARTHEST[16:20]
    assert len(table._buckets[16].waiting) == 3


def test_a_dead_one_that_was_heard_of_in_the_meantime_stays(table: Table) -> None:
    a, b = (at(key) for key in FARTHEST[:2])
    table.add_seen(a)
    table.add_seen(b)
    table.add_verified(b)
    table.dead(b.id)
    assert len(table) == 2
    table.dead(a.id)
    assert nodes(table) == [b]


def test_the_alive_move_to_the_front(table: Table) -> None:
    a, b = (at(key) for key in FARTHEST[:2])
    table.add_seen(a)
    table.add_seen(b)
    table.alive(b.id)
    assert nodes(table) == [b, a]
    moved = at(FARTHEST[1], udp=4)
    table.alive(b.id, node=moved, seq=7)
    entry = table.get(b.id)
    assert entry is not None
    assert (entry.node, entry.seq, entry.liveness_checks) == (moved, 7, 2)
    table.alive(at(FARTHEST[9]).id)
    assert len(table) == 2


def test_one_that_waited_and_comes_in_waits_no_more(table: Table) -> None:
    for key in FARTHEST[:17]:
        table.add_seen(at(key))
    table.remove(FARTHEST[0].node_id)
    table.add_verified(at(FARTHEST[16]))
    assert nodes(table)[0].key == FARTHEST[16]
    assert table._buckets[16].waiting == []


# -- limits per network


def test_two_per_network_and_bucket(table: Table) -> None:
    for key, ip in zip(FARTHEST, public_ips(1), strict=False):
        table.add_seen(at(key, ip))
    assert len(table) == 2
    table.add_seen(at(FARTHEST[5], "8.8.2.1"))
    assert len(table) == 3


def test_ten_per_network(table: Table) -> None:
    for key, ip in zip(KEYS, public_ips(1), strict=False):
        table.add_seen(at(key, ip))
    by_bucket = [len(bucket.entries) for bucket in table._buckets]
    assert max(by_bucket) == 2
    assert len(table) <= MAX_PER_SUBNET


def test_the_waiting_count_too(table: Table) -> None:
    for key in FARTHEST[:16]:
        table.add_seen(at(key))
    for key, ip in zip(FARTHEST[16:], public_ips(1), strict=False):
        table.add_seen(at(key, ip))
    assert len(table._buckets[16].waiting) == 2


def test_the_local_network_is_exempt(table: Table) -> None:
    for key in FARTHEST[:10]:
        table.add_seen(at(key, "192.168.1.1"))
    assert len(table) == 10


def test_places_are_given_back(table: Table) -> None:
    ips = public_ips(1)
    for key in FARTHEST[:2]:
        table.add_seen(at(key, next(ips)))
    table.remove(FARTHEST[0].node_id)
    table.add_seen(at(FARTHEST[2], next(ips)))
    table.dead(FARTHEST[2].node_id)
    table.add_seen(at(FARTHEST[3], next(ips)))
    table.add_verified(at(FARTHEST[3], "9.9.9.9"))
    table.add_seen(at(FARTHEST[4], next(ips)))
    assert {node.key for node in nodes(table)} == {FARTHEST[1], FARTHEST[3], FARTHEST[4]}


def test_a_node_does_not_move_into_a_full_network(table: Table) -> None:
    ips = public_ips(1)
    for key in FARTHEST[:2]:
        table.add_seen(at(key, next(ips)))
    node = at(FARTHEST[2], "9.9.9.9")
    table.add_seen(node)
    table.add_verified(at(FARTHEST[2], next(ips)))
    entry = table.get(node.id)
    assert entry is not None
    assert entry.node == node


@given(
    st.lists(
        st.tuples(st.integers(0, 60), st.sampled_from(["seen", "verified", "remove", "dead", "alive"])), max_size=200
    )
)
def test_counts_stay_true_whatever_happens(steps: list[tuple[int, str]]) -> None:
    table = Table(OWN, rng=random.Random(1))
    for step, (number, what) in enumerate(steps):
        key = FARTHEST[number % len(FARTHEST)]
        node = at(key, f"8.8.{step % 4}.{number + 1}")
        match what:
            case "seen":
                table.add_seen(node)
            case "verified":
                table.add_verified(node)
            case _:
                getattr(table, what)(node.id)
        bucket = table._buckets[16]
        held = bucket.entries + bucket.waiting
        assert len({entry.node.id for entry in held}) == len(held)
        assert sum(bucket.subnets._counts.values()) == sum(table._subnets._counts.values()) == len(held)
        assert max(bucket.subnets._counts.values(), default=0) <= MAX_PER_SUBNET_AND_BUCKET


# -- looking things up


@given(st.binary(min_size=32, max_size=32), st.integers(0, 20))
def test_closest(target: bytes, count: int) -> None:
    table = Table(OWN, rng=random.Random(1))
    for key in KEYS[:60]:
        table.add_seen(at(key))
    expected = sorted(nodes(table), key=lambda node: distance_key(target, node.id))[:count]
    assert table.closest(target, count) == expected
    assert table.closest(target, count, only_live=True) == []
    table.alive(expected[0].id) if expected else None
    assert table.closest(target, count, only_live=True) == expected[:1]


def test_nothing_to_revalidate_in_an_empty_table(table: Table) -> None:
    assert table.to_revalidate() is None


def test_every_bucket_has_its_turn(table: Table) -> None:
    for key in (FARTHEST[0], SECOND[0]):
        table.add_seen(at(key))
    turns = {entry.node.key for _ in range(50) if (entry := table.to_revalidate()) is not None}
    assert turns == {FARTHEST[0], SECOND[0]}
