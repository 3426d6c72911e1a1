"""Free subnets around what is in use."""

from __future__ import annotations

from ipaddress import IPv4Network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.errors import PreflightError
from orchestrator.subnets import POOLS, choose, parse_proc_routes, parse_routes

# https://man7.org/linux/man-pages/man5/proc_pid_net.5.html names the file; columns as this machine's kernel prints them
PROC_ROUTE = """\
Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT
eth0\t00000000\t0101A8C0\t0003\t0\t0\t0\t00000000\t0\t0\t0
docker0\t000011AC\t00000000\t0001\t0\t0\t0\t0000FFFF\t0\t0\t0
eth0\t0001A8C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0
tun0\t0000C90A\t00000000\t0001\t0\t0\t0\t0000FFFF\t0\t0\t0
garbage
"""
IP_ROUTE = """\
default via 192.168.1.1 dev eth0 proto dhcp
10.201.0.0/16 dev tun0 proto static scope link
172.17.0.0/16 dev docker0 proto kernel scope link src 172.17.0.1 linkdown
192.168.1.7 dev eth0 scope link
unreachable 10.9.0.0/16 metric 4294967295
0.0.0.0/1 via 10.8.0.1 dev tun1
"""


def test_the_first_pool_is_preferred() -> None:
    found = choose([], hosts=5, start="a")
    assert found.prefixlen == 24
    assert found.subnet_of(POOLS[0])
    assert found == choose([], hosts=5, start="a")
    assert found != choose([], hosts=5, start="b")


@pytest.mark.parametrize(("hosts", "prefix"), [(1, 24), (253, 24), (254, 23), (509, 23), (510, 22), (1021, 22)])
def test_as_large_as_needed(hosts: int, prefix: int) -> None:
    assert choose([], hosts=hosts, start="a").prefixlen == prefix


def test_too_many_hosts() -> None:
    with pytest.raises(PreflightError, match="5000 hosts"):
        choose([], hosts=5000, start="a")


@given(
    st.lists(
        st.builds(
            lambda address, prefix: IPv4Network((address, prefix), strict=False),
            st.integers(int(POOLS[0].network_address), int(POOLS[1].broadcast_address)),
            st.integers(16, 32),
        ),
        max_size=20,
    ),
    st.text(),
)
def test_never_overlaps_with_what_is_used(used: list[IPv4Network], start: str) -> None:
    chosen = choose(used, hosts=10, start=start)
    assert not any(chosen.overlaps(network) for network in used)


def test_each_subnet_in_turn_until_none_is_left() -> None:
    used: list[IPv4Network] = [IPv4Network("10.0.0.0/8"), IPv4Network("172.16.0.0/12"), IPv4Network("198.18.0.0/15")]
    for _ in range(64):
        used.append(choose(used, hosts=200, start="x"))
        assert used[-1].subnet_of(IPv4Network("192.168.192.0/18"))
    with pytest.raises(PreflightError, match="no free /24 subnet") as caught:
        choose(used, hosts=200, start="x")
    assert "lab gc" in caught.value.hint


def test_default_routes_in_disguise_do_not_count() -> None:
    halves = [IPv4Network("0.0.0.0/1"), IPv4Network("128.0.0.0/1")]
    assert choose(halves, hosts=5, start="a") == choose([], hosts=5, start="a")


def test_proc_net_route() -> None:
    expected = [IPv4Network("172.17.0.0/16"), IPv4Network("192.168.1.0/24"), IPv4Network("10.201.0.0/16")]
    assert parse_proc_routes(PROC_ROUTE, byteorder="little") == expected
    assert parse_routes(PROC_ROUTE) == parse_proc_routes(PROC_ROUTE)


def test_ip_route() -> None:
    assert [str(network) for network in parse_routes(IP_ROUTE)] == [
        "10.201.0.0/16",
        "172.17.0.0/16",
        "192.168.1.7/32",
        "10.9.0.0/16",
        "0.0.0.0/1",
    ]


@given(st.text())
def test_any_text_is_read(text: str) -> None:
    parse_routes(text)
    parse_proc_routes(text)
