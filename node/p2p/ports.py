"""The TCP port of a server and the UDP port of its discovery: the same number (spec 02 section 9.2)."""

from __future__ import annotations

import socket
from collections.abc import Callable

from node.discv4.service import bind_udp
from node.errors import ConfigError
from node.p2p.listener import Listener

BIND_ATTEMPTS = 8
"""To find a port that is free for both where the system chooses it; ours."""


def bind_ports(
    listen: Callable[[], Listener] | None, address: str, *, udp: bool
) -> tuple[Listener | None, socket.socket | None]:
    """Listen and take the UDP port.

    Args:
        listen: makes the listener on `address`; None for no TCP, discovery then is on all interfaces and a free port.

    Raises:
        ConfigError: an address cannot be had; the text names it.
    """
    for attempts_left in reversed(range(BIND_ATTEMPTS)):
        listener = listen() if listen is not None else None
        if not udp:
            break
        host, port = (listener.host, listener.port) if listener is not None else ("", 0)
        try:
            return listener, bind_udp(host, port)
        except OSError as error:
            if listener is not None:
                listener.close()
            if not attempts_left or not address.endswith(":0"):
                why = (error.strerror or str(error)).lower()
                raise ConfigError(f"listen udp {host}:{port}: {why}") from error
    return listener, None
