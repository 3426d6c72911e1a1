"""Control of a node that has JSON-RPC over WebSocket and nothing else, as reference nodes do.

What :class:`orchestrator.node_control.NodeControl` asks for, in their methods (spec 03 section 5, spec 05 section 11,
spec 06 section 9). They do not tell what happens in them (events), the digest of what they send encrypted, and how
much memory they take. A message that they received is known by its text and key.
"""

from __future__ import annotations

import base64
import contextlib
import time
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import AbstractContextManager
from functools import partial
from typing import Any, Self, TypeVar

import grpc

from node.control.client import DEFAULT_TIMEOUT_S, ControlError, Feed, Memory, Position
from node.control.gen import control_pb2 as pb
from node.crypto.keccak import keccak256
from node.enode import InvalidEnode, parse_enode
from node.errors import LabError, RPCError
from node.events import EventFilter, NodeEvent
from node.rpc.client import RPCClient
from node.swarm.proximity import proximity_order
from orchestrator.loop_thread import LoopClosed, LoopThread
from orchestrator.reference import MODULES
from orchestrator.ws_gateway import GatewayRefused, dial_ws_through

POLL_S = 0.05
"""Between two questions whether something has happened: there is nothing to wait for over JSON-RPC alone."""
REDIAL_S = 36.0
"""A reference node does not dial a node again that it dialled within 35 s (spec 02: dial history); asked by
`admin_addPeer`, it waits that out without a word, so whoever waits for the connection has to, too."""
LAST_ROW = 15
"""Of the tables that a node shows; deeper bins are shown in it (spec 05 section 10)."""
METHOD_NOT_FOUND = -32601
REFUSED = {
    407: (grpc.StatusCode.UNAUTHENTICATED, "the gateway refuses the lab's token"),
    403: (grpc.StatusCode.PERMISSION_DENIED, "the gateway does not go there"),
    502: (grpc.StatusCode.UNAVAILABLE, "the gateway cannot reach it"),
}
"""What the gateway says, by its HTTP status."""

UNSUBSCRIBE_TIMEOUT_S = 1.0
"""For a node to end a subscription. Source: ours; it takes milliseconds, and nothing depends on the answer: a node that
hangs must not hold up whoever has seen enough of it."""

T = TypeVar("T")


