"""node.discv4.endpoint: addresses in packets (spec 04 section 2)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.discv4.endpoint import Address, Endpoint, Neighbor, pack_ip, unpack_ip
from node.enode import Node, parse_ip
from node.rlp.codec import decode
from node.rlp.structure import encode_struct
from tests.support.keys import make_key


@given(st.ip_addresses())
def test_round_trip(ip: object) -> None:
    address = parse_ip(str(ip))
    assert unpack_ip(pack_ip(address)) == address


@pytest.mark.parametrize("size", [0, 1, 3, 5, 15, 17])
def test_no_address(size: int) -> None:
    assert unpack_ip(bytes(size)) is None
    assert pack_ip(None) == b""


def test_ipv4_in_ipv6_is_ipv4() -> None:
    assert unpack_ip(bytes(10) + b"\xff\xff\x01\x02\x03\x04") == parse_ip("1.2.3.4")
    assert Endpoint.of(Address(parse_ip("::ffff:1.2.3.4"), 5), tcp=6) == Endpoint(ip=b"\x01\x02\x03\x04", udp=5, tcp=6)


def test_udp_comes_before_tcp() -> None:
    """Spec 04 pitfall 2."""
    assert decode(encode_struct(Endpoint(ip=b"\x01\x02\x03\x04", udp=5, tcp=6))) == [
        b"\x01\x02\x03\x04",
        b"\x05",
        b"\x06",
    ]
    key = make_key(2).public
    told = Neighbor.of(Node(key, parse_ip("1.2.3.4"), 6, 5))
    assert decode(encode_struct(told)) == [b"\x01\x02\x03\x04", b"\x05", b"\x06", key.raw]
