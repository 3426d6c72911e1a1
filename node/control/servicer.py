"""The calls of control.proto, translated to the services of a node and back."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import json
import os
import resource
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, TypeVar

import grpc
import grpc.aio

from node import __version__
from node.control.convert import kademlia_to_pb, peer_to_pb
from node.control.eventstream import answers
from node.control.gen import control_pb2 as pb
from node.control.gen import control_pb2_grpc
from node.control.linkconditions import InvalidField, conditions_from_pb, tell_links
from node.crypto.secp256k1 import InvalidKey, PublicKey
from node.enode import InvalidEnode, parse_enode
from node.errors import DialFailed, LabError, LocalProtocolError, OutboxFull, RPCError, UnknownKey, UnknownTopic
from node.events import Kind, NodeEvent
from node.ids import NODE_ID_BYTES, OVERLAY_ADDRESS_BYTES, TOPIC_BYTES, NodeId, Topic
from node.pss.crypto import SYMMETRIC_KEY_BYTES
from node.pss.handlers import Delivery
from node.pss.service import PssService
from node.rpc.stream import read_first
from node.service.stack import ServiceNode
from node.swarm.health import PeerPot, check_health
from node.swarm.service import OverlayService

MAX_QUEUED_MESSAGES = 65536
"""Backlog of one subscriber; a stream that falls further behind ends with RESOURCE_EXHAUSTED."""
MAX_WAIT_MS = 60_000
"""For Connect and Disconnect."""
READY_KINDS = (Kind.KAD_ON, Kind.KAD_OFF, Kind.ADD, Kind.DROP, Kind.DIAL_FAILED)

Context = grpc.aio.ServicerContext[Any, Any]
Request = TypeVar("Request")
Response = TypeVar("Response")
Handler = Callable[[Any, Request, Context], Awaitable[Response]]


_STATUS: tuple[tuple[type[Exception], grpc.StatusCode], ...] = (
    (InvalidField, grpc.StatusCode.INVALID_ARGUMENT),
    (InvalidEnode, grpc.StatusCode.INVALID_ARGUMENT),
    (DialFailed, grpc.StatusCode.INVALID_ARGUMENT),
    (LocalProtocolError, grpc.StatusCode.INVALID_ARGUMENT),
    (UnknownKey, grpc.StatusCode.NOT_FOUND),
    (UnknownTopic, grpc.StatusCode.NOT_FOUND),
    (OutboxFull, grpc.StatusCode.RESOURCE_EXHAUSTED),
    (TimeoutError, grpc.StatusCode.DEADLINE_EXCEEDED),
    (LabError, grpc.StatusCode.FAILED_PRECONDITION),
)


def _statuses(handler: Handler[Request, Response]) -> Handler[Request, Response]:
    """Turn our errors into status codes."""

    @functools.wraps(handler)
    async def call(self: Any, request: Request, context: Context) -> Response:
        try:
            return await handler(self, request, context)
        except (LabError, TimeoutError) as error:
            code = next(code for kind, code in _STATUS if isinstance(error, kind))
            await context.abort(code, str(error))
            raise AssertionError("abort raises") from error

    return call


class ControlServicer(control_pb2_grpc.ControlServicer):  # type: ignore[misc]  # generated code has no types
    """One node's side of control.proto."""

    def __init__(self, node: ServiceNode, *, name: str) -> None:
        self._node, self._name = node, name
        self._overlay, self._pss = node.service(OverlayService), node.service(PssService)
        self._started = time.monotonic()

    # -- the node and its peers

    @_statuses
    async def GetInfo(self, request: pb.GetInfoRequest, context: Context) -> pb.NodeInfo:
        server = self._node.server
        return pb.NodeInfo(
            name=self._name,
            client=server.config.name,
            node_id=server.id,
            enode=server.node.url,
            overlay=self._overlay.overlay,
            public_key=self._pss.key.public.uncompressed,
            network_id=self._overlay.network_id,
            pid=os.getpid(),
            rss_bytes=resident_bytes(),
            uptime_s=time.monotonic() - self._started,
            version=__version__,
            tasks=len(asyncio.all_tasks()),
        )

    @_statuses
    async def ListPeers(self, request: pb.ListPeersRequest, context: Context) -> pb.ListPeersResponse:
        peers = sorted(self._node.server.peers, key=lambda peer: peer.id)
        return pb.ListPeersResponse(peers=[peer_to_pb(peer, self._overlay.address_of(peer)) for peer in peers])

    @_statuses
    async def Connect(self, request: pb.ConnectRequest, context: Context) -> pb.ConnectResponse:
        target = parse_enode(request.enode)
        last_failure = ""

        def settled(event: NodeEvent | None) -> bool:
            nonlocal last_failure
            if event is not None and event.peer == target.id.hex() and event.kind in (Kind.DIAL_FAILED, Kind.DROP):
                last_failure = f": {event.reason}"
            return self._overlay.record(target.id) is not None

        await self._wait_for(
            settled,
            request.wait_ms,
            lambda: self._node.server.add_peer(target, immediately=True),
            lambda: f"not connected with {target.id.hex()[:16]} after {request.wait_ms} ms{last_failure}",
        )
        return pb.ConnectResponse()

    @_statuses
    async def Disconnect(self, request: pb.DisconnectRequest, context: Context) -> pb.DisconnectResponse:
        if len(request.node_id) != NODE_ID_BYTES:
            raise InvalidField(f"node_id: want {NODE_ID_BYTES} bytes, got {len(request.node_id)}")
        node_id = NodeId(request.node_id)
        await self._wait_for(
            lambda _: self._node.server.peer(node_id) is None,
            request.wait_ms,
            lambda: self._node.server.remove_peer(node_id),
            lambda: f"still connected with {node_id.hex()[:16]} after {request.wait_ms} ms",
        )
        return pb.DisconnectResponse()

    async def _wait_for(
        self,
        condition: Callable[[NodeEvent | None], bool],
        wait_ms: int,
        act: Callable[[], None],
        failure: Callable[[], str],
    ) -> None:
        """Do something, then wait until a condition that peer events can change holds."""
        async with self._node.events.stream(*READY_KINDS) as events:
            act()
            if not wait_ms or condition(None):
                return
            try:
                async with asyncio.timeout(min(wait_ms, MAX_WAIT_MS) / 1000):
                    async for event in events:
                        if condition(event):
                            return
            except TimeoutError:
                raise TimeoutError(failure()) from None

    @_statuses
    async def SetLinkConditions(
        self, request: pb.SetLinkConditionsRequest, context: Context
    ) -> pb.SetLinkConditionsResponse:
        server = self._node.server
        if not request.keep:
            server.shaping.set(conditions_from_pb(request.links), seed=request.seed)
        return await tell_links(server, probe_s=min(request.probe_ms, MAX_WAIT_MS) / 1000)

    # -- the overlay

    @_statuses
    async def GetKademlia(self, request: pb.GetKademliaRequest, context: Context) -> pb.Kademlia:
        return kademlia_to_pb(self._overlay.kademlia, self._overlay.table_text())

    @_statuses
    async def CheckHealth(self, request: pb.CheckHealthRequest, context: Context) -> pb.CheckHealthResponse:
        for address in request.nn_set:
            if len(address) != OVERLAY_ADDRESS_BYTES:
                raise InvalidField(f"nn_set: want addresses of {OVERLAY_ADDRESS_BYTES} bytes, got {len(address)}")
        pot = PeerPot(nn_set=tuple(request.nn_set), peers_per_bin=tuple(request.peers_per_bin))
        health = check_health(self._overlay.kademlia, pot)
        return pb.CheckHealthResponse(
            healthy=health.healthy,
            know_nn=health.know_nn,
            connect_nn=health.connect_nn,
            saturated=health.saturated,
            missing_know_nn=health.missing_know_nn,
            missing_connect_nn=health.missing_connect_nn,
        )

    # -- pss

    @_statuses
    async def SetPeerKey(self, request: pb.SetPeerKeyRequest, context: Context) -> pb.SetPeerKeyResponse:
        try:
            key = PublicKey(request.public_key)
        except InvalidKey as error:
            raise InvalidField(f"public_key: {error}") from None
        key_id = self._pss.keys.set_peer_public_key(key, _topic(request.topic), _address(request.address))
        return pb.SetPeerKeyResponse(key_id=key_id)

    @_statuses
    async def SetSymmetricKey(self, request: pb.SetSymmetricKeyRequest, context: Context) -> pb.SetSymmetricKeyResponse:
        keys, topic, address = self._pss.keys, _topic(request.topic), _address(request.address)
        if len(request.key) not in (0, SYMMETRIC_KEY_BYTES):
            raise InvalidField(f"key: want {SYMMETRIC_KEY_BYTES} bytes or none, got {len(request.key)}")
        if request.key:
            key_id = keys.set_symmetric_key(request.key, topic, address, add_to_cache=request.receive)
        else:
            key_id = keys.generate_symmetric_key(topic, address, add_to_cache=request.receive)
        return pb.SetSymmetricKeyResponse(key_id=key_id, key=keys.symmetric_key(key_id).secret)

    @_statuses
    async def Send(self, request: pb.SendRequest, context: Context) -> pb.SendResponse:
        topic = _topic(request.topic)
        match request.mode:
            case pb.MODE_RAW:
                digest = self._pss.send_raw(_address(request.address), topic, request.payload)
            case pb.MODE_SYM:
                digest = self._pss.send_symmetric(request.key_id, topic, request.payload)
            case pb.MODE_ASYM:
                digest = self._pss.send_asymmetric(request.key_id, topic, request.payload)
            case _:
                raise InvalidField("mode: want MODE_RAW, MODE_SYM or MODE_ASYM")
        return pb.SendResponse(digest=digest)

    async def Subscribe(self, request: pb.SubscribeRequest, context: Context) -> AsyncIterator[pb.SubscribeResponse]:
        queue: asyncio.Queue[Delivery] = asyncio.Queue(MAX_QUEUED_MESSAGES)
        overflow = asyncio.Event()

        def take(delivery: Delivery) -> None:
            if queue.full():
                overflow.set()
            else:
                queue.put_nowait(delivery)

        try:
            subscription = self._pss.subscribe(_topic(request.topic), take, raw=request.raw, prox=request.prox)
        except InvalidField as error:
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, str(error))
        try:
            yield pb.SubscribeResponse()
            while not overflow.is_set():
                delivery = await queue.get()
                yield pb.SubscribeResponse(
                    message=pb.PssMessage(
                        payload=delivery.payload,
                        asymmetric=delivery.asymmetric,
                        key_id=delivery.key_id,
                        digest=delivery.digest,
                    )
                )
            await context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, "subscriber is too slow")
        finally:
            subscription.cancel()

    # -- events and JSON-RPC

    async def StreamEvents(
        self, request: pb.StreamEventsRequest, context: Context
    ) -> AsyncIterator[pb.StreamEventsResponse]:
        try:
            async with contextlib.aclosing(answers(self._node.events, request, node=self._name)) as responses:
                async for response in responses:
                    yield response
        except ValueError as error:
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, str(error))

    @_statuses
    async def Call(self, request: pb.CallRequest, context: Context) -> pb.CallResponse:
        params = _json_array(request.params_json)
        client = await self._node.attach()
        async with client:
            try:
                result = await client.call(request.method, *params)
            except RPCError as error:
                return pb.CallResponse(error_code=error.code, error_message=error.message)
        return pb.CallResponse(result_json=json.dumps(result))


def _json_array(text: str) -> list[Any]:
    """The array in a field; nothing is an empty one.

    The reader of the RPC servers bounds nesting, which `json.loads` leaves to the stack of the process.
    """
    try:
        found = read_first(text.encode())
    except ValueError as error:
        raise InvalidField(f"params_json: {error}") from None
    if found is None:
        return []
    if not isinstance(found.value, list):
        raise InvalidField("params_json: want a JSON array")
    return found.value


def _topic(raw: bytes) -> Topic:
    if len(raw) != TOPIC_BYTES:
        raise InvalidField(f"topic: want {TOPIC_BYTES} bytes, got {len(raw)}")
    return Topic(raw)


def _address(raw: bytes) -> bytes:
    if len(raw) > OVERLAY_ADDRESS_BYTES:
        raise InvalidField(f"address: want 0 to {OVERLAY_ADDRESS_BYTES} bytes, got {len(raw)}")
    return raw


def resident_bytes() -> int:
    """Resident memory of this process; the peak where the system does not tell the current value."""
    try:
        with open("/proc/self/statm") as statm:
            return int(statm.read().split()[1]) * resource.getpagesize()
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
