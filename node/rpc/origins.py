"""Who may talk to an HTTP or WebSocket endpoint: host names and origins (spec 03 sections 4.2 and 4.3).

Plain functions over header values. Deliberately unknown here: requests and sockets.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Collection, Mapping

CORS_METHODS = ("POST", "GET")
"""Methods that another origin may use. Source: spec 03 section 4.2."""

CORS_MAX_AGE_S = 600
"""How long a browser may remember a preflight answer, in seconds. Source: spec 03 section 4.2."""


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _split_port(host: str) -> str | None:
    """Host of `host:port` or `[host]:port`, None when there is no port."""
    if host.startswith("["):
        name, bracket, port = host[1:].partition("]")
        return name if bracket and port.startswith(":") else None
    name, colon, _ = host.rpartition(":")
    return name if colon and ":" not in name else None


def host_allowed(host: str | None, vhosts: Collection[str]) -> bool:
    """Whether a Host header may be served: no header, an IP address, or a name on the list.

    The comparison is case-sensitive against the lower-cased list, which is what the reference does.
    """
    if not host:
        return True
    name = _split_port(host)
    bare = host if name is None else name
    if _is_address(bare):
        return True
    allowed = {entry.lower() for entry in vhosts}
    return "*" in allowed or bare in allowed


def _matches(origin: str, entry: str) -> bool:
    head, star, tail = entry.partition("*")
    if not star:
        return origin == entry
    return len(origin) >= len(head) + len(tail) and origin.startswith(head) and origin.endswith(tail)


def origin_allowed(origin: str, entries: Collection[str]) -> bool:
    """Whether a list of CORS origins has this one; `*` is all, and one `*` may stand inside an entry."""
    return any(_matches(origin.lower(), entry.lower()) for entry in entries)


def preflight_headers(
    origin: str | None, method: str | None, headers: str | None, entries: Collection[str]
) -> Mapping[str, str]:
    """What allows a preflight request; empty when origin or method is not allowed.

    Args:
        origin, method, headers: Origin, Access-Control-Request-Method and -Headers of the request.
    """
    if not origin or not method or not origin_allowed(origin, entries) or method.upper() not in CORS_METHODS:
        return {}
    allowed = {
        "Access-Control-Allow-Origin": origin,
        "Access-Control-Allow-Methods": method.upper(),
        "Access-Control-Max-Age": str(CORS_MAX_AGE_S),
    }
    names = [_canonical(name) for name in (headers or "").split(",") if name.strip()]
    if names:
        allowed["Access-Control-Allow-Headers"] = ", ".join(names)
    return allowed


def _canonical(name: str) -> str:
    return "-".join(part.capitalize() for part in name.strip().split("-"))


def websocket_origin_allowed(origin: str | None, origins: Collection[str]) -> bool:
    """The origin rule of a WebSocket handshake; with an empty list only this machine's own names, without a port."""
    if origin is None:
        return True
    allowed = {entry.lower() for entry in origins if entry}
    if not allowed:
        allowed = {"http://localhost", f"http://{socket.gethostname().lower()}"}
    return "*" in allowed or origin.lower() in allowed
