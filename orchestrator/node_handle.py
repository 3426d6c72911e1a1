"""One running node, as tests and scripts see it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from typing import Any

from node.control.gen import control_pb2 as pb
from node.events import NodeEvent
from node.ids import NodeId, OverlayAddress
from orchestrator.node_control import NodeControl, open_control
from orchestrator.runtime import ControlAddress
from orchestrator.spec import NodeSpec


class NodeHandle:
    """A node of a running lab. Control calls go through :attr:`control`; the rest is what one wants every day."""

    def __init__(self, spec: NodeSpec, address: ControlAddress) -> None:
        self.spec = spec
        self.control: NodeControl = open_control(spec, address)

    @property
    def name(self) -> str:
        return self.spec.name

    @property
    def id(self) -> NodeId:
        return self.spec.id

    @property
    def overlay(self) -> OverlayAddress:
        return self.spec.overlay

    @property
    def info(self) -> pb.NodeInfo:
        """Asked anew each time: endpoint, memory, uptime; what the node does not tell is empty or 0."""
        return self.control.info()

    def topic(self, name: str) -> bytes:
        """The topic of a name; 4 bytes."""
        return bytes.fromhex(self.rpc("pss_stringToTopic", name)[2:])

    def rpc(self, method: str, *params: object) -> Any:
        """Call any JSON-RPC method of the node."""
        return self.control.call(method, *params)

    def subscribe(
        self, topic: str, *, raw: bool = False, prox: bool = False
    ) -> AbstractContextManager[Iterator[pb.PssMessage]]:
        """Messages on a topic, by its name; none is missed once the block has begun."""
        return self.control.subscribe(self.topic(topic), raw=raw, prox=prox)

    def events(self, *kinds: str, history: bool = False) -> AbstractContextManager[Iterator[NodeEvent]]:
        """What happens in the node; none is missed once the block has begun. Not of nodes of kind reference."""
        return self.control.events(*kinds, history=history)

    def close(self) -> None:
        self.control.close()

    def __repr__(self) -> str:
        return f"<node {self.name} {self.id.hex()[:8]}>"
