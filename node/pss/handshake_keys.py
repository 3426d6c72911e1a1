"""The symmetric keys of key exchanges: whose they are, how often they were used, and how many are kept (spec 07
section A3).

Key material is in the key store; here are ids and counts. Everything that a peer can make us keep is bounded.
"""

from __future__ import annotations

from dataclasses import dataclass

from node.errors import PssError, UnknownKey
from node.ids import Topic
from node.pss.keystore import KeyStore

MAX_IN_KEYS = 256
"""Ours: keys made for one peer, all topics together. Half of the decrypt cache, so that no contact can fill it."""
MAX_OUT_KEYS = 512
"""Ours: keys kept of one peer, all topics together. Twice the most that one message of the reference brings."""
MAX_STRANGERS = 64
"""Ours: peers whose keys are kept although they are no contacts. Everybody can send us keys."""


class HandshakeError(PssError):
    """Keys could not be exchanged, or are not fit for what was wanted."""


class KeyExhausted(HandshakeError):
    """A key was used more often than it is good for. The misspelling is the reference's."""

    def __init__(self, key_id: str) -> None:
        super().__init__(f"symetric key expired (id: {key_id})")
        self.key_id = key_id


@dataclass(eq=False, slots=True)
class HandshakeKey:
    """A key of the exchange.

    Attributes:
        key_id: where the key store has it. Ids differ on both sides.
        incoming: we made it and read with it; otherwise the peer did and we write with it.
        limit: messages it is good for.
        count: messages so far.
        expired_at: when it was released, on the caller's clock in seconds; None if it was not.
    """

    key_id: str
    pubkey_id: str
    topic: Topic
    incoming: bool
    limit: int
    count: int = 0
    expired_at: float | None = None

    def valid(self, now: float) -> bool:
        """Whether it can be used once more."""
        return self.count < self.limit and (self.expired_at is None or now < self.expired_at)


class HandshakeKeys:
    """The keys of all exchanges of one node, by id and by peer. Forgetting one takes it out of the key store too."""

    def __init__(self, store: KeyStore) -> None:
        self._store = store
        self._index: dict[str, HandshakeKey] = {}
        self._peers: dict[str, list[HandshakeKey]] = {}  # by public key id, oldest first

    def find(self, key_id: str) -> HandshakeKey | None:
        """The key of an id, if it is of an exchange."""
        return self._index.get(key_id)

    def key(self, key_id: str) -> HandshakeKey:
        """The key of an id.

        Raises:
            UnknownKey: it is of no exchange.
        """
        try:
            return self._index[key_id]
        except KeyError:
            raise UnknownKey(f"invalid symkey id {key_id}") from None

    def of(self, pubkey_id: str, topic: Topic, *, incoming: bool) -> list[HandshakeKey]:
        """The keys of one direction, oldest first, used up or not."""
        return [key for key in self._peers.get(pubkey_id, ()) if key.topic == topic and key.incoming == incoming]

    def valid(self, pubkey_id: str, topic: Topic, *, incoming: bool, now: float) -> list[str]:
        """Ids of the keys of one direction that can be used, oldest first."""
        return [key.key_id for key in self.of(pubkey_id, topic, incoming=incoming) if key.valid(now)]

    def add(self, key: HandshakeKey) -> None:
        """File a key that the key store has. Call :meth:`trim` after the last one."""
        self._index[key.key_id] = key
        self._peers.setdefault(key.pubkey_id, []).append(key)

    def forget(self, key: HandshakeKey) -> None:
        """Drop a key here and in the key store."""
        del self._index[key.key_id]
        self._store.forget_symmetric_key(key.key_id)
        keys = self._peers[key.pubkey_id]
        keys.remove(key)
        if not keys:
            del self._peers[key.pubkey_id]

    def trim(self, pubkey_id: str, *, now: float) -> None:
        """Forget what is too much: of this peer what cannot be used any more, then the oldest; then the peers that are
        no contacts, those that came first."""
        for incoming, limit in ((True, MAX_IN_KEYS), (False, MAX_OUT_KEYS)):
            keys = [key for key in self._peers.get(pubkey_id, ()) if key.incoming == incoming]
            keys.sort(key=lambda key: key.valid(now))
            for key in keys[: max(0, len(keys) - limit)]:
                self.forget(key)
        strangers = [peer for peer in self._peers if not self._store.knows_peer(peer)]
        for peer in strangers[: max(0, len(strangers) - MAX_STRANGERS)]:
            for key in list(self._peers[peer]):
                self.forget(key)

    def count_use(self, key_id: str) -> None:
        """A message was sent or received with a key. Keys of no exchange are not counted.

        Raises:
            KeyExhausted: it was used up before.
        """
        key = self._index.get(key_id)
        if key is None:
            return
        if key.count >= key.limit:
            raise KeyExhausted(key_id)
        key.count += 1

    def release(self, pubkey_id: str, topic: Topic, key_id: str, *, flush: bool, now: float) -> bool:
        """Let a key expire; False if the peer and topic have none of that id.

        Args:
            flush: also forget, for good, the keys of this peer and topic that are released or used up. The reference
                then empties the list of keys to read with, whatever their state (spec 07 section A6, row 5).
        """
        key = self._index.get(key_id)
        if key is None or (key.pubkey_id, key.topic) != (pubkey_id, topic):
            return False
        if key.expired_at is None:
            key.expired_at = now
        if flush:
            for incoming in (True, False):
                for other in self.of(pubkey_id, topic, incoming=incoming):
                    if not other.valid(now):
                        self.forget(other)
        return True
