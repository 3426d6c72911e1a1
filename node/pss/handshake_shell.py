"""Runs the key exchange on a node: listens on topics, sends key messages, waits for answers (spec 07 section A4).

The shell around :mod:`node.pss.handshake`. One sync call that is never answered ends after 8 seconds and leaves
nothing behind; the reference then hangs for good (section A6, row 2).
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from node.errors import LabError, MalformedMessage
from node.ids import Digest, Topic
from node.pss.handlers import UNSIGNED_KEY_ID, Delivery
from node.pss.handshake import REQUEST_TIMEOUT_S, HandshakeController, Offer
from node.pss.handshake_keys import HandshakeError
from node.pss.handshake_message import decode_key_message, encode_key_message

if TYPE_CHECKING:
    from node.pss.service import PssService, Subscription

log = logging.getLogger(__name__)

Waiting = asyncio.Future[list[str]]


class Handshakes:
    """The key exchanges of one node."""

    def __init__(self, pss: PssService, *, timeout_s: float = REQUEST_TIMEOUT_S) -> None:
        """`timeout_s`: how long :meth:`exchange` waits for the peer."""
        self.controller = HandshakeController(overlay=pss.overlay, store=pss.keys)
        self.timeout_s = timeout_s
        self._pss = pss
        self._subscriptions: dict[Topic, Subscription] = {}
        self._waiting: dict[tuple[str, Topic], set[Waiting]] = {}
        self._loop = asyncio.get_running_loop()

    @property
    def now(self) -> float:
        """The clock that the controller lives by: monotonic seconds."""
        return self._loop.time()

    # -- topics

    def activate(self, topic: Topic) -> None:
        """Exchange keys on a topic; a second time does nothing."""
        if self.controller.activate(topic):
            self._subscriptions[topic] = self._pss.subscribe(topic, self._received)

    def deactivate(self, topic: Topic) -> None:
        """Exchange no more keys on a topic; without effect if it is not active. Keys that are here stay."""
        if self.controller.deactivate(topic):
            self._subscriptions.pop(topic).cancel()

    # -- exchanging keys

    async def exchange(self, pubkey_id: str, topic: Topic, *, sync: bool, flush: bool) -> list[str] | None:
        """Send keys to a contact and ask for some.

        Args:
            sync: wait for the answer.
            flush: make a whole new set.

        Returns:
            Ids of the keys to send with that came; None if not `sync`.

        Raises:
            HandshakeError: there are keys enough; no contact of that id; it could not be sent; `timeout`.
        """
        offer = self.controller.request(pubkey_id, topic, flush=flush, wait=sync, now=self.now)
        if not sync:
            self._send(pubkey_id, offer)
            return None
        answer: Waiting = self._loop.create_future()
        waiting = self._waiting.setdefault((pubkey_id, topic), set())
        waiting.add(answer)
        try:
            self._send(pubkey_id, offer)
            async with asyncio.timeout(self.timeout_s):
                return await answer
        except TimeoutError:
            raise HandshakeError("timeout") from None
        finally:
            waiting.discard(answer)
            if not waiting and self._waiting.get((pubkey_id, topic)) is waiting:
                del self._waiting[pubkey_id, topic]

    def send_symmetric(self, key_id: str, topic: Topic, payload: bytes) -> Digest:
        """Send, and count the use if the key is one of an exchange.

        Raises:
            KeyExhausted: the key was used up before; the message is sent all the same.
            UnknownKey, UnknownTopic, LocalProtocolError, OutboxFull: as :meth:`PssService.send_symmetric`.
        """
        digest = self._pss.send_symmetric(key_id, topic, payload)
        self.controller.keys.count_use(key_id)
        return digest

    def _send(self, pubkey_id: str, offer: Offer) -> None:
        try:
            self._pss.send_asymmetric(pubkey_id, offer.message.topic, encode_key_message(offer.message))
        except LabError as error:
            self.controller.withdraw(offer)
            raise HandshakeError(f"Send symkey failed: {error}") from error

    # -- receiving

    def _received(self, delivery: Delivery) -> None:
        try:
            if delivery.asymmetric:
                self._received_asymmetric(delivery)
            else:
                self.controller.keys.count_use(delivery.key_id)
        except HandshakeError as error:
            # Only logged: the message still goes to whoever else listens.
            log.warning("key exchange on topic %s: %s", delivery.topic.hex(), error)

    def _received_asymmetric(self, delivery: Delivery) -> None:
        if delivery.key_id == UNSIGNED_KEY_ID:
            return  # nobody to answer or to write to
        try:
            message = decode_key_message(delivery.payload)
        except MalformedMessage:
            return  # the application's own
        received = self.controller.receive(delivery.key_id, message, now=self.now)
        if received.key_ids:
            for answer in self._waiting.pop((delivery.key_id, message.topic), ()):
                if not answer.done():
                    answer.set_result(received.key_ids)
        if received.reply is not None:
            self._send(delivery.key_id, received.reply)
        if received.refusal is not None:
            raise received.refusal
