"""pss without a network: what is sent goes to the other one at once, opened."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from node.crypto.secp256k1 import PrivateKey
from node.errors import LabError
from node.ids import Digest, OverlayAddress, Topic
from node.pss.handlers import Delivery
from node.pss.keystore import KeyStore, format_pubkey_id

Callback = Callable[[Delivery], object]


class FakeHandle:
    def __init__(self, pss: FakePss, topic: Topic, callback: Callback) -> None:
        self.pss, self.topic, self.callback = pss, topic, callback

    def cancel(self) -> None:
        self.pss.handlers.remove(self)


class FakePss:
    """Stands in for a PssService. `other` gets what is sent; None drops it; an error is raised by sending."""

    def __init__(self, key: PrivateKey) -> None:
        self.key = key
        self.overlay: OverlayAddress = key.public.overlay
        self.keys = KeyStore()
        self.handlers: list[FakeHandle] = []
        self.sent: list[tuple[str, bytes]] = []
        self.other: FakePss | None = None
        self.error: LabError | None = None

    def subscribe(self, topic: Topic, callback: Callback) -> FakeHandle:
        handle = FakeHandle(self, topic, callback)
        self.handlers.append(handle)
        return handle

    def send_asymmetric(self, pubkey_id: str, topic: Topic, payload: bytes) -> Digest:
        self.keys.asymmetric_route(pubkey_id, topic)
        return self._send(pubkey_id, topic, payload, asymmetric=True, key_id=format_pubkey_id(self.key.public))

    def send_symmetric(self, key_id: str, topic: Topic, payload: bytes) -> Digest:
        secret = self.keys.symmetric_route(key_id, topic).key.secret
        keys = self.other.keys if self.other else None
        theirs = [one for one, key in keys._cache.items() if key.secret == secret] if keys else []
        return self._send(key_id, topic, payload, asymmetric=False, key_id=theirs[-1] if theirs else None)

    def _send(self, to: str, topic: Topic, payload: bytes, *, asymmetric: bool, key_id: str | None) -> Digest:
        if self.error is not None:
            raise self.error
        self.sent.append((to, payload))
        if self.other is not None and key_id is not None:
            self.other.receive(topic, payload, asymmetric=asymmetric, key_id=key_id, sender=self.key)
        return Digest(bytes(32))

    def receive(self, topic: Topic, payload: bytes, *, sender: PrivateKey | None, **fields: Any) -> None:
        """Hand a message to the handlers of a topic."""
        values = {
            "digest": bytes(32), "topic": topic, "payload": payload, "raw": False, "asymmetric": True,
            "key_id": format_pubkey_id(sender.public) if sender else "0x0",
            "sender": sender.public if sender else None, "sender_address": b"", **fields,
        }  # fmt: skip
        delivery = Delivery(**values)  # type: ignore[arg-type]
        for handle in list(self.handlers):
            if handle.topic == topic:
                handle.callback(delivery)


def joined(one: PrivateKey, two: PrivateKey) -> tuple[FakePss, FakePss]:
    """Two that hear each other."""
    first, second = FakePss(one), FakePss(two)
    first.other, second.other = second, first
    return first, second
