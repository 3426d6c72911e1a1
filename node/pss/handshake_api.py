"""The key exchange in the pss namespace (spec 07 section A5). Registered after :class:`node.pss.api.PssAPI`, whose
``pss_sendSym`` it replaces by one that counts."""

from __future__ import annotations

from node.ids import Topic
from node.pss.api import InvalidArgument, TopicHex
from node.pss.handshake_shell import Handshakes
from node.rpc.encoding import HexBytes


class HandshakeAPI:
    """``pss_*`` as far as it is about handshakes."""

    def __init__(self, handshakes: Handshakes) -> None:
        self._handshakes = handshakes

    def add_handshake(self, topic: TopicHex) -> None:
        """Exchange keys on a topic."""
        self._handshakes.activate(Topic(topic))

    def remove_handshake(self, topic: TopicHex | None = None) -> None:
        """Stop that. Other handlers of the topic stay, unlike with the reference.

        Raises:
            InvalidArgument: no topic. The reference crashes here, which for a caller is an error of the same code.
        """
        if topic is None:
            raise InvalidArgument("missing value for required argument 0")
        self._handshakes.deactivate(Topic(topic))

    async def handshake(self, pubkey_id: str, topic: TopicHex, sync: bool, flush: bool) -> list[str] | None:
        """Exchange keys with a contact; with `sync` the ids of those to send with."""
        return await self._handshakes.exchange(pubkey_id, Topic(topic), sync=sync, flush=flush)

    def get_handshake_keys(self, pubkey_id: str, topic: TopicHex, incoming: bool, outgoing: bool) -> list[str] | None:
        """Ids of the keys that can be used: those to read with, then those to send with; null if there are none."""
        keys, now = self._handshakes.controller.keys, self._handshakes.now
        found = keys.valid(pubkey_id, Topic(topic), incoming=True, now=now) if incoming else []
        if outgoing:
            found += keys.valid(pubkey_id, Topic(topic), incoming=False, now=now)
        return found or None

    def get_handshake_key_capacity(self, key_id: str) -> int:
        """How many more messages a key is good for."""
        key = self._handshakes.controller.keys.key(key_id)
        return key.limit - key.count

    def get_handshake_public_key(self, key_id: str) -> str:
        """With whom we have a key."""
        return self._handshakes.controller.keys.key(key_id).pubkey_id

    def release_handshake_key(self, pubkey_id: str, topic: TopicHex, key_id: str, flush: bool) -> bool:
        """Let a key expire, and with `flush` forget all that have; false if it is unknown."""
        handshakes = self._handshakes
        return handshakes.controller.keys.release(pubkey_id, Topic(topic), key_id, flush=flush, now=handshakes.now)

    def send_sym(self, key_id: str, topic: TopicHex, message: HexBytes) -> None:
        """Send with a symmetric key, empty messages too, and count it if the key is one of an exchange."""
        self._handshakes.send_symmetric(key_id, Topic(topic), bytes(message))
