"""A caller of the control interface, for scripts and the orchestrator: synchronous, one object per node."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Self, TypeVar

import grpc

from node.control.auth import token_metadata
from node.control.convert import event_from_pb, filter_to_pb
from node.control.gen import control_pb2 as pb
from node.control.gen import control_pb2_grpc
from node.errors import LabError, RPCError
from node.events import EventFilter, NodeEvent

DEFAULT_TIMEOUT_S = 10.0
"""For one call."""
CHANNEL_OPTIONS = (
    ("grpc.enable_retries", 0),
    # A node that is restarting should be found again in a moment, not after gRPC's default of up to two minutes.
    ("grpc.initial_reconnect_backoff_ms", 100),
    # Also how long one attempt may take: a node on a busy machine needs more than a moment to answer.
    ("grpc.min_reconnect_backoff_ms", 1000),
    ("grpc.max_reconnect_backoff_ms", 1000),
)

T = TypeVar("T")


class ControlError(LabError):
    """A control call failed.

    Attributes:
        code: the gRPC status.
        details: its text.
    """

    def __init__(self, target: str, code: grpc.StatusCode, details: str) -> None:
        super().__init__(f"{target}: {details or code.name.lower()}")
        self.target, self.code, self.details = target, code, details


class Position(NamedTuple):
    """Up to where the events of a node have been read."""

    started_wall_s: float
    """Unix time since when the node has remembered; another one after a restart, when counting begins anew."""
    seq: int
    """0: nothing yet."""


@dataclass(frozen=True, slots=True)
class Memory:
    """What a node remembers.

    Attributes:
        events: oldest first.
        position: where this ends.
        oldest_wall_s: when older events are forgotten, Unix time of the oldest of all that are remembered; None if the
            node remembers everything since its start, `position.started_wall_s`.
    """

    events: list[NodeEvent]
    position: Position
    oldest_wall_s: float | None


class Feed:
    """Events of a node, for a loop: those that it remembers, if they were asked for, then those that happen.

    Attributes:
        position: up to where it is read.
        restarted: whether the node was started anew since the position that was asked for.
        forgotten: at most so many events after that position are missing, for the node has forgotten them.
        lost: how many events are missing so far because they came faster than they were read.
    """

    def __init__(self, responses: Iterator[pb.StreamEventsResponse], name: str, since: Position | None = None) -> None:
        """Reads up to the mark.

        Raises:
            ControlError: they do not come so far.
        """
        self._responses = responses
        self._past, mark = _up_to_mark(responses, name)
        self.position = Position(mark.started_wall_s, mark.last_seq)
        self.restarted = since is not None and since.started_wall_s != mark.started_wall_s
        self.forgotten, self.lost = int(mark.forgotten), 0

    def __iter__(self) -> Iterator[NodeEvent]:
        for response in self._past:
            yield event_from_pb(response.event)
        for response in self._responses:
            self.lost += response.lost
            self.position = self.position._replace(seq=response.event.seq or response.last_seq)
            if response.HasField("event"):
                yield event_from_pb(response.event)


def _up_to_mark(
    responses: Iterator[pb.StreamEventsResponse], name: str
) -> tuple[list[pb.StreamEventsResponse], pb.StreamEventsResponse]:
    """What a node remembers, and the response that ends it.

    Raises:
        ControlError: there is none.
    """
    past: list[pb.StreamEventsResponse] = []
    for response in responses:
        if not response.HasField("event"):
            return past, response
        past.append(response)
    raise ControlError(name, grpc.StatusCode.CANCELLED, "its events ended")


class ControlClient:
    """Calls to one node. Thread-safe; close it when done."""

    def __init__(self, address: str, *, token: str = "", proxy: str = "", name: str = "") -> None:
        """Nothing is sent yet.

        Args:
            address: ``unix:PATH`` or ``host:port``.
            token: the lab's; a unix socket wants none.
            proxy: ``http://user:password@host:port`` of a gateway that reaches `address`.
            name: what errors call the node.
        """
        self.name = name or address
        self._metadata = token_metadata(token)
        # Explicit either way: a proxy meant for the web must not catch calls to a lab.
        via = (("grpc.http_proxy", proxy),) if proxy else (("grpc.enable_http_proxy", 0),)
        self._channel = grpc.insecure_channel(address, options=[*CHANNEL_OPTIONS, *via])
        self._stub = control_pb2_grpc.ControlStub(self._channel)

    def close(self) -> None:
        self._channel.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # -- the node and its peers

    def info(self, *, timeout_s: float = DEFAULT_TIMEOUT_S) -> pb.NodeInfo:
        """Who the node is."""
        response: pb.NodeInfo = self._call(self._stub.GetInfo, pb.GetInfoRequest(), timeout_s)
        return response

    def wait_until_up(self, timeout_s: float) -> pb.NodeInfo:
        """The node's info as soon as it answers.

        Raises:
            ControlError: DEADLINE_EXCEEDED, it never did.
        """
        request = pb.GetInfoRequest()
        response: pb.NodeInfo = self._call(self._stub.GetInfo, request, timeout_s, wait_for_ready=True)
        return response

    def peers(self) -> list[pb.Peer]:
        response: pb.ListPeersResponse = self._call(self._stub.ListPeers, pb.ListPeersRequest())
        return list(response.peers)

    def connect(self, enode: str, *, wait_s: float = 0.0) -> None:
        """Stay connected with a node; with `wait_s`, return when the bzz handshake is done.

        Raises:
            ControlError: DEADLINE_EXCEEDED with the last reason, INVALID_ARGUMENT.
        """
        request = pb.ConnectRequest(enode=enode, wait_ms=int(wait_s * 1000))
        self._call(self._stub.Connect, request, DEFAULT_TIMEOUT_S + wait_s)

    def disconnect(self, node_id: bytes, *, wait_s: float = 0.0) -> None:
        """Disconnect a node; with `wait_s`, return when it is gone."""
        request = pb.DisconnectRequest(node_id=node_id, wait_ms=int(wait_s * 1000))
        self._call(self._stub.Disconnect, request, DEFAULT_TIMEOUT_S + wait_s)

    def link_conditions(
        self,
        links: Sequence[pb.LinkConditions] | None = None,
        *,
        seed: int = 0,
        probe_s: float = 0.0,
        timeout_s: float = DEFAULT_TIMEOUT_S,
    ) -> list[pb.LinkState]:
        """How the links are, after replacing all conditions with `links` if given.

        Args:
            seed: of jitter and loss.
            probe_s: measure the round trip to each peer, so long at most.
        """
        request = pb.SetLinkConditionsRequest(
            links=links or (), keep=links is None, seed=seed, probe_ms=int(probe_s * 1000)
        )
        call = self._stub.SetLinkConditions
        response: pb.SetLinkConditionsResponse = self._call(call, request, timeout_s + probe_s)
        return list(response.links)

    # -- the overlay

    def kademlia(self) -> pb.Kademlia:
        response: pb.Kademlia = self._call(self._stub.GetKademlia, pb.GetKademliaRequest())
        return response

    def check_health(self, nn_set: Sequence[bytes], peers_per_bin: Sequence[int]) -> pb.CheckHealthResponse:
        """Compare the node's table with what it should be."""
        request = pb.CheckHealthRequest(nn_set=nn_set, peers_per_bin=peers_per_bin)
        response: pb.CheckHealthResponse = self._call(self._stub.CheckHealth, request)
        return response

    # -- pss

    def set_peer_key(self, public_key: bytes, topic: bytes, address: bytes) -> str:
        """Register whom to write to; the key id for :meth:`send`."""
        request = pb.SetPeerKeyRequest(public_key=public_key, topic=topic, address=address)
        response: pb.SetPeerKeyResponse = self._call(self._stub.SetPeerKey, request)
        return response.key_id

    def set_symmetric_key(self, key: bytes, topic: bytes, address: bytes, *, receive: bool) -> str:
        """Register a shared key; the key id for :meth:`send`."""
        request = pb.SetSymmetricKeyRequest(key=key, topic=topic, address=address, receive=receive)
        response: pb.SetSymmetricKeyResponse = self._call(self._stub.SetSymmetricKey, request)
        return response.key_id

    def send(self, mode: pb.Mode, topic: bytes, payload: bytes, *, key_id: str = "", address: bytes = b"") -> bytes:
        """Send a message; the digest that names it in events."""
        request = pb.SendRequest(mode=mode, topic=topic, payload=payload, key_id=key_id, address=address)
        response: pb.SendResponse = self._call(self._stub.Send, request)
        return response.digest

    @contextlib.contextmanager
    def subscribe(self, topic: bytes, *, raw: bool = False, prox: bool = False) -> Iterator[Iterator[pb.PssMessage]]:
        """Messages on a topic; none is missed once the block has begun."""
        request = pb.SubscribeRequest(topic=topic, raw=raw, prox=prox)
        with self._stream(self._stub.Subscribe, request) as responses:
            self._first(responses)
            yield (response.message for response in self._each(responses))

    # -- events and JSON-RPC

    def history(self, *kinds: str, digest: str = "") -> list[NodeEvent]:
        """What the node remembers, oldest first."""
        return self._recall(pb.StreamEventsRequest(kinds=kinds, digest=digest, history=True)).events

    def recall(self, only: EventFilter, *, limit: int | None = None) -> Memory:
        """What the node remembers of what passes `only`, and since when; of the events the last `limit`, at least 1."""
        request = filter_to_pb(only)
        request.history, request.limit = True, limit or 0
        return self._recall(request)

    def remembered_since(self) -> float | None:
        """Unix time before which the node has forgotten what happened; None if it remembers everything since its start,
        which is `recall(...).position.started_wall_s`."""
        return self._recall(pb.StreamEventsRequest()).oldest_wall_s

    def _recall(self, request: pb.StreamEventsRequest) -> Memory:
        with self._stream(self._stub.StreamEvents, request, timeout_s=DEFAULT_TIMEOUT_S) as responses:
            past, mark = _up_to_mark(self._each(responses), self.name)
        return Memory(
            [event_from_pb(response.event) for response in past],
            Position(mark.started_wall_s, mark.last_seq),
            mark.oldest_wall_s or None,
        )

    @contextlib.contextmanager
    def events(self, *kinds: str, history: bool = False, digest: str = "") -> Iterator[Iterator[NodeEvent]]:
        """Events as they happen; none is missed once the block has begun. Messages only if `kinds` names them."""
        request = pb.StreamEventsRequest(kinds=kinds, history=history, follow=True, digest=digest)
        with self._stream(self._stub.StreamEvents, request) as responses:
            yield iter(Feed(self._each(responses), self.name))

    @contextlib.contextmanager
    def follow(self, only: EventFilter, *, since: Position | None = None) -> Iterator[Feed]:
        """Events that pass `only`: with `since` those after it that the node remembers, then those that happen."""
        request = filter_to_pb(only)
        request.follow = True
        if since is not None:
            request.history, request.started_wall_s, request.after_seq = True, since.started_wall_s, since.seq
        with self._stream(self._stub.StreamEvents, request) as responses:
            yield Feed(self._each(responses), self.name, since)

    def call(self, method: str, *params: object) -> Any:
        """Any JSON-RPC method of the node.

        Raises:
            RPCError: as the method answered.
            ControlError: the node was not reached.
        """
        request = pb.CallRequest(method=method, params_json=json.dumps(params))
        response: pb.CallResponse = self._call(self._stub.Call, request)
        if response.error_code:
            raise RPCError(response.error_code, response.error_message)
        return json.loads(response.result_json)

    # -- the channel

    def _call(
        self,
        method: Callable[..., T],
        request: object,
        timeout_s: float = DEFAULT_TIMEOUT_S,
        *,
        wait_for_ready: bool = False,
    ) -> T:
        try:
            return method(request, timeout=timeout_s, metadata=self._metadata, wait_for_ready=wait_for_ready)
        except grpc.RpcError as error:
            raise self._error(error) from None

    @contextlib.contextmanager
    def _stream(self, method: Any, request: object, *, timeout_s: float | None = None) -> Iterator[Any]:
        responses = method(request, timeout=timeout_s, metadata=self._metadata)
        try:
            yield responses
        finally:
            responses.cancel()

    def _each(self, responses: Iterator[Any]) -> Iterator[Any]:
        try:
            yield from responses
        except grpc.RpcError as error:
            # Cancelled is how the block that reads them ends.
            if error.code() is not grpc.StatusCode.CANCELLED:
                raise self._error(error) from None

    def _first(self, responses: Iterator[Any]) -> None:
        try:
            next(responses)
        except grpc.RpcError as error:
            raise self._error(error) from None

    def _error(self, error: grpc.RpcError) -> ControlError:
        assert isinstance(error, grpc.Call)
        details = error.details() or ""
        # What the gateway answers arrives buried in gRPC's own words.
        if "response code 407" in details:
            return ControlError(self.name, grpc.StatusCode.UNAUTHENTICATED, "the gateway refuses the lab's token")
        if "response code 502" in details:
            details = "the gateway cannot reach it"
        return ControlError(self.name, error.code(), details)
