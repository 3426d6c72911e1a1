"""Which addresses learned from somebody may be used at all (spec 04 section 5).

Otherwise a stranger could have us send packets to our own host, into our local network or to nowhere.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Collection

from node.crypto.secp256k1 import InvalidKey, PublicKey
from node.discv4.endpoint import Neighbor, unpack_ip
from node.enode import IPAddress, Node
from node.networks import Network, is_lan, restricted

LOW_PORTS = 1024
"""Nodes told by others must have a UDP port above."""
_SPECIAL = tuple(
    ipaddress.ip_network(net)
    for net in (
        "192.0.0.0/29",
        "192.0.0.9/32",
        "192.0.0.170/32",
        "192.0.0.171/32",
        "192.0.2.0/24",
        "192.31.196.0/24",
        "192.52.193.0/24",
        "192.88.99.0/24",
        "192.175.48.0/24",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "255.255.255.255/32",
        "100::/64",
        "2001::/32",
        "2001:1::1/128",
        "2001:2::/48",
        "2001:3::/32",
        "2001:4:112::/48",
        "2001:5::/32",
        "2001:10::/28",
        "2001:20::/28",
        "2001:db8::/32",
        "2002::/16",
    )
)


def is_special(ip: IPAddress) -> bool:
    """Multicast, documentation, benchmarking, tunnels and the like: no node lives there."""
    return ip.is_multicast or any(ip in net for net in _SPECIAL if net.version == ip.version)


def may_relay(ip: IPAddress | None, sender: IPAddress) -> bool:
    """Whether an address is believable from the mouth of `sender`, and to be told to it."""
    if ip is None or ip.is_unspecified or is_special(ip):
        return False
    if ip.is_loopback and not sender.is_loopback:
        return False
    return not is_lan(ip) or is_lan(sender)


def accept_neighbor(told: Neighbor, sender: IPAddress, allowed: Collection[Network] = ()) -> Node | None:
    """The node that `sender` tells about, or None for one to skip."""
    ip = unpack_ip(told.ip)
    if ip is None or told.udp <= LOW_PORTS or not may_relay(ip, sender) or restricted(ip, allowed):
        return None
    try:
        return Node(PublicKey(told.key), ip, told.tcp, told.udp)
    except InvalidKey:
        return None
