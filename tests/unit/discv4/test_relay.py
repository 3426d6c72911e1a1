"""node.discv4.relay: which addresses are believed from whom (spec 04 section 5)."""

from __future__ import annotations

import ipaddress

import pytest

from node.discv4.endpoint import Neighbor
from node.discv4.relay import accept_neighbor, is_special, may_relay
from node.enode import Node, parse_ip
from tests.support.keys import make_key

KEY = make_key(2).public
WORLD, LAN, LOOPBACK = parse_ip("8.8.8.8"), parse_ip("192.168.1.1"), parse_ip("127.0.0.1")


@pytest.mark.parametrize(
    ("ip", "from_world", "from_lan", "from_loopback"),
    [
        ("8.8.4.4", True, True, True),
        ("2001:4860:4860::8888", True, True, True),
        ("10.0.0.1", False, True, True),
        ("172.16.0.1", False, True, True),
        ("192.168.0.1", False, True, True),
        ("0.1.2.3", False, True, True),
        ("fe80::1", False, True, True),
        ("fd00::1", False, True, True),
        ("127.0.0.1", False, False, True),
        ("::1", False, False, True),
        ("::ffff:127.0.0.1", False, False, True),
        ("0.0.0.0", False, False, False),
        ("::", False, False, False),
    ],
)
def test_relay(ip: str, from_world: bool, from_lan: bool, from_loopback: bool) -> None:
    address = parse_ip(ip)
    assert [may_relay(address, sender) for sender in (WORLD, LAN, LOOPBACK)] == [from_world, from_lan, from_loopback]


@pytest.mark.parametrize(
    "ip",
    [
        "224.0.0.1",
        "192.0.0.1",
        "192.0.0.9",
        "192.0.0.170",
        "192.0.0.171",
        "192.0.2.1",
        "192.31.196.1",
        "192.52.193.1",
        "192.88.99.1",
        "192.175.48.1",
        "198.18.0.1",
        "198.19.255.255",
        "198.51.100.1",
        "203.0.113.1",
        "255.255.255.255",
        "ff02::1",
        "100::1",
        "2001::1",
        "2001:1::1",
        "2001:2::1",
        "2001:3::1",
        "2001:4:112::1",
        "2001:5::1",
        "2001:10::1",
        "2001:20::1",
        "2001:db8::1",
        "2002::1",
    ],
)
def test_special_addresses_are_believed_from_nobody(ip: str) -> None:
    assert is_special(parse_ip(ip))
    assert not any(may_relay(parse_ip(ip), sender) for sender in (WORLD, LAN, LOOPBACK))


@pytest.mark.parametrize("ip", ["192.0.0.8", "192.0.1.1", "198.20.0.1", "2001:1::2", "2001:4860::1", "223.255.255.255"])
def test_their_neighbors_are_ordinary(ip: str) -> None:
    assert not is_special(parse_ip(ip))


def test_no_address() -> None:
    assert not may_relay(None, WORLD)


@pytest.mark.parametrize(("udp", "ok"), [(0, False), (1024, False), (1025, True), (65535, True)])
def test_the_port_must_be_high(udp: int, ok: bool) -> None:
    told = Neighbor(ip=b"\x08\x08\x04\x04", udp=udp, tcp=0, key=KEY.raw)
    assert accept_neighbor(told, WORLD) == (Node(KEY, parse_ip("8.8.4.4"), 0, udp) if ok else None)


def test_the_networks_allowed() -> None:
    told = Neighbor(ip=b"\x08\x08\x04\x04", udp=2000, tcp=0, key=KEY.raw)
    assert accept_neighbor(told, WORLD, [ipaddress.ip_network("8.0.0.0/8")]) is not None
    assert accept_neighbor(told, WORLD, [ipaddress.ip_network("9.0.0.0/8")]) is None


def test_the_key_must_be_on_the_curve() -> None:
    assert accept_neighbor(Neighbor(ip=b"\x08\x08\x04\x04", udp=2000, tcp=0, key=b"\x01" * 64), WORLD) is None
