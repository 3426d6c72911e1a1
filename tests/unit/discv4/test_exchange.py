"""node.discv4.exchange: who is answered, who is believed, what a flood leaves behind (spec 04 sections 3 and 4)."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.crypto.keccak import keccak256
from node.discv4 import bonds
from node.discv4.bonds import BOND_LIFETIME_S, Peer
from node.discv4.core import Discovery, Intervals
from node.discv4.endpoint import Address, Endpoint, Neighbor
from node.discv4.exchange import EXPIRATION_S, MAX_PING_BACKS
from node.discv4.packet import (
    MAX_NEIGHBORS,
    EnrRequest,
    EnrResponse,
    FindNode,
    Neighbors,
    Packet,
    Ping,
    Pong,
    encode_packet,
    seq_element,
)
from node.enode import Node, parse_ip
from node.enr import make_record
from tests.support.discovery import EPOCH, SimNetwork, SimNode, Stranger
from tests.support.keys import flip_bit, make_key

RARELY = Intervals(refresh_s=1e9, revalidate_max_s=1e9)
TARGET = bytes(64)
LOCAL = parse_ip("127.0.0.1")


@pytest.fixture
def network() -> SimNetwork:
    return SimNetwork()


@pytest.fixture
def node(network: SimNetwork) -> SimNode:
    node = network.add(1, intervals=RARELY)
    network.run(0.1)
    return node


@pytest.fixture
def stranger(network: SimNetwork) -> Stranger:
    return Stranger(network, 77)


def soon(network: SimNetwork) -> int:
    return int(EPOCH + network.now) + EXPIRATION_S


def ping(network: SimNetwork, **fields: object) -> Ping:
    values: dict[str, object] = {
        "sender": Endpoint(ip=b"\x01\x02\x03\x04", udp=1, tcp=30999),
        "to": Endpoint(),
        "expiration": soon(network),
    }
    return Ping(**(values | fields))  # type: ignore[arg-type]


def find(network: SimNetwork) -> FindNode:
    return FindNode(target=TARGET, expiration=soon(network))


def pong_to(network: SimNetwork, stranger: Stranger, node: SimNode) -> None:
    """Answer the last PING of the node."""
    asked = next(received for received in reversed(stranger.inbox) if isinstance(received.packet, Ping))
    stranger.send(Pong(to=Endpoint(), ping_hash=asked.hash, expiration=soon(network)), node)


def bond(network: SimNetwork, stranger: Stranger, node: SimNode) -> None:
    stranger.send(ping(network), node)
    network.run(0.1)
    pong_to(network, stranger, node)
    network.run(0.1)
    stranger.take()


# -- PING and PONG


def test_a_ping_is_answered_to_where_it_came_from(network: SimNetwork, node: SimNode, stranger: Stranger) -> None:
    digest = stranger.send(ping(network), node)
    network.run(0.1)
    pong, back = stranger.take()
    assert isinstance(pong, Pong)
    assert pong.ping_hash == digest
    assert pong.to == Endpoint.of(stranger.address, tcp=30999)
    assert pong.expiration == EPOCH + EXPIRATION_S
    assert pong.enr_seq == 1
    assert isinstance(back, Ping)
    assert back.sender == Endpoint.of(node.address, tcp=30303)
    assert back.to == Endpoint.of(stranger.address)
    assert (back.version, back.enr_seq) == (4, 1)


def test_only_who_answers_our_ping_gets_into_the_table(network: SimNetwork, node: SimNode, stranger: Stranger) -> None:
    stranger.send(ping(network), node)
    network.run(0.1)
    assert len(node.core.table) == 0
    pong_to(network, stranger, node)
    entry = node.core.table.get(stranger.node.id)
    assert entry is not None
    assert entry.node == Node(stranger.key.public, stranger.address.ip, 30999, stranger.address.port)


def test_a_known_node_is_not_pinged_back_and_comes_in_at_once(
    network: SimNetwork, node: SimNode, stranger: Stranger
) -> None:
    bond(network, stranger, node)
    node.core.table.remove(stranger.node.id)
    stranger.send(ping(network), node)
    network.run(0.1)
    assert [type(packet) for packet in stranger.take()] == [Pong]
    assert node.core.table.get(stranger.node.id) is not None


@pytest.mark.parametrize("change", ["hash", "key", "ip", "late"])
def test_a_pong_that_does_not_fit(network: SimNetwork, node: SimNode, stranger: Stranger, change: str) -> None:
    stranger.send(ping(network), node)
    network.run(0.1)
    digest = stranger.inbox[-1].hash
    pong = Pong(to=Endpoint(), ping_hash=flip_bit(digest, 9) if change == "hash" else digest, expiration=soon(network))
    if change == "late":
        network.run(0.5)
    sender = Stranger(network, 77, ip="10.9.9.8") if change == "ip" else stranger
    sender.send(pong, node, key=make_key(78) if change == "key" else None)
    assert node.core.dropped == {"unsolicited": 1}
    assert len(node.core.table) == 0


def test_the_port_of_an_answer_does_not_count(network: SimNetwork, node: SimNode, stranger: Stranger) -> None:
    stranger.send(ping(network), node)
    network.run(0.1)
    other_port = Stranger(network, 77, port=50505)
    other_port.send(Pong(to=Endpoint(), ping_hash=stranger.inbox[-1].hash, expiration=soon(network)), node)
    assert node.core.table.get(stranger.node.id) is not None


@pytest.mark.parametrize("expiration", [int(EPOCH) - 1, int(EPOCH), 0, 2**63, 2**64 - 1])
def test_what_is_expired_is_dropped(network: SimNetwork, node: SimNode, stranger: Stranger, expiration: int) -> None:
    packets: list[Packet] = [
        ping(network, expiration=expiration),
        Pong(to=Endpoint(), ping_hash=bytes(32), expiration=expiration),
        FindNode(target=TARGET, expiration=expiration),
        Neighbors(nodes=[], expiration=expiration),
        EnrRequest(expiration=expiration),
    ]
    for packet in packets:
        stranger.send(packet, node)
    network.run(1)
    assert stranger.take() == []
    assert node.core.dropped == {"expired": 5}


def test_our_own_packets_are_dropped(network: SimNetwork, node: SimNode, stranger: Stranger) -> None:
    stranger.send(ping(network), node, key=node.key)
    network.run(1)
    assert stranger.take() == []
    assert node.core.dropped == {"own": 1}


# -- questions need a bond


def test_no_answer_without_a_bond(network: SimNetwork, node: SimNode, stranger: Stranger) -> None:
    """Nothing that is larger than what was sent goes to an address that may be somebody else's."""
    stranger.send(find(network), node)
    stranger.send(EnrRequest(expiration=soon(network)), node)
    network.run(1)
    assert stranger.take() == []
    assert node.core.dropped == {"unbonded": 2}


