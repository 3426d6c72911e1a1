"""Which addresses are taken on this machine, as its engine and its routes tell."""

from __future__ import annotations

import ipaddress

from orchestrator import subnets
from orchestrator.engine import Engine

ROUTES = "/proc/net/route"


def used(engine: Engine) -> list[ipaddress.IPv4Network]:
    """Networks that a new one must not overlap."""
    found = []
    for network in engine.client.networks.list():
        for config in (network.attrs.get("IPAM") or {}).get("Config") or []:
            parsed = ipaddress.ip_network(config.get("Subnet", "0.0.0.0/32"), strict=False)
            if isinstance(parsed, ipaddress.IPv4Network):
                found.append(parsed)
    try:
        with open(ROUTES) as table:
            found += subnets.parse_routes(table.read())
    except OSError:
        pass  # not Linux: the engine's networks live in a virtual machine of their own
    return found
