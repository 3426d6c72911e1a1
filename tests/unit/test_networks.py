"""node.networks: local or not, allowed or not (spec 02 section 9.4)."""

from __future__ import annotations

import ipaddress

import pytest

from node.enode import parse_ip
from node.networks import is_lan, restricted


@pytest.mark.parametrize(
    "text",
    [
        "127.0.0.1",
        "127.255.255.255",
        "0.1.2.3",
        "10.0.0.1",
        "172.16.0.1",
        "172.31.255.255",
        "192.168.1.1",
        "::1",
        "fe80::1",
        "fd00::1",
        "::ffff:10.1.2.3",
    ],
)
def test_lan(text: str) -> None:
    assert is_lan(parse_ip(text))


@pytest.mark.parametrize(
    "text", ["8.8.8.8", "11.0.0.1", "172.15.0.1", "172.32.0.1", "192.169.0.1", "2001:db8::1", "::ffff:8.8.8.8"]
)
def test_not_lan(text: str) -> None:
    assert not is_lan(parse_ip(text))


def test_net_restrict() -> None:
    networks = [ipaddress.ip_network("10.0.0.0/8"), ipaddress.ip_network("fd00::/8")]
    assert not restricted(parse_ip("8.8.8.8"), [])
    assert not restricted(parse_ip("10.1.1.1"), networks)
    assert not restricted(parse_ip("fd00::1"), networks)
    assert restricted(parse_ip("11.1.1.1"), networks)
    assert restricted(parse_ip("::1"), networks)
