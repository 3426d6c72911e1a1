"""The service node: a p2p server, services on it, and endpoints for their APIs (spec 03 part II).

Services are constructed anew on every start, in the order they were registered, and stopped in reverse. A start that
fails takes back what it had done.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Self

from node.crypto.secp256k1 import PrivateKey
from node.events import EventBus
from node.p2p.server import Server, ServerConfig
from node.rpc.client import RPCClient
from node.rpc.ipc import IPCServer
from node.rpc.registry import Registry
from node.service.admin import AdminAPI, Web3API
from node.service.datadir import InstanceDir
from node.service.endpoints import EndpointConfig, Endpoints, make_endpoints
from node.service.service import API, S, Service, ServiceConstructor, ServiceContext, ServiceError, find_service

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeConfig:
    """How a service node is set up (spec 03 section 6)."""

    name: str = "node"
    """Name of the instance directory inside `data_dir`."""
    client_name: str = ""
    """What peers see in Hello."""
    data_dir: Path | None = None
    """None keeps nothing on disk: a fresh key at every start."""
    ipc_path: str = ""
    """A bare name is inside `data_dir`, or the system's temporary directory without one; empty for no IPC."""
    p2p: ServerConfig = field(default_factory=ServerConfig)
    """Name and protocols are filled in; private key, lists of nodes and node database too, where they are not given."""
    http: EndpointConfig | None = None
    ws: EndpointConfig | None = None

    @property
    def ipc_endpoint(self) -> Path | None:
        """Where the socket is."""
        if not self.ipc_path:
            return None
        path = Path(self.ipc_path)
        if path.name != self.ipc_path:
            return path
        return (self.data_dir or Path(tempfile.gettempdir())) / path


def with_files(p2p: ServerConfig, instance: InstanceDir) -> ServerConfig:
    """Settings that are not given, from the files of the node (spec 03 section 7)."""
    return replace(
        p2p,
        static_nodes=p2p.static_nodes or instance.static_nodes(),
        trusted_nodes=p2p.trusted_nodes or instance.trusted_nodes(),
        node_database=p2p.node_database or instance.node_database,
    )