def test_a_ping_is_no_bond(network: SimNetwork, node: SimNode, stranger: Stranger) -> None:
    stranger.send(ping(network), node)
    network.run(0.1)
    stranger.take()
    stranger.send(find(network), node)
    network.run(1)
    assert stranger.take() == []


def test_a_bond_is_with_an_id_at_an_address(network: SimNetwork, node: SimNode, stranger: Stranger) -> None:
    bond(network, stranger, node)
    elsewhere, another = Stranger(network, 77, ip="10.9.9.8"), Stranger(network, 78)
    for sender in (elsewhere, another):
        sender.send(find(network), node)
    network.run(0.1)
    assert elsewhere.take() == another.take() == []
    other_port = Stranger(network, 77, port=50505)
    other_port.send(find(network), node)
    network.run(0.1)
    assert len(other_port.take()) == 1


def test_a_bond_ends_after_24_h(network: SimNetwork, node: SimNode, stranger: Stranger) -> None:
    bond(network, stranger, node)
    network.run(BOND_LIFETIME_S - 1)
    stranger.send(find(network), node)
    network.run(0.1)
    assert len(stranger.take()) == 1
    network.run(2)
    stranger.send(find(network), node)
    network.run(0.1)
    assert stranger.take() == []


def test_nobody_to_tell_about_is_one_empty_packet(network: SimNetwork, node: SimNode, stranger: Stranger) -> None:
    bond(network, stranger, node)
    stranger.send(find(network), node)
    network.run(0.1)
    assert stranger.take() == [Neighbors(nodes=[], expiration=soon(network))]


