"""pss as a service: messages in from peers, out to peers, and to whoever listens here (spec 06).

The shell around :mod:`node.pss.processor`, :mod:`node.pss.routing` and :mod:`node.pss.outbox`: it owns connections,
clocks and timers. A message that only passes through is handled without a task in between.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from node.crypto.secp256k1 import PrivateKey
from node.disconnect import DisconnectReason
from node.errors import LocalProtocolError, OutboxFull, PeerDisconnected, RemoteProtocolError
from node.events import Kind
from node.ids import Digest, OverlayAddress, Topic
from node.p2p.peer import Peer
from node.p2p.protocol import MessagePipe, Protocol
from node.p2p.server import Server
from node.pss.api import PssAPI
from node.pss.crypto import wrap_asymmetric, wrap_symmetric
from node.pss.handlers import Callback, Delivery, Handler, HandlerRegistry
from node.pss.handshake_api import HandshakeAPI
from node.pss.handshake_shell import Handshakes
from node.pss.keystore import CLEAN_UP_INTERVAL_S, KeyStore
from node.pss.message import MAX_MESSAGE_BYTES, MESSAGE_TTL_S, MessageKind, PssMessage, check_plaintext_size
from node.pss.outbox import Outbox
from node.pss.processor import Deliver, Drop, DropReason, Forward, PssProcessor
from node.pss.routing import ForwardResult, forward
from node.pss.seen import SeenCache
from node.pss.wire import MESSAGE_CODE, PROTOCOL_LENGTH, PROTOCOL_NAME, PROTOCOL_VERSION, decode_payload
from node.service.service import API, Service, ServiceContext
from node.swarm.kademlia import ConnChange
from node.swarm.load_balance import LoadBalancer
from node.swarm.proximity import position
from node.swarm.service import OverlayService
from node.tasks import TaskOwner

log = logging.getLogger(__name__)


@dataclass(eq=False, slots=True)
class Subscription:
    """A handler in place; :meth:`cancel` takes it out."""

    topic: Topic
    handler: Handler
    _handlers: HandlerRegistry
    _cancelled: bool = False

    def cancel(self) -> None:
        """Nothing more is delivered; a second time does nothing."""
        if not self._cancelled:
            self._cancelled = True
            self._handlers.deregister(self.topic, self.handler)


class PssService(Service):
    """Sends, relays and receives pss messages for one node."""

    def __init__(self, context: ServiceContext, *, key: PrivateKey) -> None:
        """`key` is the bzz key: messages to its public key can be read here."""
        self.key = key
        self.overlay_service = context.service(OverlayService)
        self.overlay: OverlayAddress = self.overlay_service.overlay
        self.keys = KeyStore()
        self.handlers = HandlerRegistry()
        self._events = context.events
        self._seen = SeenCache()
        self._processor = PssProcessor(
            private_key=key, overlay=self.overlay, keys=self.keys, handlers=self.handlers, seen=self._seen
        )
        self._outbox = Outbox()
        self._outbox_timer: asyncio.TimerHandle | None = None
        self._balancer: LoadBalancer[Peer] = LoadBalancer()
        self._positions: dict[Peer, int] = {}
        self._pipes: dict[Peer, MessagePipe] = {}
        self._loop = asyncio.get_running_loop()
        self._tasks = TaskOwner()
        self.handshakes = Handshakes(self)
        self.overlay_service.kademlia.listeners.append(self._on_kademlia)

    # -- Service

    def protocols(self) -> Sequence[Protocol]:
        return (
            Protocol(
                name=PROTOCOL_NAME,
                version=PROTOCOL_VERSION,
                length=PROTOCOL_LENGTH,
                max_message_bytes=MAX_MESSAGE_BYTES,
                run=self._run,
            ),
        )

    def apis(self) -> Sequence[API]:
        # Of two methods of one name the later counts: sendSym is the handshakes'.
        return (API("pss", PssAPI(self), public=True), API("pss", HandshakeAPI(self.handshakes), public=True))

    async def start(self, server: Server) -> None:
        self._tasks.spawn(self._clean_up_keys(), name="pss key clean-up")

    async def stop(self) -> None:
        if self._outbox_timer is not None:
            self._outbox_timer.cancel()
        await self._tasks.aclose()

    async def _clean_up_keys(self) -> None:
        while True:
            await asyncio.sleep(CLEAN_UP_INTERVAL_S)
            self.keys.clean_up()

    # -- listening

    def subscribe(self, topic: Topic, callback: Callback, *, raw: bool = False, prox: bool = False) -> Subscription:
        """Call `callback` with every message on `topic` that is for this node; awaitables it returns are awaited.

        Args:
            raw: take raw messages as well.
            prox: take messages for the whole neighbourhood as well.
        """
        handler = Handler(callback=callback, raw=raw, prox=prox)
        self.handlers.register(topic, handler)
        return Subscription(topic, handler, self.handlers)

    # -- sending

    def send_raw(self, address: bytes, topic: Topic, payload: bytes) -> Digest:
        """Send bytes as they are to an address of 0 to 32 bytes. Returns the digest that events know it by.

        Raises:
            LocalProtocolError: address or message too long.
            OutboxFull: no peer takes it and too many others wait already.
        """
        return self._send(MessageKind.RAW, address, topic, len(payload), lambda: payload)

    def send_symmetric(self, key_id: str, topic: Topic, payload: bytes) -> Digest:
        """Encrypt with a symmetric key and send to the address filed for it.

        Raises:
            UnknownKey, UnknownTopic: not in the key store.
            LocalProtocolError, OutboxFull: as :meth:`send_raw`.
        """
        key, address = self.keys.symmetric_route(key_id, topic)
        return self._send(
            MessageKind.SYMMETRIC,
            address,
            topic,
            len(payload),
            lambda: wrap_symmetric(payload, key, sender=self.key),
        )

    def send_asymmetric(self, pubkey_id: str, topic: Topic, payload: bytes) -> Digest:
        """Encrypt to a public key and send to the address filed for it. Raises like :meth:`send_symmetric`."""
        key, address = self.keys.asymmetric_route(pubkey_id, topic)
        return self._send(
            MessageKind.ASYMMETRIC,
            address,
            topic,
            len(payload),
            lambda: wrap_asymmetric(payload, key, sender=self.key),
        )

    def _send(self, kind: MessageKind, to: bytes, topic: Topic, size: int, seal: Callable[[], bytes]) -> Digest:
        check_plaintext_size(kind, len(to), size)
        try:
            payload = seal()
        except LocalProtocolError as error:
            raise LocalProtocolError(f"failed to perform message encapsulation and encryption: {error}") from None
        message = PssMessage(
            to=to,
            raw=kind is MessageKind.RAW,
            symmetric=kind is MessageKind.SYMMETRIC,
            expire=int(time.time()) + MESSAGE_TTL_S,
            topic=topic,
            payload=payload,
        )
        if self._events.active:
            self._emit(
                Kind.PSS_SENT, message, control=True, size=size, data={"mode": kind.name.lower(), "to": to.hex()}
            )
        self._forward_or_queue(message)
        return message.digest

    # -- receiving

    async def _run(self, peer: Peer, pipe: MessagePipe) -> None:
        self._pipes[peer] = pipe
        self._peer_added()
        try:
            await pipe.serve(lambda code, payload: self._receive(peer, code, payload))
        finally:
            del self._pipes[peer]

    def _receive(self, peer: Peer, code: int, payload: bytes) -> None:
        try:
            message = decode_payload(code, payload)
        except RemoteProtocolError as error:
            error.reason = DisconnectReason.SUBPROTOCOL_ERROR
            raise
        decision = self._processor.receive(
            message,
            now=self._loop.time(),
            unix_now=time.time(),
            depth=self.overlay_service.kademlia.neighbourhood_depth,
        )
        if self._events.active:
            self._report_received(peer, message, decision)
        match decision:
            case Drop():
                return
            case Forward():
                self._relay(message)
            case Deliver():
                if decision.forward:
                    self._relay(message)
                self._deliver(decision.delivery, decision.handlers)

    def _deliver(self, delivery: Delivery, handlers: Sequence[Handler]) -> None:
        for handler in handlers:
            try:
                result = handler.callback(delivery)
            except Exception:
                log.exception("a handler of topic %s failed", delivery.topic.hex())
                continue
            if inspect.isawaitable(result):
                self._tasks.spawn(_await(result), name=f"pss handler of {delivery.topic.hex()}")

    # -- forwarding

    def _relay(self, message: PssMessage) -> None:
        try:
            self._forward_or_queue(message)
        except OutboxFull as error:
            log.warning("dropping a message: %s", error)
            self._emit(Kind.PSS_DROPPED, message, reason=str(error))

    def _forward_or_queue(self, message: PssMessage) -> None:
        if not self._forward(message):
            self._outbox.put(message, now=self._loop.time())
            self._emit(Kind.PSS_QUEUED, message, reason="unable to forward to any peers")
            self._arm_outbox()

    def _forward(self, message: PssMessage) -> bool:
        """Hand a message to the peers it should go to; whether anybody took it."""
        # Remembered before it leaves and with every attempt: echoes are no news, and what waits stays known.
        self._processor.mark_sent(message, now=self._loop.time())
        counts = self._balancer
        result = forward(
            self.overlay,
            message.to,
            self.overlay_service.kademlia.neighbourhood_depth,
            [(at, counts.count(peer) or 0, peer) for peer, at in self._positions.items()],
            lambda peer: self._send_to(peer, message),
        )
        if self._events.active:
            self._report_forwarded(message, result)
        return result.ok

    def _send_to(self, peer: Peer, message: PssMessage) -> bool:
        pipe = self._pipes.get(peer)
        if pipe is None or pipe.closed or pipe.congested:
            return False
        try:
            pipe.send_nowait(MESSAGE_CODE, message.encode())
        except (PeerDisconnected, LocalProtocolError) as error:
            log.debug("%s did not take a message: %s", peer, error)
            return False
        self._balancer.used(peer)
        return True

    def _on_kademlia(self, change: ConnChange[Peer]) -> None:
        if change.on:
            self._positions[change.peer] = position(change.address.overlay)
            self._balancer.on(change.peer, change.po)
            self._peer_added()
        else:
            self._positions.pop(change.peer, None)
            self._balancer.off(change.peer)

    # -- the outbox

    def _peer_added(self) -> None:
        self._outbox.peer_added(now=self._loop.time())
        self._arm_outbox()

    def _arm_outbox(self) -> None:
        if self._outbox_timer is not None:
            self._outbox_timer.cancel()
        deadline = self._outbox.next_deadline()
        self._outbox_timer = None if deadline is None else self._loop.call_at(deadline, self._retry)

    def _retry(self) -> None:
        for message in self._outbox.retry(self._forward, now=self._loop.time()):
            self._emit(Kind.PSS_DROPPED, message, reason="no peer took it for ten minutes")
        self._arm_outbox()

    # -- reporting

    def _emit(self, kind: Kind, message: PssMessage, **fields: Any) -> None:
        if self._events.active:
            self._events.emit(kind, protocol=PROTOCOL_NAME, digest=message.digest.hex(), **fields)

    def _report_received(self, peer: Peer, message: PssMessage, decision: Drop | Forward | Deliver) -> None:
        common: dict[str, Any] = {"peer": peer.id.hex()}
        if isinstance(decision, Drop):
            duplicate = decision.reason is DropReason.DUPLICATE
            self._emit(
                Kind.PSS_DUPLICATE if duplicate else Kind.PSS_DROPPED, message, reason=decision.reason.value, **common
            )
            return
        data: dict[str, Any] = {
            "to": message.to.hex(),
            "mode": message.kind.name.lower(),
            "keys_tried": decision.keys_tried,
            "opened": isinstance(decision, Deliver),
        }
        if isinstance(decision, Forward):
            data["passed_on"] = decision.reason.value
        self._emit(Kind.PSS_RECEIVED, message, data=data, **common)
        if isinstance(decision, Deliver):
            self._emit(
                Kind.PSS_DELIVERED,
                message,
                size=len(decision.delivery.payload),
                data={"mode": message.kind.name.lower(), "handlers": len(decision.handlers)},
                **common,
            )

    def _report_forwarded(self, message: PssMessage, result: ForwardResult[Peer]) -> None:
        why = {
            "mode": result.mode.value,
            "own_po": result.range.own_po,
            "threshold": result.range.threshold,
            "depth": result.depth,
            "refused": result.refused,
        }
        for peer, po in result.hops:
            self._emit(Kind.PSS_FORWARDED, message, peer=peer.id.hex(), data={**why, "po": po})


async def _await(result: Any) -> None:
    await result
