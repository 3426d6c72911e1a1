"""The receiving end of publish and subscribe (spec 07 part E).

Takes nothing that was not asked for, and keys only from the provider that was asked: what is unknown or too short
crashes the reference.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass

from node.crypto.secp256k1 import PublicKey
from node.errors import LabError
from node.pss.crypto import SYMMETRIC_KEY_BYTES
from node.pss.handlers import Delivery
from node.pss.notify import Handle, NotifyEnd, NotifyError, PssTransport
from node.pss.notify_message import (
    CONTROL_TOPIC,
    NotifyCode,
    NotifyMessage,
    decode_notify_message,
    encode_notify_message,
)
from node.pss.topic import topic_from_bytes

log = logging.getLogger(__name__)

Notified = Callable[[str, bytes], object]
"""Takes name and notification."""


@dataclass(eq=False, slots=True)
class _Subscription:
    provider_id: str
    callback: Notified
    key_id: str = ""
    """The provider's key, once it came."""
    handle: Handle | None = None


class Subscriber(NotifyEnd):
    """What one node subscribed to."""

    def __init__(self, pss: PssTransport) -> None:
        super().__init__(pss)
        self._subscriptions: dict[bytes, _Subscription] = {}

    def close(self) -> None:
        super().close()
        for name in list(self._subscriptions):
            self._forget(name)

    def subscribe(self, name: str, provider: PublicKey, address: bytes, callback: Notified) -> None:
        """Ask a provider for what it publishes under a name; in place of an earlier subscription to the name.

        Args:
            address: the provider's overlay address or a leading part of it: 0 to 32 bytes.
            callback: called with every notification, and with an empty one when the provider has agreed.

        Raises:
            LocalProtocolError: the address is too long.
            OutboxFull: the request cannot be sent.
        """
        key = name.encode()
        provider_id = self._pss.keys.set_peer_public_key(provider, CONTROL_TOPIC, address)
        wire = encode_notify_message(NotifyCode.START, key, self._pss.overlay)
        self._forget(key)
        self._subscriptions[key] = _Subscription(provider_id, callback)
        try:
            self._pss.send_asymmetric(provider_id, CONTROL_TOPIC, wire)
        except LabError:
            self._forget(key)
            raise

    def unsubscribe(self, name: str) -> None:
        """Take no more notifications, and tell the provider.

        Raises:
            NotifyError: there is no subscription.
            OutboxFull: the provider cannot be told; the subscription is over all the same.
        """
        key = name.encode()
        subscription = self._subscriptions.get(key)
        if subscription is None:
            raise NotifyError(f"no subscription to {name!r}")
        self._forget(key)
        # Our address, as the provider looks for it; the reference sends the provider's own.
        wire = encode_notify_message(NotifyCode.STOP, key, self._pss.overlay)
        self._pss.send_asymmetric(subscription.provider_id, CONTROL_TOPIC, wire)

    def _forget(self, name: bytes) -> None:
        subscription = self._subscriptions.pop(name, None)
        if subscription is None:
            return
        if subscription.handle is not None:
            subscription.handle.cancel()
        if subscription.key_id:
            self._pss.keys.forget_symmetric_key(subscription.key_id)

    # -- what comes in

    def _on_control(self, message: NotifyMessage, delivery: Delivery) -> None:
        if message.code == NotifyCode.NOTIFY_WITH_KEY:
            self._agreed(message, delivery.key_id)

    def _agreed(self, message: NotifyMessage, provider_id: str) -> None:
        name = message.name
        subscription = self._subscriptions.get(name)
        if subscription is None or subscription.provider_id != provider_id:
            raise NotifyError(f"key for {name!r} from somebody who was not asked")
        topic = topic_from_bytes(name)
        secret, notification = message.payload[-SYMMETRIC_KEY_BYTES:], message.payload[:-SYMMETRIC_KEY_BYTES]
        if subscription.key_id:
            self._pss.keys.forget_symmetric_key(subscription.key_id)
        subscription.key_id = self._pss.keys.set_symmetric_key(secret, topic, b"", add_to_cache=True)
        if subscription.handle is None:
            subscription.handle = self._pss.subscribe(topic, self._on_data)
        subscription.callback(name.decode(), notification)

    def _on_data(self, delivery: Delivery) -> None:
        try:
            message = decode_notify_message(delivery.payload)
            subscription = self._subscriptions.get(message.name)
            if delivery.asymmetric or subscription is None or delivery.key_id != subscription.key_id:
                raise NotifyError(f"notification about {message.name!r} that was not asked for")
            if message.code != NotifyCode.NOTIFY:
                raise NotifyError("control message on the topic of a name")
            subscription.callback(message.name.decode(), message.payload)
        except LabError as error:
            log.warning("notify: %s", error)
