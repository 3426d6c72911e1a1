"""What to do with a message that came in: drop it, pass it on, deliver it, or the last two (spec 06 section 4).

A pure decision over the key store, the handlers and the duplicate cache. Calling handlers, forwarding and reporting
are the shell's part.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum

from node.crypto.secp256k1 import PrivateKey, PublicKey
from node.errors import DecryptionFailed
from node.ids import OVERLAY_ADDRESS_BYTES, OverlayAddress
from node.pss.crypto import unwrap_asymmetric
from node.pss.handlers import UNSIGNED_KEY_ID, Capability, Delivery, Handler, HandlerRegistry
from node.pss.keystore import KeyStore, format_pubkey_id
from node.pss.message import MessageKind, PssMessage
from node.pss.routing import is_recipient
from node.pss.seen import SeenCache

_NO_CAPABILITY = Capability(raw=True, prox=False)
"""Without a record raw messages pass and the neighbourhood does not matter."""


class DropReason(Enum):
    """Why a message ends here, unread."""

    EXPIRED = "expired"
    DUPLICATE = "duplicate"
    RAW_UNWANTED = "raw message on a topic whose handlers take none"


class ForwardReason(Enum):
    """Why a message is passed on without being delivered."""

    NOT_RECIPIENT = "addressed elsewhere"
    NOT_OPENED = "no key of ours opens it"
    NOBODY_LISTENS = "nobody here listens to it"


@dataclass(frozen=True, slots=True)
class Drop:
    """Neither deliver nor forward."""

    reason: DropReason


@dataclass(frozen=True, slots=True)
class Forward:
    """Forward only.

    Attributes:
        keys_tried: how many keys of ours were tried on it, in vain; says nothing about what was decided.
    """

    reason: ForwardReason
    keys_tried: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Deliver:
    """Call the handlers.

    Attributes:
        handlers: maybe none, when the message was for this node alone and nobody listens.
        forward: pass it on as well, and first: others may be meant too.
        keys_tried: how many keys of ours were tried, the one that opened it included; 0 if it was raw.
    """

    delivery: Delivery
    handlers: tuple[Handler, ...]
    forward: bool
    keys_tried: int = field(default=0, compare=False)


Decision = Drop | Forward | Deliver


class PssProcessor:
    """The receive pipeline of one node."""

    __slots__ = ("_handlers", "_keys", "_overlay", "_private_key", "_seen")

    def __init__(
        self,
        *,
        private_key: PrivateKey,
        overlay: OverlayAddress,
        keys: KeyStore,
        handlers: HandlerRegistry,
        seen: SeenCache,
    ) -> None:
        """Work on these stores, which the caller goes on using.

        Args:
            private_key: the bzz key, to which asymmetric messages are encrypted.
            overlay: our address, 32 bytes.
        """
        self._private_key, self._overlay = private_key, overlay
        self._keys, self._handlers, self._seen = keys, handlers, seen

    def receive(self, message: PssMessage, *, now: float, unix_now: float, depth: int) -> Decision:
        """Decide about a message, and remember it.

        Args:
            now: monotonic seconds, for the duplicate cache.
            unix_now: wall clock in seconds, for the expiry. A message is alive in the second it expires.
            depth: neighbourhood depth, for messages to the neighbourhood.
        """
        if message.expire < int(unix_now):
            return Drop(DropReason.EXPIRED)
        digest = message.digest
        if self._seen.contains(digest, now=now):
            return Drop(DropReason.DUPLICATE)
        self._seen.add(digest, now=now)
        capability = self._handlers.capability(message.topic) or _NO_CAPABILITY
        if message.raw and not capability.raw:
            return Drop(DropReason.RAW_UNWANTED)
        if not is_recipient(self._overlay, message.to, depth, prox=capability.prox):
            return Forward(ForwardReason.NOT_RECIPIENT)
        return self._open(message, prox=capability.prox)

    def mark_sent(self, message: PssMessage, *, now: float) -> None:
        """Remember a message of our own, before it is sent: its echo is no news (spec 06 section 3)."""
        self._seen.add(message.digest, now=now)

    def _open(self, message: PssMessage, *, prox: bool) -> Decision:
        forward = len(message.to) < OVERLAY_ADDRESS_BYTES or prox
        handlers = self._handlers.listening(message.topic, raw=message.raw)
        if forward and not handlers:
            # It goes on whether we can open it or not, so a broadcast costs a relay no decryption.
            return Forward(ForwardReason.NOBODY_LISTENS)
        try:
            delivery = self._deliver(message)
        except DecryptionFailed:
            return Forward(ForwardReason.NOT_OPENED, self._keys_tried(message))
        return Deliver(delivery, handlers, forward, self._keys_tried(message))

    def _keys_tried(self, message: PssMessage) -> int:
        """On a message that we just tried to open."""
        if message.kind is MessageKind.SYMMETRIC:
            return self._keys.keys_tried
        return int(message.kind is MessageKind.ASYMMETRIC)  # our own key is the only one it can be for

    def _deliver(self, message: PssMessage) -> Delivery:
        address: bytes | None = None
        sender: PublicKey | None = None
        match message.kind:
            case MessageKind.RAW:
                payload, key_id = message.payload, ""
            case MessageKind.SYMMETRIC:
                payload, sender, key_id, address = self._keys.open_symmetric(message.payload, message.topic)
            case MessageKind.ASYMMETRIC:
                payload, sender = unwrap_asymmetric(message.payload, self._private_key)
                key_id = format_pubkey_id(sender) if sender else UNSIGNED_KEY_ID
                address = self._keys.find_peer_address(key_id, message.topic)
        return Delivery(
            digest=message.digest,
            topic=message.topic,
            payload=payload,
            raw=message.raw,
            asymmetric=message.kind is MessageKind.ASYMMETRIC,
            key_id=key_id,
            sender=sender,
            sender_address=address or b"",
        )
