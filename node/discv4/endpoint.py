"""Where a node is, as discovery packets say it (spec 04 sections 2 and 3.4): ip, **udp**, tcp, in this order."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from typing import Annotated, NamedTuple, Self

from node.crypto.secp256k1 import PUBLIC_KEY_BYTES
from node.enode import IPAddress, Node
from node.rlp.structure import Length, Uint16

IPV4_BYTES, IPV6_BYTES = 4, 16


class Address(NamedTuple):
    """One end of a datagram's way."""

    ip: IPAddress
    port: int
    """UDP."""


def pack_ip(ip: IPAddress | None) -> bytes:
    """4 or 16 bytes; none for an address that is not known."""
    return ip.packed if ip is not None else b""


def unpack_ip(raw: bytes) -> IPAddress | None:
    """An address from 4 or 16 bytes, IPv4 in IPv6 as IPv4; None for any other length."""
    if len(raw) not in (IPV4_BYTES, IPV6_BYTES):
        return None
    ip = ipaddress.ip_address(raw)
    if isinstance(ip, ipaddress.IPv6Address) and ip.ipv4_mapped is not None:
        return ip.ipv4_mapped
    return ip


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """What PING and PONG carry. Taken as it comes: nobody relies on the address of a stranger's claim."""

    ip: bytes = b""
    udp: Uint16 = 0
    tcp: Uint16 = 0

    @classmethod
    def of(cls, address: Address, *, tcp: int = 0) -> Self:
        return cls(ip=pack_ip(address.ip), udp=address.port, tcp=tcp)


@dataclass(frozen=True, slots=True, kw_only=True)
class Neighbor:
    """A node as NEIGHBORS tells about it: an endpoint and a key, neither of them checked."""

    ip: bytes
    udp: Uint16
    tcp: Uint16
    key: Annotated[bytes, Length(PUBLIC_KEY_BYTES)]

    @classmethod
    def of(cls, node: Node) -> Self:
        return cls(ip=pack_ip(node.ip), udp=node.udp, tcp=node.tcp, key=node.key.raw)