class RPCControl:
    """Calls to one node over WebSocket JSON-RPC. Thread-safe; close it when done.

    Each has an event loop in a thread of its own, begun with the first call.
    """

    def __init__(self, address: str, *, proxy: str, name: str = "") -> None:
        """Nothing is sent yet.

        Args:
            address: ``host:port`` of the WebSocket, as seen from the gateway.
            proxy: ``http://user:password@host:port`` of the gateway.
            name: what errors call the node.
        """
        self.name = name or address
        self._loop = LoopThread(f"JSON-RPC of {self.name}")
        self._client = RPCClient(dialer=partial(dial_ws_through, proxy, address))
        self._dialled: dict[bytes, str] = {}
        """Enodes that the node was told to stay connected with, by node id."""

    def close(self) -> None:
        """End the connection; twice is fine."""
        self._loop.close(self._client.close)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # -- the node and its peers

    def info(self, *, timeout_s: float = DEFAULT_TIMEOUT_S) -> pb.NodeInfo:
        """Who the node is. Its memory, process and age are not told, and so 0."""
        told = self._ask("admin_nodeInfo", timeout_s=timeout_s)
        overlay = self._ask("pss_baseAddr", timeout_s=timeout_s)
        public_key = self._ask("pss_getPublicKey", timeout_s=timeout_s)
        with self._understanding("admin_nodeInfo"):
            return pb.NodeInfo(
                name=self.name,
                client=told["name"],
                node_id=bytes.fromhex(told["id"]),
                enode=told["enode"],
                overlay=_unhex(overlay),
                public_key=_unhex(public_key),
            )

    def wait_until_up(self, timeout_s: float) -> pb.NodeInfo:
        """The node's info as soon as it answers.

        Raises:
            ControlError: DEADLINE_EXCEEDED, it never did; or at once what waiting does not change.
        """
        deadline = time.monotonic() + timeout_s
        while True:
            try:
                return self.info(timeout_s=max(POLL_S, deadline - time.monotonic()))
            except ControlError as error:
                if error.code not in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED):
                    raise
                if time.monotonic() >= deadline:
                    details = f"no answer in {timeout_s:g} s: {error.details}"
                    raise ControlError(self.name, grpc.StatusCode.DEADLINE_EXCEEDED, details) from None
            time.sleep(POLL_S)

    def peers(self) -> list[pb.Peer]:
        """Whom it is connected with; their overlay addresses are not told here."""
        told = self._ask("admin_peers")
        with self._understanding("admin_peers"):
            return [_peer(entry) for entry in told]

    def connect(self, enode: str, *, wait_s: float = 0.0) -> None:
        """Stay connected with a node; with `wait_s`, return when the bzz handshake is done.

        Waits :data:`REDIAL_S` longer than asked for, if need be.

        Raises:
            ControlError: DEADLINE_EXCEEDED, INVALID_ARGUMENT.
        """
        try:
            node_id = parse_enode(enode).id
        except InvalidEnode as error:
            raise ControlError(self.name, grpc.StatusCode.INVALID_ARGUMENT, str(error)) from None
        self._dialled[bytes(node_id)] = enode
        self._ask("admin_addPeer", enode)
        if wait_s:
            missing = f"not connected with {node_id.hex()[:16]}"
            self._wait_for(lambda: self._ask("hive_peer", node_id.hex()) is not None, wait_s + REDIAL_S, missing)

    def disconnect(self, node_id: bytes, *, wait_s: float = 0.0) -> None:
        """Disconnect a node; with `wait_s`, return when it is gone.

        It is not dialled any more either, be it connected just now or not. That needs its enode: one that was neither
        given to :meth:`connect` of this object nor is connected is not known here, and nothing happens.
        """

        def found() -> pb.Peer | None:
            return next((peer for peer in self.peers() if peer.node_id == node_id), None)

        peer = found()
        enode = self._dialled.get(node_id) if peer is None else peer.enode
        if enode is None:
            return
        self._ask("admin_removePeer", enode)
        self._dialled.pop(node_id, None)
        if wait_s:
            self._wait_for(lambda: found() is None, wait_s, f"still connected with {node_id.hex()[:16]}")

    def link_conditions(
        self, links: Sequence[pb.LinkConditions] | None = None, *, seed: int = 0, probe_s: float = 0.0
    ) -> list[pb.LinkState]:
        """Such a node has no shaper."""
        raise ControlError(self.name, grpc.StatusCode.UNIMPLEMENTED, "a node of kind reference has no link conditions")

    # -- the overlay

    def kademlia(self) -> pb.Kademlia:
        """Its table."""
        told = self._ask("hive_kademliaInfo")
        text = self._ask("hive_string")
        with self._understanding("hive_kademliaInfo"):
            return _kademlia(told, text)

    def check_health(self, nn_set: Sequence[bytes], peers_per_bin: Sequence[int]) -> pb.CheckHealthResponse:
        """Compare the node's table with what it should be."""
        pot = {"NNSet": [_base64(address) for address in nn_set], "PeersPerBin": list(peers_per_bin)}
        told = self._ask("hive_getHealthInfo", pot)
        with self._understanding("hive_getHealthInfo"):
            know, connect, saturated = bool(told["KnowNN"]), bool(told["ConnectNN"]), bool(told["Saturated"])
            return pb.CheckHealthResponse(
                # Strict health, which is not in the answer (spec 05 section 9.2).
                healthy=know and connect and told["CountKnowNN"] > 0 and saturated,
                know_nn=know,
                connect_nn=connect,
                saturated=saturated,
                missing_know_nn=[base64.b64decode(text) for text in told["MissingKnowNN"] or ()],
                missing_connect_nn=[base64.b64decode(text) for text in told["MissingConnectNN"] or ()],
            )

    # -- pss

    def set_peer_key(self, public_key: bytes, topic: bytes, address: bytes) -> str:
        """Register whom to write to; the key id for :meth:`send`, which is the key itself in hex."""
        self._ask("pss_setPeerPublicKey", _hex(public_key), _hex(topic), _hex(address))
        return _hex(public_key)

    def set_symmetric_key(self, key: bytes, topic: bytes, address: bytes, *, receive: bool) -> str:
        """Register a shared key; the key id for :meth:`send`."""
        return str(self._ask("pss_setSymmetricKey", _base64(key), _hex(topic), _hex(address), receive))

    def send(self, mode: pb.Mode, topic: bytes, payload: bytes, *, key_id: str = "", address: bytes = b"") -> bytes:
        """Send a message; its digest if it is raw, else nothing: the digest is over what only the node saw."""
        if mode == pb.MODE_RAW:
            self._ask("pss_sendRaw", _hex(address), _hex(topic), _hex(payload))
            return keccak256(address + topic + payload)
        method = {pb.MODE_SYM: "pss_sendSym", pb.MODE_ASYM: "pss_sendAsym"}[mode]
        self._ask(method, key_id, _hex(topic), _hex(payload))
        return b""

    @contextlib.contextmanager
    def subscribe(self, topic: bytes, *, raw: bool = False, prox: bool = False) -> Iterator[Iterator[pb.PssMessage]]:
        """Messages on a topic, without their digests; none is missed once the block has begun."""
        params = ("receive", _hex(topic), raw, prox)
        subscription = self._run(lambda: self._client.subscribe("pss", *params), DEFAULT_TIMEOUT_S)

        async def following() -> Any:
            return await anext(subscription, None)

        def messages() -> Iterator[pb.PssMessage]:
            while (told := self._run(following, None)) is not None:
                with self._understanding("pss_subscription"):
                    message = pb.PssMessage(
                        payload=_unhex(told["Msg"]), asymmetric=told["Asymmetric"], key_id=told["Key"]
                    )
                yield message

        try:
            yield messages()
        finally:
            # The node may be gone by now and the subscription with it, or hang. Here it ends in any case, and first.
            with contextlib.suppress(ControlError, RPCError):
                self._run(subscription.unsubscribe, UNSUBSCRIBE_TIMEOUT_S)

    # -- events and JSON-RPC

    def history(self, *kinds: str, digest: str = "") -> list[NodeEvent]:
        """Not here.

        Raises:
            ControlError: UNIMPLEMENTED, always.
        """
        raise self._no_events()

    def recall(self, only: EventFilter, *, limit: int | None = None) -> Memory:
        """Not here. Raises as :meth:`history`."""
        raise self._no_events()

    def remembered_since(self) -> float | None:
        """Not here. Raises as :meth:`history`."""
        raise self._no_events()

    @contextlib.contextmanager
    def events(self, *kinds: str, history: bool = False, digest: str = "") -> Iterator[Iterator[NodeEvent]]:
        """Not here.

        Raises:
            ControlError: UNIMPLEMENTED, always.
        """
        raise self._no_events()
        yield  # what makes it a generator

    def follow(self, only: EventFilter, *, since: Position | None = None) -> AbstractContextManager[Feed]:
        """Not here. Raises as :meth:`history`."""
        raise self._no_events()

    def call(self, method: str, *params: object) -> Any:
        """Any JSON-RPC method that the node shows on its WebSocket.

        Raises:
            RPCError: as the method answered.
            ControlError: the node was not reached.
        """
        return self._run(lambda: self._client.call(method, *params), DEFAULT_TIMEOUT_S)

    # -- inside

    def _ask(self, method: str, *params: object, timeout_s: float = DEFAULT_TIMEOUT_S) -> Any:
        """Call a method; what it answers with an error is one of the node's control."""
        try:
            return self._run(lambda: self._client.call(method, *params), timeout_s)
        except RPCError as error:
            if error.code == METHOD_NOT_FOUND:
                details = f"it does not show {method} on its WebSocket; the lab needs the modules {MODULES} (--wsapi)"
                raise ControlError(self.name, grpc.StatusCode.UNIMPLEMENTED, details) from None
            raise ControlError(self.name, grpc.StatusCode.UNKNOWN, f"{method}: {error}") from None

    def _run(self, begin: Callable[[], Coroutine[Any, Any, T]], timeout_s: float | None) -> T:
        """Do something on the loop and wait for it; all that keeps it from an answer is a ControlError.

        Args:
            begin: makes the coroutine.
            timeout_s: None is for messages, which come when they come: until the subscription ends.
        """
        try:
            return self._loop.run(begin, timeout_s=timeout_s)
        except RPCError:
            raise
        except GatewayRefused as error:
            code, details = REFUSED.get(error.status, (grpc.StatusCode.UNKNOWN, str(error)))
            raise ControlError(self.name, code, details) from None
        except LoopClosed:
            raise ControlError(self.name, grpc.StatusCode.CANCELLED, "its control is closed") from None
        except TimeoutError:
            raise ControlError(self.name, grpc.StatusCode.DEADLINE_EXCEEDED, "no answer in time") from None
        except LabError as error:
            raise ControlError(self.name, grpc.StatusCode.UNAVAILABLE, str(error)) from None

    def _wait_for(self, condition: Callable[[], bool], wait_s: float, failure: str) -> None:
        deadline = time.monotonic() + wait_s
        while not condition():
            if time.monotonic() > deadline:
                raise ControlError(self.name, grpc.StatusCode.DEADLINE_EXCEEDED, f"{failure} after {wait_s:g} s")
            time.sleep(POLL_S)

    @contextlib.contextmanager
    def _understanding(self, method: str) -> Iterator[None]:
        """Take apart what a method answered; an answer of another shape is an error that names the method."""
        try:
            yield
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            details = f"{method} answers something else than expected: {type(error).__name__} {error}"
            raise ControlError(self.name, grpc.StatusCode.INTERNAL, details) from None

    def _no_events(self) -> ControlError:
        return ControlError(self.name, grpc.StatusCode.UNIMPLEMENTED, "no events from reference nodes")


def _peer(told: dict[str, Any]) -> pb.Peer:
    network = told["network"]
    return pb.Peer(
        node_id=bytes.fromhex(told["id"]),
        enode=told["enode"],
        client=told["name"],
        caps=told["caps"],
        inbound=network["inbound"],
        static=network["static"],
        trusted=network["trusted"],
        local=network["localAddress"],
        remote=network["remoteAddress"],
    )


def _kademlia(told: dict[str, Any], text: str) -> pb.Kademlia:
    base = bytes.fromhex(told["self"])
    bins: dict[int, pb.Bin] = {}
    for kind in ("known", "connections"):
        for row, addresses in enumerate(told[kind]):
            for address in map(bytes.fromhex, addresses or ()):
                po = row if row < LAST_ROW else proximity_order(base, address)
                listed = bins.setdefault(po, pb.Bin(po=po))
                (listed.known if kind == "known" else listed.connected).append(address)
    return pb.Kademlia(self=base, depth=told["depth"], bins=[bins[po] for po in sorted(bins)], text=text)


def _hex(data: bytes) -> str:
    return "0x" + data.hex()


def _unhex(text: str) -> bytes:
    return bytes.fromhex(text.removeprefix("0x"))


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()
