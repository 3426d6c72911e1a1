"""The providing end of publish and subscribe (spec 07 part E).

Subscribers are kept in bins by the first bytes of their addresses: one key and one message for each bin.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from node.crypto.secp256k1 import PublicKey
from node.errors import LocalProtocolError
from node.ids import Topic
from node.pss.handlers import Delivery
from node.pss.keystore import format_pubkey_id
from node.pss.notify import NotifyEnd, NotifyError, PssTransport
from node.pss.notify_message import CONTROL_TOPIC, NotifyCode, NotifyMessage, encode_notify_message
from node.pss.topic import topic_from_bytes

DEFAULT_THRESHOLD_BYTES = 1
"""How much of their addresses the subscribers of a bin have in common."""
MAX_SUBSCRIBERS = 1024
"""Ours: subscribers of one name. Everybody can subscribe."""


@dataclass(eq=False, slots=True)
class _Bin:
    """Subscribers that one message reaches."""

    key_id: str
    subscribers: dict[str, bool] = field(default_factory=dict)
    """By public key id; whether they are contacts on the control topic only because they subscribed."""


@dataclass(eq=False, slots=True)
class _Publication:
    topic: Topic
    threshold_bytes: int
    bins: dict[bytes, _Bin] = field(default_factory=dict)
    """By what their addresses have in common."""

    @property
    def subscriber_count(self) -> int:
        return sum(len(bin_.subscribers) for bin_ in self.bins.values())


class Publisher(NotifyEnd):
    """What one node publishes."""

    def __init__(self, pss: PssTransport) -> None:
        super().__init__(pss)
        self._publications: dict[bytes, _Publication] = {}

    def close(self) -> None:
        super().close()
        for name in list(self._publications):
            self._withdraw(name)

    def publish(self, name: str, *, threshold_bytes: int = DEFAULT_THRESHOLD_BYTES) -> None:
        """Let others subscribe to a name.

        Args:
            threshold_bytes: size of the address prefix that makes a bin: 0 sends every notification to everybody, 32
                one to each subscriber.

        Raises:
            LocalProtocolError: it is published already.
        """
        key = name.encode()
        if key in self._publications:
            raise LocalProtocolError(f"{name!r} is published already")
        self._publications[key] = _Publication(topic_from_bytes(key), threshold_bytes)

    def withdraw(self, name: str) -> None:
        """Publish it no more; without effect if it is not published."""
        self._withdraw(name.encode())

    def update(self, name: str, notification: bytes) -> int:
        """Send a notification, once for each bin; how many that were.

        Raises:
            NotifyError: it is not published.
            LocalProtocolError, OutboxFull: it cannot be sent.
        """
        publication = self._publication(name.encode())
        wire = encode_notify_message(NotifyCode.NOTIFY, name.encode(), notification)
        for bin_ in publication.bins.values():
            self._pss.send_symmetric(bin_.key_id, publication.topic, wire)
        return len(publication.bins)

    def subscriber_count(self, name: str) -> int:
        """How many get what is published under a name. Raises NotifyError like :meth:`update`."""
        return self._publication(name.encode()).subscriber_count

    # -- what comes in

    def _on_control(self, message: NotifyMessage, delivery: Delivery) -> None:
        assert delivery.sender is not None, "looked at before"
        if message.code == NotifyCode.START:
            self._start(message, delivery.sender)
        elif message.code == NotifyCode.STOP:
            self._stop(message, delivery.key_id)

    def _start(self, message: NotifyMessage, subscriber: PublicKey) -> None:
        publication = self._publication(message.name)
        prefix = message.payload[: publication.threshold_bytes]
        subscriber_id = format_pubkey_id(subscriber)
        self._leave(publication, subscriber_id)  # it may have moved, or lost its key
        if publication.subscriber_count >= MAX_SUBSCRIBERS:
            raise NotifyError(f"{message.name!r} has {MAX_SUBSCRIBERS} subscribers already")
        keys = self._pss.keys
        bin_ = publication.bins.get(prefix)
        if bin_ is None:
            key_id = keys.generate_symmetric_key(publication.topic, prefix, add_to_cache=False, protected=True)
            bin_ = publication.bins[prefix] = _Bin(key_id)
        unknown = keys.find_peer_address(subscriber_id, CONTROL_TOPIC) is None
        if unknown:
            keys.set_peer_public_key(subscriber, CONTROL_TOPIC, prefix)
        bin_.subscribers[subscriber_id] = unknown
        wire = encode_notify_message(NotifyCode.NOTIFY_WITH_KEY, message.name, keys.symmetric_key(bin_.key_id).secret)
        self._pss.send_asymmetric(subscriber_id, CONTROL_TOPIC, wire)

    def _stop(self, message: NotifyMessage, subscriber_id: str) -> None:
        # By who it is from: the reference sends an address that is not the subscriber's.
        if not self._leave(self._publication(message.name), subscriber_id):
            raise NotifyError(f"{message.name!r}: stopped by somebody who is no subscriber")

    def _leave(self, publication: _Publication, subscriber_id: str) -> bool:
        for prefix, bin_ in publication.bins.items():
            if subscriber_id in bin_.subscribers:
                if bin_.subscribers.pop(subscriber_id):
                    self._pss.keys.forget_peer(subscriber_id, CONTROL_TOPIC)
                if not bin_.subscribers:
                    del publication.bins[prefix]
                    self._pss.keys.forget_symmetric_key(bin_.key_id)
                return True
        return False

    def _withdraw(self, name: bytes) -> None:
        publication = self._publications.pop(name, None)
        if publication is not None:
            for bin_ in list(publication.bins.values()):
                for subscriber_id in list(bin_.subscribers):
                    self._leave(publication, subscriber_id)

    def _publication(self, name: bytes) -> _Publication:
        try:
            return self._publications[name]
        except KeyError:
            raise NotifyError(f"{name!r} is not published") from None
