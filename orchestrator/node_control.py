"""What a lab needs of one running node, whatever it is and however it is asked.

Two things do it: :class:`node.control.client.ControlClient` over gRPC, for our nodes, and
:class:`orchestrator.rpc_control.RPCControl` over WebSocket JSON-RPC, for nodes of kind reference. Failures are
:class:`~node.control.client.ControlError` either way; what a node cannot do at all has the status UNIMPLEMENTED.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol

from node.control.client import ControlClient, Feed, Memory, Position
from node.control.gen import control_pb2 as pb
from node.events import EventFilter, NodeEvent
from orchestrator.runtime import ControlAddress
from orchestrator.spec import NodeSpec


class NodeControl(Protocol):
    """Calls to one node. Thread-safe."""

    name: str

    def info(self, *, timeout_s: float = ...) -> pb.NodeInfo:
        """Who the node is; what it cannot tell is empty or 0."""

    def wait_until_up(self, timeout_s: float) -> pb.NodeInfo:
        """The node's info as soon as it answers."""

    def peers(self) -> list[pb.Peer]: ...

    def connect(self, enode: str, *, wait_s: float = ...) -> None:
        """Stay connected with a node; with `wait_s`, return when the bzz handshake is done."""

    def disconnect(self, node_id: bytes, *, wait_s: float = ...) -> None:
        """Disconnect a node; with `wait_s`, return when it is gone."""

    def link_conditions(
        self,
        links: Sequence[pb.LinkConditions] | None = ...,
        *,
        seed: int = ...,
        probe_s: float = ...,
    ) -> list[pb.LinkState]:
        """How the links are, after replacing all conditions with `links` if given. Not of nodes of kind reference."""

    def kademlia(self) -> pb.Kademlia: ...

    def check_health(self, nn_set: Sequence[bytes], peers_per_bin: Sequence[int]) -> pb.CheckHealthResponse: ...

    def set_peer_key(self, public_key: bytes, topic: bytes, address: bytes) -> str:
        """Register whom to write to; the key id for :meth:`send`."""

    def set_symmetric_key(self, key: bytes, topic: bytes, address: bytes, *, receive: bool) -> str:
        """Register a shared key; the key id for :meth:`send`."""

    def send(self, mode: pb.Mode, topic: bytes, payload: bytes, *, key_id: str = ..., address: bytes = ...) -> bytes:
        """Send a message; the digest that names it in events, or nothing where the node does not tell."""

    def subscribe(
        self, topic: bytes, *, raw: bool = ..., prox: bool = ...
    ) -> AbstractContextManager[Iterator[pb.PssMessage]]:
        """Messages on a topic; none is missed once the block has begun."""

    def history(self, *kinds: str, digest: str = ...) -> list[NodeEvent]:
        """What the node remembers, oldest first. This and what follows on events: not of nodes of kind reference."""

    def recall(self, only: EventFilter, *, limit: int | None = ...) -> Memory:
        """What the node remembers of what passes `only`, and since when; of the events the last `limit`, at least 1."""

    def remembered_since(self) -> float | None:
        """Unix time before which the node has forgotten what happened; None if it remembers all since its start."""

    def events(
        self, *kinds: str, history: bool = ..., digest: str = ...
    ) -> AbstractContextManager[Iterator[NodeEvent]]:
        """Events as they happen; none is missed once the block has begun. Messages only if `kinds` names them."""

    def follow(self, only: EventFilter, *, since: Position | None = ...) -> AbstractContextManager[Feed]:
        """Events that pass `only`: with `since` those after it that the node remembers, then those that happen."""

    def call(self, method: str, *params: object) -> Any:
        """Any JSON-RPC method of the node. Raises RPCError as the method answered."""

    def close(self) -> None: ...


def open_control(node: NodeSpec, address: ControlAddress) -> NodeControl:
    """The control of a node, by its kind. Nothing is sent yet."""
    if node.reference is None:
        return ControlClient(address.address, token=address.token, proxy=address.proxy, name=node.name)
    from orchestrator.rpc_control import RPCControl  # only labs with such nodes load a WebSocket client

    return RPCControl(address.address, proxy=address.proxy, name=node.name)