def test_sixteen_neighbors_in_two_packets(network: SimNetwork, node: SimNode, stranger: Stranger) -> None:
    bond(network, stranger, node)
    for number in range(100, 140):
        node.core.table.add_seen(Node(make_key(number).public, parse_ip(f"10.1.0.{number}"), 30303, 30303))
    for entry in node.core.table:
        entry.liveness_checks = entry.node.id != stranger.node.id
    stranger.send(find(network), node)
    network.run(0.1)
    answers = stranger.take()
    assert [len(packet.nodes) for packet in answers if isinstance(packet, Neighbors)] == [MAX_NEIGHBORS, 4]
    told = [one for packet in answers if isinstance(packet, Neighbors) for one in packet.nodes]
    assert told == [Neighbor.of(one) for one in node.core.closest_live(keccak256(TARGET))]


def test_local_addresses_are_not_told_to_the_world(network: SimNetwork, node: SimNode) -> None:
    outside = Stranger(network, 77, ip="8.8.8.8")
    bond(network, outside, node)
    for number, ip in ((100, "10.1.0.1"), (101, "127.0.0.1"), (102, "9.9.9.9")):
        node.core.table.add_seen(Node(make_key(number).public, parse_ip(ip), 30303, 30303))
    for entry in node.core.table:
        entry.liveness_checks = 1
    outside.send(find(network), node)
    network.run(0.1)
    (answer,) = outside.take()
    assert isinstance(answer, Neighbors)
    assert {one.ip for one in answer.nodes} == {parse_ip("9.9.9.9").packed, parse_ip("8.8.8.8").packed}


def test_our_record(network: SimNetwork, node: SimNode, stranger: Stranger) -> None:
    bond(network, stranger, node)
    digest = stranger.send(EnrRequest(expiration=soon(network)), node)
    network.run(0.1)
    (answer,) = stranger.take()
    assert isinstance(answer, EnrResponse)
    assert answer.request_hash == digest
    assert answer.record.node == node.node


# -- asking


def ask(network: SimNetwork, node: SimNode, stranger: Stranger) -> list[list[Node]]:
    """Ask the stranger, with whom we are bonded on both sides; the list fills with the result."""
    bond(network, stranger, node)
    results: list[list[Node]] = []
    node.core._exchange.find(stranger.node, TARGET, network.now, lambda nodes, now: results.append(nodes))
    network.run(0.05)
    assert stranger.take() == [find(network)]
    return results


def neighbors(network: SimNetwork, numbers: range, ip: str = "10.1.0.1") -> Neighbors:
    nodes = [Neighbor.of(Node(make_key(n).public, parse_ip(ip), 1, 30303)) for n in numbers]
    return Neighbors(nodes=nodes, expiration=soon(network))


def test_an_answer_of_sixteen_is_complete(network: SimNetwork, node: SimNode, stranger: Stranger) -> None:
    results = ask(network, node, stranger)
    stranger.send(neighbors(network, range(100, 112)), node)
    assert results == []
    stranger.send(neighbors(network, range(112, 116)), node)
    assert [len(nodes) for nodes in results] == [16]
    stranger.send(neighbors(network, range(116, 118)), node)
    assert node.core.dropped == {"unsolicited": 1}


