"""Free address ranges for the networks of a lab.

Docker's own default pools hold about thirty networks and ask nobody about VPN routes (lab-anchors.md 3.2), so we
choose ourselves: from private ranges, around everything that the engine and the host already use. Pure; who uses what
comes in.
"""

from __future__ import annotations

import hashlib
import ipaddress
import sys
from collections.abc import Iterable, Iterator
from ipaddress import IPv4Network
from typing import Literal

from orchestrator.errors import PreflightError

POOLS = tuple(
    map(
        IPv4Network,
        (
            "10.201.0.0/16",
            "10.202.0.0/16",
            "172.30.0.0/16",  # for those whose VPN takes all of 10/8
            "192.168.192.0/18",
            "198.18.0.0/15",  # RFC 2544: for benchmarks, routed nowhere
        ),
    )
)
"""In order of preference. 10.203/16 is left to exported Compose files (`compose`)."""

MAX_ATTEMPTS = 8
"""How often to choose again when the engine says that somebody else took the subnet meanwhile."""
MAX_PREFIX = 24
"""No subnet is smaller, so that addresses are easy to read: 254 hosts."""
MIN_PREFIX = 21
"""2046 hosts: twice what a bridge has ports for."""
RESERVED_ADDRESSES = 3
"""Of every subnet: the network's own, the engine's gateway, broadcast."""
MAX_CATCH_ALL_PREFIX = 7
"""Routes this wide are default routes in disguise (OpenVPN's 0.0.0.0/1 and 128.0.0.0/1) and say nothing of use."""


def choose(used: Iterable[IPv4Network], *, hosts: int, start: str) -> IPv4Network:
    """A subnet that overlaps with nothing in use.

    Args:
        used: subnets of the engine's networks and of the host's routes.
        hosts: how many addresses are needed.
        start: where to begin looking; labs with different ones rarely want the same subnet at the same time.

    Raises:
        PreflightError: everything is taken, or no subnet is that large.
    """
    prefix = _prefix_for(hosts)
    taken = [network for network in used if network.prefixlen > MAX_CATCH_ALL_PREFIX]
    offset = int.from_bytes(hashlib.sha256(start.encode()).digest()[:4], "big")
    for pool in POOLS:
        for candidate in _rotated(pool, prefix, offset):
            if not any(candidate.overlaps(network) for network in taken):
                return candidate
    pools = ", ".join(map(str, POOLS))
    raise PreflightError(
        f"no free /{prefix} subnet for a network of the lab: everything in {pools} is in use",
        hint="lab gc, docker network prune, or leave the VPN that routes all of it",
    )


def parse_routes(text: str) -> list[IPv4Network]:
    """Networks that the host has routes to, the default route left out.

    Args:
        text: of ``/proc/net/route`` or of ``ip route``; lines that are neither are skipped.
    """
    lines = text.splitlines()
    if lines and lines[0].startswith("Iface"):
        return parse_proc_routes("\n".join(lines[1:]))
    found = (_from_words(line.split()) for line in lines)
    return [network for network in found if network is not None and network.prefixlen]


def parse_proc_routes(text: str, *, byteorder: Literal["little", "big"] = sys.byteorder) -> list[IPv4Network]:
    """The lines of ``/proc/net/route`` below its heading: interface, destination, ..., mask in the eighth column.

    Args:
        byteorder: of the machine: the kernel prints addresses as numbers just as they lie in memory.
    """
    networks = []
    for line in text.splitlines():
        words = line.split()
        try:
            address, mask = (int(words[column], 16).to_bytes(4, byteorder) for column in (1, 7))
            network = IPv4Network((address, str(ipaddress.IPv4Address(mask))), strict=False)
        except (ValueError, IndexError, OverflowError):
            continue
        if network.prefixlen:
            networks.append(network)
    return networks


def _prefix_for(hosts: int) -> int:
    prefix = min(MAX_PREFIX, 32 - (hosts + RESERVED_ADDRESSES - 1).bit_length())
    if prefix < MIN_PREFIX:
        raise PreflightError(f"{hosts} hosts are more than one network of a lab can have")
    return prefix


def _rotated(pool: IPv4Network, prefix: int, offset: int) -> Iterator[IPv4Network]:
    """All subnets of a pool, from a place of its own round to there again."""
    size = 1 << (32 - prefix)
    count = pool.num_addresses // size
    for step in range(count):
        yield IPv4Network((int(pool.network_address) + (offset + step) % count * size, prefix))


def _from_words(words: list[str]) -> IPv4Network | None:
    # "10.8.0.0/24 via ...", "192.168.1.7 dev ...", or with the type of the route first: "unreachable 10.9.0.0/16"
    for word in words[:2]:
        if word[:1].isdigit():
            try:
                return IPv4Network(word, strict=False)
            except ValueError:
                continue
    return None
