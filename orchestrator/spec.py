"""A lab as it should be: nodes with their keys, links, limits. Everything else is made from this.

Pure data; where it comes from is :mod:`orchestrator.labfile` and :mod:`orchestrator.topology`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property

from node.crypto.secp256k1 import PrivateKey
from node.ids import NodeId, OverlayAddress
from orchestrator.errors import UnknownNode
from orchestrator.faults.model import Fault
from orchestrator.faults.timeline import TimedFault
from orchestrator.own import OwnCode
from orchestrator.reference import KIND_OURS, KIND_REFERENCE, Reference
from orchestrator.traffic.model import Traffic
from orchestrator.verify.model import Check

DEFAULT_MEMORY_MB = 160
"""Memory limit of a node's container: resident is about 65, a full duplicate cache adds 50."""
DEFAULT_CPUS = 1.0
DEFAULT_PIDS = 64
DEFAULT_READY_TIMEOUT_S = 60.0
DEFAULT_VERBOSITY = 3


class Readiness(StrEnum):
    """How far a lab has to have come to be called up."""

    UP = "up"
    """All nodes answer, and every link was made once."""
    CONNECTED = "connected"
    """All links are there."""
    HEALTHY = "healthy"
    """And every kademlia table is what it should be."""


@dataclass(frozen=True)
class Identity:
    """Who a node is that chose its own keys."""

    id: NodeId
    overlay: OverlayAddress
    public_key: bytes
    """The pss key, 65 bytes."""


@dataclass(frozen=True)
class NodeSpec:
    """One node. Its keys follow from the lab's seed, unless it is of kind reference and does not take them."""

    name: str
    """DNS label; also its host name."""
    node_key: PrivateKey = field(repr=False)
    bzz_key: PrivateKey = field(repr=False)
    role: str = ""
    """Free text for people and selectors, such as "relay"."""
    reference: Reference | None = None
    """What to run instead of our node: the node is of kind reference."""
    identity: Identity | None = None
    """What it said of itself when it was started, if it chooses its own keys."""
    own: OwnCode | None = None
    """Protocols and services of the user that it loads."""

    @property
    def kind(self) -> str:
        return KIND_OURS if self.reference is None else KIND_REFERENCE

    @property
    def chooses_keys(self) -> bool:
        """Whether :attr:`id` or :attr:`overlay` are its own choice: they are right only once it was started."""
        return self.reference is not None and not (self.reference.takes_node_key and self.reference.takes_bzz_key)

    @cached_property
    def id(self) -> NodeId:
        return self.identity.id if self.identity else self.node_key.public.node_id

    @cached_property
    def overlay(self) -> OverlayAddress:
        return self.identity.overlay if self.identity else self.bzz_key.public.overlay

    @property
    def public_key(self) -> bytes:
        """The pss key, 65 bytes."""
        return self.identity.public_key if self.identity else self.bzz_key.public.uncompressed


@dataclass(frozen=True, order=True)
class Link:
    """A connection there should be; `a` dials `b`."""

    a: str
    b: str

    def __str__(self) -> str:
        return f"{self.a}-{self.b}"


@dataclass(frozen=True, kw_only=True)
class NodeLimits:
    """What one node may use."""

    memory_mb: int = DEFAULT_MEMORY_MB
    cpus: float = DEFAULT_CPUS
    pids: int = DEFAULT_PIDS


@dataclass(frozen=True, kw_only=True)
class LabSpec:
    """A whole lab."""

    name: str
    seed: int
    nodes: tuple[NodeSpec, ...]
    links: tuple[Link, ...]
    network_id: int
    """Overlay network: nodes of other labs are refused."""
    auto_connect: bool = False
    """Whether nodes dial whom kademlia suggests, beyond the links."""
    title: str = ""
    image: str = ""
    """Image of the nodes; empty for the project's own."""
    limits: NodeLimits = NodeLimits()
    verbosity: int = DEFAULT_VERBOSITY
    ready_timeout_s: float = DEFAULT_READY_TIMEOUT_S
    ready_when: Readiness = Readiness.HEALTHY
    source: str = ""
    """Path of the lab file, if there is one."""
    expires: str = ""
    """RFC 3339: when the time of this lab is over and `lab gc` may remove it; empty: never."""
    net: tuple[Fault, ...] = ()
    """Conditions that links always have."""
    timeline: tuple[TimedFault, ...] = ()
    """Faults to play."""
    traffic: tuple[Traffic, ...] = ()
    """Messages to play."""
    checks: tuple[Check, ...] = ()
    """What to verify."""

    def node(self, name: str) -> NodeSpec:
        """The node of that name.

        Raises:
            UnknownNode: with the names there are.
        """
        for node in self.nodes:
            if node.name == name:
                return node
        raise UnknownNode(f"lab {self.name} has no node {name!r}", hint="nodes: " + ", ".join(self.node_names))

    @property
    def node_names(self) -> list[str]:
        return [node.name for node in self.nodes]

    def neighbours(self, name: str) -> set[str]:
        """Names of the nodes that a node is linked with."""
        return {link.b if link.a == name else link.a for link in self.links if name in (link.a, link.b)}
