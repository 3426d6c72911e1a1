"""The pss namespace (spec 06 section 9)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from node.crypto.secp256k1 import InvalidKey, PublicKey
from node.errors import LocalProtocolError, PssError
from node.ids import TOPIC_BYTES, Topic
from node.pss.handlers import Delivery
from node.pss.topic import ZERO_TOPIC, topic_from_text
from node.rpc.encoding import Base64Bytes, FixedHex, HexBytes, PrefixedHex
from node.rpc.registry import subscription
from node.rpc.subscriptions import Notifier
from node.swarm.api import KademliaAPI

if TYPE_CHECKING:
    from node.pss.service import PssService


class TopicHex(FixedHex):
    """A topic: 0x-hex, padded with zeros or cut to 4 bytes."""

    SIZE = TOPIC_BYTES


class InvalidArgument(PssError):
    """An argument of the right type that means nothing."""


class PssAPI(KademliaAPI):
    """``pss_*``."""

    def __init__(self, pss: PssService) -> None:
        super().__init__(pss.overlay_service)
        self._pss = pss

    # -- who we are

    def base_addr(self) -> PrefixedHex:
        return PrefixedHex(self._pss.overlay)

    def get_public_key(self) -> HexBytes:
        return HexBytes(self._pss.key.public.uncompressed)

    def string(self) -> str:
        return f"pss: addr {self._pss.overlay.hex()}, pubkey {self._pss.key.public.uncompressed.hex()}"

    def string_to_topic(self, text: str) -> TopicHex:
        """The topic of a name.

        Raises:
            InvalidArgument: it hashes to zero.
        """
        topic = topic_from_text(text)
        if topic == ZERO_TOPIC:
            raise InvalidArgument("Topic string hashes to 0x00000000 and cannot be used")
        return TopicHex(topic)

    # -- keys

    def set_peer_public_key(self, public_key: HexBytes, topic: TopicHex, address: PrefixedHex) -> None:
        """File the address of somebody to write to. The key must be uncompressed, 65 bytes."""
        try:
            if len(public_key) != 65:  # the only form this method takes (spec 06 section 9.2)
                raise InvalidKey("want 65 bytes")
            key = PublicKey(public_key)
        except InvalidKey:
            raise InvalidArgument(f"Cannot unmarshal pubkey: {public_key.to_json().encode().hex()}") from None
        try:
            self._pss.keys.set_peer_public_key(key, Topic(topic), bytes(address))
        except LocalProtocolError as error:
            raise InvalidArgument(f"Invalid key: {error}") from None

    def get_peer_topics(self, pubkey_id: str) -> list[TopicHex] | None:
        return [TopicHex(topic) for topic in self._pss.keys.peer_topics(pubkey_id)] or None

    def get_peer_address(self, pubkey_id: str, topic: TopicHex) -> PrefixedHex:
        return PrefixedHex(self._pss.keys.peer_address(pubkey_id, Topic(topic)))

    def get_address(self, topic: TopicHex, asymmetric: bool, key_id: str) -> PrefixedHex:
        return PrefixedHex(self._pss.keys.address(Topic(topic), asymmetric=asymmetric, key_id=key_id))

    def get_asymmetric_address_hint(self, topic: TopicHex, pubkey_id: str) -> PrefixedHex:
        return PrefixedHex(self._pss.keys.peer_address(pubkey_id, Topic(topic)))

    def get_symmetric_address_hint(self, topic: TopicHex, key_id: str) -> PrefixedHex:
        return PrefixedHex(self._pss.keys.address(Topic(topic), asymmetric=False, key_id=key_id))

    def set_symmetric_key(self, key: Base64Bytes, topic: TopicHex, address: PrefixedHex, add_to_cache: bool) -> str:
        """Take a shared key in (base64); `add_to_cache` if we are to read with it."""
        return self._pss.keys.set_symmetric_key(bytes(key), Topic(topic), bytes(address), add_to_cache=add_to_cache)

    def generate_symmetric_key(self, topic: TopicHex, address: PrefixedHex, add_to_cache: bool) -> str:
        return self._pss.keys.generate_symmetric_key(Topic(topic), bytes(address), add_to_cache=add_to_cache)

    def get_symmetric_key(self, key_id: str) -> HexBytes:
        return HexBytes(self._pss.keys.symmetric_key(key_id).secret)

    # -- messages

    def send_asym(self, pubkey_id: str, topic: TopicHex, message: HexBytes) -> None:
        _not_empty(message)
        self._pss.send_asymmetric(pubkey_id, Topic(topic), bytes(message))

    def send_sym(self, key_id: str, topic: TopicHex, message: HexBytes) -> None:
        self._pss.send_symmetric(key_id, Topic(topic), bytes(message))

    def send_raw(self, address: HexBytes, topic: TopicHex, message: HexBytes) -> None:
        _not_empty(message)
        self._pss.send_raw(bytes(address), Topic(topic), bytes(message))

    @subscription("receive")
    def receive(self, notifier: Notifier, topic: TopicHex, raw: bool, prox: bool) -> None:
        """Messages on a topic as they come in."""

        def deliver(delivery: Delivery) -> None:
            notifier.notify(
                {
                    "Msg": "0x" + delivery.payload.hex(),
                    "Asymmetric": delivery.asymmetric,
                    "Key": delivery.key_id,
                }
            )

        handle = self._pss.subscribe(Topic(topic), deliver, raw=raw, prox=prox)
        notifier.on_close(handle.cancel)


def _not_empty(message: bytes) -> None:
    if not message:
        raise InvalidArgument("invalid message length")
