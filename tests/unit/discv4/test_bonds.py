"""node.discv4.bonds: who proved an endpoint, and how long that counts (spec 04 section 4)."""

from __future__ import annotations

from node.discv4.bonds import BOND_LIFETIME_S, MAX_ENDPOINTS, MAX_FIND_FAILURES, Bonds, Peer, peer_of
from node.enode import Node, parse_ip
from tests.support.keys import make_key

NODE = Node(make_key(2).public, parse_ip("10.0.0.1"), 1, 1)
PEER = peer_of(NODE)
ELSEWHERE = Peer(NODE.id, parse_ip("10.0.0.2"))


def test_the_constants() -> None:
    assert (BOND_LIFETIME_S, MAX_FIND_FAILURES) == (86400.0, 5)


def test_the_port_does_not_count_but_the_address_does() -> None:
    assert peer_of(Node(NODE.key, NODE.ip, 9, 9)) == PEER
    bonds = Bonds()
    bonds.pong_received(PEER, 0.0)
    assert bonds.is_proven(PEER, 1.0)
    assert not bonds.is_proven(ELSEWHERE, 1.0)


def test_a_proof_lasts_24_hours() -> None:
    bonds = Bonds()
    assert not bonds.is_proven(PEER, 0.0)
    bonds.pong_received(PEER, 5.0)
    assert bonds.is_proven(PEER, 5.0 + BOND_LIFETIME_S - 0.001)
    assert not bonds.is_proven(PEER, 5.0 + BOND_LIFETIME_S)


def test_who_pinged_us_lately_need_not_be_pinged_first() -> None:
    bonds = Bonds()
    bonds.pong_received(PEER, 0.0)
    assert bonds.must_ping_first(PEER, 0.0)
    bonds.ping_received(PEER, 0.0)
    assert not bonds.must_ping_first(PEER, 1.0)
    assert bonds.must_ping_first(PEER, BOND_LIFETIME_S)


def test_who_keeps_failing_is_pinged_first() -> None:
    bonds = Bonds()
    bonds.ping_received(PEER, 0.0)
    assert [bonds.find_failed(PEER) for _ in range(MAX_FIND_FAILURES)] == [1, 2, 3, 4, 5]
    assert not bonds.must_ping_first(PEER, 1.0)
    bonds.find_failed(PEER)
    assert bonds.must_ping_first(PEER, 1.0)
    bonds.find_answered(PEER)
    assert bonds.failures(PEER) == 0
    assert not bonds.must_ping_first(PEER, 1.0)


def test_memory_is_bounded_and_the_recent_stay() -> None:
    bonds = Bonds()
    peers = [_peer(n) for n in range(MAX_ENDPOINTS + 10)]
    for peer in peers[:MAX_ENDPOINTS]:
        bonds.pong_received(peer, 0.0)
    bonds.pong_received(peers[0], 1.0)
    for peer in peers[MAX_ENDPOINTS:]:
        bonds.pong_received(peer, 2.0)
    assert len(bonds) == MAX_ENDPOINTS
    assert bonds.is_proven(peers[0], 3.0)
    assert not bonds.is_proven(peers[1], 3.0)
    assert bonds.is_proven(peers[-1], 3.0)


def _peer(number: int) -> Peer:
    return Peer(NODE.id, parse_ip(f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}"))
