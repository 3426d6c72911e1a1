"""HTTP and WebSocket endpoints of a service node: settings and which APIs they show (spec 03 section 6).

aiohttp is imported when an endpoint opens: nodes without one start faster and smaller.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from node.rpc.registry import Registry

if TYPE_CHECKING:
    from node.rpc.http import HTTPServer
    from node.rpc.ws import WSServer


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointConfig:
    """Where to listen and what to show."""

    host: str = "127.0.0.1"
    port: int = 0
    """0 lets the system choose."""
    modules: Sequence[str] | None = None
    """Namespaces to show; None for those of APIs that are public."""
    origins: Sequence[str] = ()
    """Browser origins allowed: CORS on HTTP, Origin check on WebSocket."""
    virtual_hosts: Sequence[str] = ("localhost",)
    """Host names that HTTP requests may be addressed to."""


def http_endpoint(
    registry: Registry, config: EndpointConfig, public: Sequence[str]
) -> contextlib.AbstractAsyncContextManager[HTTPServer]:
    """The HTTP endpoint, open while the block runs."""
    from node.rpc.http import HTTPServer

    return HTTPServer(
        registry,
        host=config.host,
        port=config.port,
        modules=public if config.modules is None else config.modules,
        cors=config.origins,
        vhosts=config.virtual_hosts,
    )


def ws_endpoint(
    registry: Registry, config: EndpointConfig, public: Sequence[str]
) -> contextlib.AbstractAsyncContextManager[WSServer]:
    """The WebSocket endpoint, open while the block runs."""
    from node.rpc.ws import WSServer

    return WSServer(
        registry,
        host=config.host,
        port=config.port,
        modules=public if config.modules is None else config.modules,
        origins=config.origins,
    )