def test_a_shorter_answer_ends_with_the_timeout(network: SimNetwork, node: SimNode, stranger: Stranger) -> None:
    results = ask(network, node, stranger)
    stranger.send(neighbors(network, range(100, 103)), node)
    network.run(0.44)
    assert results == []
    network.run(0.02)
    assert [len(nodes) for nodes in results] == [3]


def test_bad_neighbors_are_skipped_and_counted(network: SimNetwork, node: SimNode, stranger: Stranger) -> None:
    results = ask(network, node, stranger)
    good = Neighbor.of(Node(make_key(100).public, parse_ip("10.1.0.1"), 0, 1025))
    bad = [
        Neighbor(ip=b"\x0a\x01\x00\x01", udp=1024, tcp=1, key=make_key(101).public.raw),
        Neighbor(ip=b"\x7f\x00\x00\x01", udp=2000, tcp=1, key=make_key(101).public.raw),
        Neighbor(ip=b"\x00" * 4, udp=2000, tcp=1, key=make_key(101).public.raw),
        Neighbor(ip=b"", udp=2000, tcp=1, key=make_key(101).public.raw),
        Neighbor(ip=b"\x0a\x01\x00", udp=2000, tcp=1, key=make_key(101).public.raw),
        Neighbor(ip=b"\xe0\x00\x00\x01", udp=2000, tcp=1, key=make_key(101).public.raw),
        Neighbor(ip=b"\x0a\x01\x00\x01", udp=2000, tcp=1, key=bytes(64)),
    ]
    stranger.send(Neighbors(nodes=[*bad, good], expiration=soon(network)), node)
    stranger.send(Neighbors(nodes=bad, expiration=soon(network)), node)
    stranger.send(Neighbors(nodes=bad[:1], expiration=soon(network)), node)
    assert results == [[Node(make_key(100).public, parse_ip("10.1.0.1"), 0, 1025)]]


def test_neighbors_that_nobody_asked_for(network: SimNetwork, node: SimNode, stranger: Stranger) -> None:
    bond(network, stranger, node)
    stranger.send(neighbors(network, range(100, 112)), node)
    assert node.core.dropped == {"unsolicited": 1}
    assert len(node.core.table) == 1


def test_a_node_that_did_not_ping_us_is_pinged_first(network: SimNetwork, node: SimNode, stranger: Stranger) -> None:
    """PING, 500 ms for the PONG, 500 ms for its PING, then the question; with a PONG the first wait is shorter."""
    node.core._exchange.find(stranger.node, TARGET, network.now, lambda nodes, now: None)
    network.run(0.05)
    assert [type(packet) for packet in stranger.take()] == [Ping]
    network.run(0.9)
    assert stranger.take() == []
    network.run(0.1)
    assert [type(packet) for packet in stranger.take()] == [FindNode]


@pytest.mark.parametrize("kind", ["own", "other's", "lower address"])
def test_records_that_are_asked_for(network: SimNetwork, node: SimNode, stranger: Stranger, kind: str) -> None:
    bond(network, stranger, node)
    results: list[object] = []
    node.core._exchange.request_record(stranger.node, network.now, lambda record, now: results.append(record))
    network.run(0.05)
    request = stranger.inbox[-1]
    assert isinstance(request.packet, EnrRequest)
    key = make_key(78) if kind == "other's" else stranger.key
    record = make_record(key, seq=9, ip=LOCAL if kind == "lower address" else stranger.address.ip, udp=1)
    stranger.send(EnrResponse(request_hash=bytes(32), record=record), node)
    assert results == []
    stranger.send(EnrResponse(request_hash=request.hash, record=record), node)
    assert results == [record if kind == "own" else None]


# -- floods