class ServiceNode:
    """A node made of services::

    node = ServiceNode(NodeConfig(data_dir=Path("data"), ipc_path="node.ipc"))
    node.register(MyService)
    async with node:
        client = await node.attach()
    """

    def __init__(self, config: NodeConfig, *, events: EventBus | None = None) -> None:
        if "/" in config.name or "\\" in config.name:
            raise ServiceError("Config.Name must not contain '/' or '\\'")
        if config.name == "keystore" or config.name.endswith(".ipc"):
            raise ServiceError(f"Config.Name must not be {config.name!r}: a file of the node has that name")
        self.config = config
        self.events = events or EventBus()
        self.registry = Registry()
        self._constructors: list[ServiceConstructor] = []
        self._services: list[Service] = []
        self._server: Server | None = None
        self._endpoints: Endpoints | None = None
        self._running: contextlib.AsyncExitStack | None = None
        self._stopped = asyncio.Event()
        self._stopped.set()

    def register(self, constructor: ServiceConstructor) -> None:
        """Add a service; it is constructed when the node starts.

        Raises:
            ServiceError: node already running.
        """
        if self._running is not None:
            raise ServiceError("node already running")
        self._constructors.append(constructor)

    async def start(self) -> None:
        """Start everything, or nothing.

        Raises:
            ServiceError: node already running, duplicate service.
            LabError: whatever a service or an endpoint failed with.
        """
        if self._running is not None:
            raise ServiceError("node already running")
        async with contextlib.AsyncExitStack() as undo:
            await self._start(undo)
            self._running = undo.pop_all()
        self._stopped.clear()

    async def _start(self, undo: contextlib.AsyncExitStack) -> None:
        config = self.config
        instance = InstanceDir(config.data_dir.absolute() / config.name) if config.data_dir else None
        if instance is not None:
            undo.callback(instance.release)
        key = config.p2p.private_key or (instance.node_key() if instance else PrivateKey.generate())
        self._construct(instance.path if instance else None)
        undo.callback(self._services.clear)
        protocols = [protocol for service in self._services for protocol in service.protocols()]
        p2p = replace(config.p2p, private_key=key, name=config.client_name or config.name, protocols=protocols)
        server = Server(with_files(p2p, instance) if instance else p2p, events=self.events)
        await server.start()
        self._server = server
        undo.callback(self._forget_server)
        undo.push_async_callback(server.stop)
        for service in self._services:
            await service.start(server)
            undo.push_async_callback(self._stop_service, service)
        await self._open_endpoints(undo, server)

    def _construct(self, instance_dir: Path | None) -> None:
        built: list[Service] = []
        for constructor in self._constructors:
            service = constructor(ServiceContext(self.events, instance_dir, tuple(built)))
            if any(type(other) is type(service) for other in built):
                raise ServiceError(f"duplicate service: {type(service).__name__}")
            built.append(service)
        self._services = built

    async def _open_endpoints(self, undo: contextlib.AsyncExitStack, server: Server) -> None:
        apis: list[API] = [
            API("admin", AdminAPI(self, server)),
            API("web3", Web3API(server), public=True),
            *(api for service in self._services for api in service.apis()),
        ]
        public = [api.namespace for api in apis if api.public]
        self.registry = Registry()
        for api in apis:
            self.registry.register(api.namespace, api.service, methods=api.methods)
        if self.config.ipc_endpoint is not None:
            await undo.enter_async_context(IPCServer(self.registry, self.config.ipc_endpoint))
        self._endpoints = make_endpoints(self.registry, public, http=self.config.http, ws=self.config.ws)
        undo.callback(self._forget_endpoints)
        for endpoint, config in zip(self._endpoints, (self.config.http, self.config.ws), strict=True):
            await undo.enter_async_context(endpoint)
            if config is not None:
                await endpoint.open()

    async def _stop_service(self, service: Service) -> None:
        # One that fails must not keep the others from being stopped.
        try:
            await service.stop()
        except Exception:
            log.exception("stopping service %s failed", type(service).__name__)

    def _forget_server(self) -> None:
        self._server = None

    def _forget_endpoints(self) -> None:
        self._endpoints = None

    async def stop(self) -> None:
        """Stop endpoints, services in reverse, then the p2p server.

        Raises:
            ServiceError: node not started.
        """
        if self._running is None:
            raise ServiceError("node not started")
        running, self._running = self._running, None
        try:
            await running.aclose()
        finally:
            self._stopped.set()

    async def restart(self) -> None:
        """Stop, and start with fresh services."""
        await self.stop()
        await self.start()

    async def wait(self) -> None:
        """Return when the node is stopped; at once if it does not run."""
        await self._stopped.wait()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._running is not None:
            await self.stop()

    @property
    def running(self) -> bool:
        return self._running is not None

    @property
    def server(self) -> Server:
        """The p2p server.

        Raises:
            ServiceError: node not started.
        """
        if self._server is None:
            raise ServiceError("node not started")
        return self._server

    @property
    def endpoints(self) -> Endpoints:
        """The HTTP and the WebSocket endpoint, open or not.

        Raises:
            ServiceError: node not started.
        """
        if self._endpoints is None:
            raise ServiceError("node not started")
        return self._endpoints

    @property
    def services(self) -> Sequence[Service]:
        return tuple(self._services)

    def service(self, kind: type[S]) -> S:
        """The running service of a type.

        Raises:
            ServiceError: node not started, unknown service.
        """
        if self._running is None:
            raise ServiceError("node not started")
        return find_service(self._services, kind)

    async def attach(self) -> RPCClient:
        """A client to all APIs, inside this process.

        Raises:
            ServiceError: node not started.
        """
        if self._running is None:
            raise ServiceError("node not started")
        return RPCClient.in_process(self.registry)
