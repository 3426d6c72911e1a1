"""What a service is: something that brings protocols and APIs to a node (spec 03 section 8).

A service in full::

    class Clock(Service):
        def apis(self):
            return [API("clock", self)]

        def now(self) -> float:
            return time.time()

    node.register(Clock)
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias, TypeVar

from node.errors import LabError
from node.events import EventBus
from node.p2p.protocol import Protocol

if TYPE_CHECKING:
    from node.p2p.server import Server

S = TypeVar("S", bound="Service")


class ServiceError(LabError):
    """A service node was asked for something that it cannot do now, or a service failed."""


@dataclass(frozen=True, slots=True)
class API:
    """An object whose public methods are callable as ``namespace_method``."""

    namespace: str
    service: object
    public: bool = False
    """Shown on HTTP and WebSocket endpoints that list no namespaces."""
    methods: Sequence[str] | None = None
    """Which methods; None for all that are public."""


class Service:
    """Base with nothing in it; override what you need."""

    def __init__(self, context: ServiceContext | None = None) -> None:
        """Called anew at every start of the node, which hands in the context; keep it if you need it."""

    def protocols(self) -> Sequence[Protocol]:
        """Run with every peer that knows them too."""
        return ()

    def apis(self) -> Sequence[API]:
        return ()

    async def start(self, server: Server) -> None:
        """Called once the p2p server runs."""

    async def stop(self) -> None:
        """Called before the p2p server stops."""


@dataclass(frozen=True, slots=True)
class ServiceContext:
    """What a service's constructor gets."""

    events: EventBus
    instance_dir: Path | None
    """Where the node keeps its files; None if it keeps none."""
    services: Sequence[Service]
    """Those constructed before this one."""

    def service(self, kind: type[S]) -> S:
        """The service of a type, if it was registered earlier.

        Raises:
            ServiceError: unknown service.
        """
        return find_service(self.services, kind)


ServiceConstructor: TypeAlias = Callable[[ServiceContext], Service]


def find_service(services: Sequence[Service], kind: type[S]) -> S:
    """The one of that type.

    Raises:
        ServiceError: unknown service.
    """
    for service in services:
        if isinstance(service, kind):
            return service
    raise ServiceError(f"unknown service {kind.__name__}")
