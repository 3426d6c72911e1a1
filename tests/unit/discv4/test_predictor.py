"""node.discv4.predictor: who must agree before we believe where we are."""

from __future__ import annotations

from ipaddress import ip_address

import pytest

from node.discv4.endpoint import Address, Endpoint
from node.discv4.predictor import MAX_STATEMENTS, MIN_STATEMENTS, STATEMENT_LIFETIME_S, EndpointPredictor
from node.enode import parse_ip

HERE = Address(parse_ip("8.8.4.4"), 30303)


def tell(predictor: EndpointPredictor, address: Address, hosts: range, *, now: float = 0.0) -> None:
    for host in hosts:
        predictor.add(parse_ip(f"9.{host // 256}.{host % 256}.1"), Endpoint.of(address), now)


def test_ten_hosts_must_agree() -> None:
    predictor = EndpointPredictor()
    tell(predictor, HERE, range(MIN_STATEMENTS - 1))
    tell(predictor, HERE, range(MIN_STATEMENTS - 1))
    assert predictor.predict(0.0) is None
    tell(predictor, HERE, range(MIN_STATEMENTS))
    assert predictor.predict(0.0) == HERE


def test_within_five_minutes() -> None:
    predictor = EndpointPredictor()
    tell(predictor, HERE, range(5), now=0.0)
    tell(predictor, HERE, range(5, 10), now=200.0)
    assert predictor.predict(STATEMENT_LIFETIME_S - 1) == HERE
    assert predictor.predict(STATEMENT_LIFETIME_S) is None


def test_what_most_say_counts_and_of_each_host_the_last() -> None:
    predictor, moved = EndpointPredictor(), Address(HERE.ip, 40404)
    tell(predictor, HERE, range(12))
    tell(predictor, moved, range(100, 111))
    assert predictor.predict(0.0) == HERE
    tell(predictor, moved, range(12))
    assert predictor.predict(0.0) == moved


@pytest.mark.parametrize(
    "endpoint",
    [
        Endpoint(),
        Endpoint(ip=bytes(5), udp=1),
        Endpoint(ip=HERE.ip.packed),
        Endpoint(ip=bytes(4), udp=1),
        Endpoint(ip=bytes([224, 0, 0, 1]), udp=1),
        Endpoint(ip=bytes([255] * 4), udp=1),
    ],
)
def test_what_is_nobodys_endpoint_does_not_count(endpoint: Endpoint) -> None:
    predictor = EndpointPredictor()
    for host in range(20):
        predictor.add(parse_ip(f"9.0.0.{host}"), endpoint, 0.0)
    assert predictor.predict(0.0) is None


def test_the_memory_is_bounded() -> None:
    predictor = EndpointPredictor()
    tell(predictor, HERE, range(MAX_STATEMENTS + 100))
    assert len(predictor._statements) == MAX_STATEMENTS


def test_the_addresses_of_one_ipv6_network_are_one_host() -> None:
    predictor = EndpointPredictor()
    for host in range(1, 4 * MIN_STATEMENTS):
        predictor.add(parse_ip(f"2001:db9::{host:x}"), Endpoint.of(HERE), 0.0)
    assert len(predictor._statements) == 1
    for network in range(1, MIN_STATEMENTS - 1):
        predictor.add(parse_ip(f"2001:db9:0:{network:x}::1"), Endpoint.of(HERE), 0.0)
    assert predictor.predict(0.0) is None
    predictor.add(parse_ip("2001:db9:0:ffff::1"), Endpoint.of(HERE), 0.0)
    assert predictor.predict(0.0) == HERE


def test_ipv4_in_ipv6_is_ipv4() -> None:
    predictor = EndpointPredictor()
    for host in range(MIN_STATEMENTS - 1):
        for text in (f"9.0.0.{host}", f"::ffff:9.0.0.{host}"):
            predictor.add(ip_address(text), Endpoint.of(HERE), 0.0)
    assert predictor.predict(0.0) is None
    predictor.add(ip_address("::ffff:9.0.1.0"), Endpoint.of(HERE), 0.0)
    assert predictor.predict(0.0) == HERE
