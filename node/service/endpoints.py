"""HTTP and WebSocket endpoints of a service node: settings, which APIs they show, and their opening and closing while
the node runs (spec 03 sections 5 and 6).

aiohttp is imported when an endpoint opens: nodes without one start faster and smaller.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol, Self

from node.rpc.registry import Registry
from node.service.service import ServiceError

HTTP_PORT, WS_PORT = 8545, 8546
"""Where an endpoint that the node's settings do not mention is opened. Source: spec 03 section 6."""

DRAIN_S = 1.0
"""How long calls that run may take to be answered when their endpoint is switched off. Source: ours."""


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


class EndpointServer(Protocol):
    """What the servers of both transports have in common."""

    host: str
    port: int

    async def start(self) -> None:
        """Bind and listen. Raises ConfigError."""

    async def refuse(self) -> None:
        """Take no new connections and requests."""

    async def drain(self) -> None:
        """Wait until what came before is answered."""

    async def close(self) -> None:
        """Cut all connections."""


MakeServer = Callable[[Registry, EndpointConfig, Sequence[str]], EndpointServer]
"""A server of a registry, not started, that shows some namespaces."""


def http_server(registry: Registry, config: EndpointConfig, modules: Sequence[str]) -> EndpointServer:
    from node.rpc.http import HTTPServer

    return HTTPServer(
        registry,
        host=config.host,
        port=config.port,
        modules=modules,
        cors=config.origins,
        vhosts=config.virtual_hosts,
    )


def ws_server(registry: Registry, config: EndpointConfig, modules: Sequence[str]) -> EndpointServer:
    from node.rpc.ws import WSServer

    return WSServer(registry, host=config.host, port=config.port, modules=modules, origins=config.origins)


class Endpoint:
    """One endpoint of a running node, which can be opened and closed any number of times. ``async with`` ends it.

    Args:
        what: its name in error texts.
        scheme: of its URL.
        make: gives a server for it.
        public: namespaces shown where the settings list none.
        config: what `open` does if not told otherwise.
    """

    def __init__(
        self,
        what: str,
        scheme: str,
        make: MakeServer,
        registry: Registry,
        public: Sequence[str],
        config: EndpointConfig,
    ) -> None:
        self.config = config
        self._what, self._scheme, self._make, self._registry, self._public = what, scheme, make, registry, public
        self._server: EndpointServer | None = None
        self._changing = asyncio.Lock()
        self._closing: set[asyncio.Task[None]] = set()
        self._hurry = asyncio.Event()
        """Set when the node stops: calls that run are waited for no longer."""
        self._ended = False

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        self._ended = True
        async with self._changing:
            server, self._server = self._server, None
        if server is not None:
            await server.close()
        self._hurry.set()
        await asyncio.gather(*self._closing, return_exceptions=True)

    @property
    def address(self) -> str | None:
        """Host and port where it listens, None while it does not."""
        if self._server is None:
            return None
        host = f"[{self._server.host}]" if ":" in self._server.host else self._server.host
        return f"{host}:{self._server.port}"

    @property
    def url(self) -> str:
        """What a client connects to.

        Raises:
            ServiceError: it is not open.
        """
        if self._server is None:
            raise ServiceError(f"{self._what} not running")
        return f"{self._scheme}://{self.address}"

    async def open(self, config: EndpointConfig | None = None) -> None:
        """Listen.

        Raises:
            ServiceError: it does already; the node is stopping.
            ConfigError: the address cannot be bound.
        """
        config = config or self.config
        async with self._changing:
            if self._ended:
                raise ServiceError("node not started")
            if self._server is not None:
                raise ServiceError(f"{self._what} already running on {self.address}")
            server = self._make(self._registry, config, self._public if config.modules is None else config.modules)
            await server.start()
            self._server = server

    async def stop(self) -> None:
        """Listen no more: when this returns, the port is free. Connections end once their calls are answered, this very
        call among them if it came over this endpoint.

        Raises:
            ServiceError: it is not open.
        """
        async with self._changing:
            if self._server is None:
                raise ServiceError(f"{self._what} not running")
            server, self._server = self._server, None
            refused = asyncio.Event()
            # In a task of its own: the caller may be on a connection that this ends.
            task = asyncio.create_task(_shut(server, refused, self._hurry))
            self._closing.add(task)
            task.add_done_callback(self._closing.discard)
            await refused.wait()


async def _shut(server: EndpointServer, refused: asyncio.Event, hurry: asyncio.Event) -> None:
    try:
        try:
            await server.refuse()
        finally:
            refused.set()
        waits = [asyncio.create_task(server.drain()), asyncio.create_task(hurry.wait())]
        try:
            await asyncio.wait(waits, timeout=DRAIN_S, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()
            await asyncio.gather(*waits, return_exceptions=True)
    finally:
        await server.close()


class Endpoints(NamedTuple):
    """Those of a node that can be switched on and off."""

    http: Endpoint
    ws: Endpoint


def make_endpoints(
    registry: Registry, public: Sequence[str], *, http: EndpointConfig | None, ws: EndpointConfig | None
) -> Endpoints:
    """Both endpoints of a node, closed; None stands for the default settings."""
    return Endpoints(
        Endpoint("HTTP RPC", "http", http_server, registry, public, http or EndpointConfig(port=HTTP_PORT)),
        Endpoint("WebSocket RPC", "ws", ws_server, registry, public, ws or EndpointConfig(port=WS_PORT)),
    )