def test_a_flood_of_pings_is_bounded(network: SimNetwork, node: SimNode, monkeypatch: pytest.MonkeyPatch) -> None:
    """From ever new keys at ever new addresses; each gets its PONG, a few are pinged back."""
    monkeypatch.setattr(bonds, "MAX_ENDPOINTS", 200)
    exchange = node.core._exchange
    for number in range(500):
        data = encode_packet(make_key(10 + number), ping(network))
        source = Address(parse_ip(f"8.{number // 250}.{number % 250}.1"), 1)
        node.core.receive_datagram(data, source, now=network.now)
        assert len(node.core.data_to_send()) <= 2
    assert len(exchange.pending) <= MAX_PING_BACKS
    assert len(exchange.bonds) == 200
    assert len(node.core.table) == 0
    assert len(node.core._timers) <= 2 * MAX_PING_BACKS
    network.run(1)
    assert len(exchange.pending) == 0
    assert exchange._ping_backs == set()


def test_the_same_stranger_is_pinged_back_once_at_a_time(
    network: SimNetwork, node: SimNode, stranger: Stranger
) -> None:
    for _ in range(10):
        stranger.send(ping(network), node)
    network.run(0.1)
    kinds = [type(packet) for packet in stranger.take()]
    assert (kinds.count(Pong), kinds.count(Ping)) == (10, 1)


def test_strangers_do_not_push_out_the_bonded(network: SimNetwork, node: SimNode, stranger: Stranger) -> None:
    bond(network, stranger, node)
    known = node.core._exchange.bonds
    for number in range(2 * bonds.MAX_ENDPOINTS):
        known.ping_received(Peer(stranger.node.id, parse_ip(f"9.9.{number // 250}.{number % 250}")), network.now)
    assert known.is_proven(Peer(stranger.node.id, stranger.address.ip), network.now)


@given(st.lists(st.binary(max_size=1400), max_size=5), st.integers(0, 65535))
def test_any_datagrams_are_dropped_and_counted(datagrams: list[bytes], port: int) -> None:
    core = _lonely_core()
    for data in datagrams:
        assert core.receive_datagram(data, Address(LOCAL, port), now=0.0) == []
    assert core.data_to_send() == []
    assert core.dropped.total() == len(datagrams)


@given(st.data())
def test_changed_packets_never_raise(data: st.DataObject) -> None:
    """Well signed, with any fields; the sender is bonded."""
    core, key = _lonely_core(), make_key(2)
    core._exchange.bonds.pong_received(Peer(key.public.node_id, LOCAL), 0.0)
    endpoint = st.builds(Endpoint, ip=st.binary(max_size=17), udp=st.integers(0, 65535), tcp=st.integers(0, 65535))
    stamp = st.sampled_from([0, int(EPOCH) + 5, 2**64 - 1])
    neighbor = st.builds(
        Neighbor,
        ip=st.binary(max_size=17),
        udp=st.integers(0, 65535),
        tcp=st.integers(0, 65535),
        key=st.binary(min_size=64, max_size=64),
    )
    packet = data.draw(
        st.one_of(
            st.builds(Ping, sender=endpoint, to=endpoint, expiration=stamp, rest=st.just(seq_element(2**64 - 1))),
            st.builds(Pong, to=endpoint, ping_hash=st.binary(max_size=40), expiration=stamp),
            st.builds(FindNode, target=st.binary(min_size=64, max_size=64), expiration=stamp),
            st.builds(Neighbors, nodes=st.lists(neighbor, max_size=12), expiration=stamp),
            st.builds(EnrRequest, expiration=stamp),
        )
    )
    core.receive_datagram(encode_packet(key, packet), Address(LOCAL, data.draw(st.integers(0, 65535))), now=0.0)
    core.handle_deadline(now=10.0)


def _lonely_core() -> Discovery:
    record = make_record(make_key(1), seq=1, ip=LOCAL, tcp=1, udp=1)
    return Discovery(make_key(1), record, rng=random.Random(0), unix_offset=EPOCH)
