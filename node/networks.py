"""What can be told from an IP address alone: local or not, allowed or not (spec 02 section 9.4)."""

from __future__ import annotations

import ipaddress
from collections.abc import Collection

from node.enode import IPAddress

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
_LAN = tuple(
    ipaddress.ip_network(net)
    for net in ("0.0.0.0/8", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fe80::/10", "fc00::/7")
)


def is_lan(ip: IPAddress) -> bool:
    """Loopback, private and link-local addresses."""
    return ip.is_loopback or any(ip in net for net in _LAN if net.version == ip.version)


def restricted(ip: IPAddress, networks: Collection[Network]) -> bool:
    """Whether `networks` are given and `ip` is in none of them."""
    return bool(networks) and not any(ip in net for net in networks if net.version == ip.version)
