"""Where others see us: what they say in PONGs about our endpoint (spec 04 section 6, endpoint prediction)."""

from __future__ import annotations

from collections import Counter
from ipaddress import IPv4Address, IPv6Address

from node.discv4.endpoint import Address, Endpoint, unpack_ip
from node.discv4.relay import is_special
from node.enode import IPAddress

MIN_STATEMENTS = 10
"""Distinct hosts that must agree."""
STATEMENT_LIFETIME_S = 5 * 60.0
MAX_STATEMENTS = 256
"""Hosts whose last statement is remembered, the oldest goes first; ours."""
HOST_BITS = 64
"""Of an IPv6 address, on its right: whoever has one address of a network has all of them (RFC 4291 section 2.5.4)."""


class EndpointPredictor:
    """The last statement of each host, on the caller's clock in seconds."""

    def __init__(self) -> None:
        self._statements: dict[IPAddress, tuple[Address, float]] = {}

    def add(self, host: IPAddress, endpoint: Endpoint, now: float) -> None:
        """A host says where it sees us; what can be nobody's endpoint does not count.

        Addresses of one IPv6 network of 64 bits are one host.
        """
        host = _host(host)
        ip = unpack_ip(endpoint.ip)
        if ip is None or ip.is_unspecified or is_special(ip) or not endpoint.udp:
            return
        self._statements.pop(host, None)  # it becomes the latest
        if len(self._statements) >= MAX_STATEMENTS:
            del self._statements[next(iter(self._statements))]
        self._statements[host] = Address(ip, endpoint.udp), now

    def predict(self, now: float) -> Address | None:
        """The endpoint that most hosts state, if they are enough."""
        recent = [address for address, at in self._statements.values() if now - at < STATEMENT_LIFETIME_S]
        for address, count in Counter(recent).most_common(1):
            if count >= MIN_STATEMENTS:
                return address
        return None


def _host(address: IPAddress) -> IPAddress:
    """What stands for whoever has this address."""
    if isinstance(address, IPv4Address):
        return address
    return address.ipv4_mapped or IPv6Address(int(address) >> HOST_BITS << HOST_BITS)
