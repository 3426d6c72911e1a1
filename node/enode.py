"""Where a node is: enode URLs (spec 01 section 2.2).

:func:`parse_enode` is what URLs in messages and lab files go through, :func:`parse_node` the stricter form of the admin
methods. Node records (`enr:`) are in :mod:`node.enr`.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from typing import TypeAlias
from urllib.parse import parse_qs, urlsplit

from node.crypto.secp256k1 import InvalidKey, PublicKey
from node.errors import LabError
from node.ids import NodeId

MAX_PORT = 65535
MAX_ENODE_CHARS = 512
"""Longest text looked at; ours. A complete URL has under 230."""
IPAddress: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address
_PUBLIC_KEY_DIGITS = 128
_INCOMPLETE = re.compile(r"(?:enode://)?([0-9a-f]+)", re.IGNORECASE)


class InvalidEnode(LabError):
    """A text that names no node; says which part is wrong."""


@dataclass(frozen=True, slots=True)
class Node:
    """A node's key and, if known, its endpoint."""

    key: PublicKey
    ip: IPAddress | None = None
    tcp: int = 0
    udp: int = 0

    @property
    def id(self) -> NodeId:
        return self.key.node_id

    @property
    def url(self) -> str:
        """The enode URL; `discport` is written if and only if the ports differ."""
        if self.ip is None:
            return f"enode://{self.key.raw.hex()}"
        host = f"[{self.ip}]" if self.ip.version == 6 else str(self.ip)
        discport = f"?discport={self.udp}" if self.udp != self.tcp else ""
        return f"enode://{self.key.raw.hex()}@{host}:{self.tcp}{discport}"

    def __str__(self) -> str:
        return self.url


def parse_enode(text: str) -> Node:
    """Read an enode URL, complete or without endpoint, or a bare public key.

    Raises:
        InvalidEnode: naming what is wrong.
    """
    if len(text) > MAX_ENODE_CHARS:
        raise InvalidEnode(f"enode URL too long: {len(text)} > {MAX_ENODE_CHARS} characters")
    if re.search(r"[\x00-\x20\x7f]", text):  # urlsplit would drop some of them silently
        raise InvalidEnode("invalid URL (space or control character)")
    incomplete = _INCOMPLETE.fullmatch(text)
    if incomplete:
        return Node(_parse_key(incomplete[1]))
    try:
        url = urlsplit(text)
    except ValueError as error:
        raise InvalidEnode(f"invalid URL ({error})") from None
    if url.scheme.lower() != "enode":
        raise InvalidEnode('invalid URL scheme, want "enode"')
    user, at, host_port = url.netloc.rpartition("@")
    if not at or not user:
        raise InvalidEnode("does not contain node ID")
    key = _parse_key(user)
    ip, tcp = _parse_endpoint(host_port)
    # Only the first `discport` counts; other query keys, path and fragment are ignored.
    discport = parse_qs(url.query).get("discport", [""])[0]
    udp = _parse_port(discport, "discport in query") if discport else tcp
    return Node(key, ip, tcp, udp)


def parse_node(text: str) -> Node:
    """Read what the admin methods accept: `enode://` in lower case, or a node record.

    Raises:
        InvalidEnode: with the reference's wording for a missing prefix.
    """
    if text.startswith("enode://"):
        return parse_enode(text)
    from node.enr import parse_record  # enr builds on this module

    return parse_record(text)


def parse_ip(text: str) -> IPAddress:
    """A literal address; IPv4 in IPv6 becomes IPv4.

    Raises:
        ValueError: anything else, host names included.
    """
    ip = ipaddress.ip_address(text)
    if isinstance(ip, ipaddress.IPv6Address) and ip.ipv4_mapped is not None:
        return ip.ipv4_mapped
    return ip


def _parse_key(digits: str) -> PublicKey:
    if len(digits) != _PUBLIC_KEY_DIGITS:
        raise InvalidEnode(f"invalid public key (wrong length, want {_PUBLIC_KEY_DIGITS} hex chars)")
    # bytes.fromhex would let white space pass
    if not re.fullmatch(r"[0-9a-fA-F]+", digits):
        raise InvalidEnode("invalid public key (not hexadecimal)")
    try:
        return PublicKey(bytes.fromhex(digits))
    except InvalidKey as error:
        raise InvalidEnode(f"invalid public key ({error})") from None


def _parse_endpoint(host_port: str) -> tuple[IPAddress, int]:
    host, colon, port = host_port.rpartition(":")
    if not colon or host_port.endswith("]"):
        raise InvalidEnode(f"invalid host: address {host_port}: missing port in address")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    elif ":" in host:
        raise InvalidEnode(f"invalid host: address {host_port}: too many colons in address")
    try:
        return parse_ip(host), _parse_port(port, "port")
    except ValueError:
        raise InvalidEnode("invalid IP address") from None


def _parse_port(text: str, what: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text) > MAX_PORT:
        raise InvalidEnode(f"invalid {what}")
    return int(text)
