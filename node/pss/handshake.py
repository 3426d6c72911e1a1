"""Who gave whom which symmetric keys, and what is sent and answered to get more (spec 07 part A).

Despite its name in the reference nothing is agreed on: each side makes random keys for the other to encrypt with and
sends them in a message encrypted to the other's public key. Deterministic: randomness comes with the key store, time
with each call. Sending, waiting for an answer and the topics' handlers are :mod:`node.pss.handshake_shell`.

Where the reference is broken (section A6) this is not: a caller that waits always asks for keys, old keys stay valid
until they are used up, the number of keys to make never underflows, and flushing takes out expired keys only.
"""

from __future__ import annotations

from typing import NamedTuple

from node.ids import OverlayAddress, Topic
from node.pss.crypto import SYMMETRIC_KEY_BYTES
from node.pss.handshake_keys import MAX_IN_KEYS, HandshakeError, HandshakeKey, HandshakeKeys
from node.pss.handshake_message import KeyMessage
from node.pss.keystore import KeyStore

KEY_CAPACITY = 4
"""Keys for each direction of a peer and topic (spec 07 section A1)."""
KEY_LIMIT = 256
"""Messages a key is good for (spec 07 section A1)."""
REQUEST_TIMEOUT_S = 8.0
"""How long a caller waits for keys (spec 07 section A1)."""


class KeysFull(HandshakeError):
    """There are as many keys as there should be, and no flush was asked for."""

    def __init__(self) -> None:
        super().__init__("Incoming symmetric key store is already full")


class Offer(NamedTuple):
    """A message to send, asymmetrically, and the keys that were made for it."""

    message: KeyMessage
    key_ids: list[str]


class Received(NamedTuple):
    """What a message of a peer led to.

    Attributes:
        key_ids: the keys to send with that came in it and are new.
        reply: what to answer; None if nothing was asked or we cannot.
        refusal: why nothing is answered although it was asked.
    """

    key_ids: list[str]
    reply: Offer | None
    refusal: HandshakeError | None


class HandshakeController:
    """Decides about all exchanges of one node.

    Attributes:
        keys: those of the exchanges.
    """

    def __init__(
        self, *, overlay: OverlayAddress, store: KeyStore, capacity: int = KEY_CAPACITY, limit: int = KEY_LIMIT
    ) -> None:
        """Work on a key store, which others go on using.

        Args:
            overlay: our address, 32 bytes. The peer gets it in full (spec 07 pitfall 11).
            capacity: keys for each direction.
            limit: messages each key is good for.
        """
        self.keys = HandshakeKeys(store)
        self._overlay, self._store = overlay, store
        self._capacity, self._limit = capacity, limit
        self._topics: set[Topic] = set()

    # -- topics

    def activate(self, topic: Topic) -> bool:
        """Take keys for a topic from now on; False if that was so already (the reference then does all twice)."""
        if topic in self._topics:
            return False
        self._topics.add(topic)
        return True

    def deactivate(self, topic: Topic) -> bool:
        """Take no more keys for it; those that are here stay. False if it was not active."""
        if topic not in self._topics:
            return False
        self._topics.remove(topic)
        return True

    # -- exchanging keys

    def request(self, pubkey_id: str, topic: Topic, *, flush: bool, wait: bool, now: float) -> Offer:
        """Begin an exchange, or top it up.

        Args:
            flush: make a whole new set of keys; otherwise as many as the keys to send with are short of a set.
            wait: an answer is waited for, so ask for one in any case. The reference does not if it has enough keys,
                and then waits in vain (section A6, row 1).

        Raises:
            KeysFull: there are enough.
            HandshakeError: no contact of that id.
        """
        count = self._capacity
        if not flush:
            count -= len(self.keys.valid(pubkey_id, topic, incoming=False, now=now))
        if count <= 0:
            raise KeysFull
        offer = self._offer(pubkey_id, topic, count, wait=wait, now=now)
        assert offer is not None, "keys are offered"
        return offer

    def receive(self, pubkey_id: str, message: KeyMessage, *, now: float) -> Received:
        """Take the keys of a message, and make those it asks for. All or nothing of its keys are taken.

        Raises:
            HandshakeError: keys that are none, or for a topic on which no handshake is active. Nothing is changed.
        """
        if message.topic not in self._topics:
            raise HandshakeError(f"keys for topic {message.topic.hex()}, on which no handshake is active")
        for secret in message.keys:
            if len(secret) != SYMMETRIC_KEY_BYTES:
                raise HandshakeError(f"wrong key size: {len(secret)}")
            if not any(secret):
                raise HandshakeError("a key of zeros cannot encrypt")
        key_ids = self._take(pubkey_id, message, now)
        if message.keys and not key_ids:
            return Received([], None, HandshakeError("keys that are all known: a message played again"))
        if not message.request:
            return Received(key_ids, None, None)
        try:
            return Received(key_ids, self._offer(pubkey_id, message.topic, message.request, wait=False, now=now), None)
        except HandshakeError as error:
            return Received(key_ids, None, error)

    def withdraw(self, offer: Offer) -> None:
        """Forget the keys of an offer that could not be sent."""
        for key_id in offer.key_ids:
            if (key := self.keys.find(key_id)) is not None:
                self.keys.forget(key)

    def _take(self, pubkey_id: str, message: KeyMessage, now: float) -> list[str]:
        """Keep the keys that are new; their ids."""
        # Whoever relays a message can record it, change its expiry, which nothing protects, and play it again.
        outgoing = self.keys.of(pubkey_id, message.topic, incoming=False)
        known = {self._store.symmetric_key(key.key_id).secret for key in outgoing}
        key_ids = []
        for secret in message.keys:
            if secret not in known:
                known.add(secret)
                key_id = self._store.set_symmetric_key(secret, message.topic, message.address, add_to_cache=False)
                self.keys.add(HandshakeKey(key_id, pubkey_id, message.topic, incoming=False, limit=message.limit))
                key_ids.append(key_id)
        self.keys.trim(pubkey_id, now=now)
        return key_ids

    def _offer(self, pubkey_id: str, topic: Topic, count: int, *, wait: bool, now: float) -> Offer | None:
        if not self._store.knows_peer(pubkey_id):
            raise HandshakeError("Invalid public key")
        short = len(self.keys.valid(pubkey_id, topic, incoming=False, now=now)) < self._capacity
        request = self._capacity if wait or short else 0
        if not request and not count:
            return None
        address = self._store.find_peer_address(pubkey_id, topic) or b""
        key_ids = []
        for _ in range(min(count, MAX_IN_KEYS)):
            key_id = self._store.generate_symmetric_key(topic, address, add_to_cache=True, protected=True)
            self.keys.add(HandshakeKey(key_id, pubkey_id, topic, incoming=True, limit=self._limit))
            key_ids.append(key_id)
        self.keys.trim(pubkey_id, now=now)
        message = KeyMessage(
            address=self._overlay,
            limit=self._limit,
            keys=tuple(self._store.symmetric_key(key_id).secret for key_id in key_ids),
            request=request,
            topic=topic,
        )
        return Offer(message, key_ids)
