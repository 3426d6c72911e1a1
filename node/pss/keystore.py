"""Address book and keys: whom we can write to, and with what we can read (spec 06 section 8).

Contacts are filed by public key id (``0x`` and the hex of 65 bytes), symmetric keys by a random id of 64 hex digits
without 0x; ids are compared verbatim. Lookups that fail carry the reference's error texts (section 9.2), which hold ids
only. Nothing here shows key material in a text.
"""

from __future__ import annotations

import os
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

from node.crypto.secp256k1 import PublicKey
from node.errors import DecryptionFailed, LocalProtocolError, UnknownKey, UnknownTopic
from node.ids import Topic
from node.pss.container import parse_container
from node.pss.crypto import SymmetricKey
from node.pss.message import MAX_ADDRESS_BYTES

DECRYPT_CACHE_KEYS = 512
"""Keys tried on an incoming symmetric message (spec 06 section 1)."""
CLEAN_UP_INTERVAL_S = 600.0
"""How often a node calls :meth:`KeyStore.clean_up` (spec 06 section 1)."""
KEY_ID_BYTES = 32
"""Random bytes of a symmetric key id; unrelated to the key."""


class Opened(NamedTuple):
    """A symmetric envelope, opened.

    Attributes:
        address: what the address book has for (key id, topic); None without an entry.
    """

    payload: bytes
    sender: PublicKey | None
    key_id: str
    address: bytes | None


class AsymmetricRoute(NamedTuple):
    """What it takes to send with a public key."""

    key: PublicKey
    address: bytes


class SymmetricRoute(NamedTuple):
    """What it takes to send with a symmetric key."""

    key: SymmetricKey
    address: bytes


class _SymmetricEntry(NamedTuple):
    address: bytes
    protected: bool


@dataclass(slots=True)
class _Contact:
    key: PublicKey
    addresses: dict[Topic, bytes] = field(default_factory=dict)


def format_pubkey_id(key: PublicKey) -> str:
    """The id a public key goes by: ``0x`` and 130 lower-case hex digits."""
    return "0x" + key.uncompressed.hex()


def parse_pubkey_id(text: str) -> PublicKey:
    """The key an id stands for: uncompressed, hex of either case, with or without 0x.

    Raises:
        UnknownKey: it stands for none; the reference's text.
    """
    try:
        raw = bytes.fromhex(text[2:] if text[:2] in ("0x", "0X") else text)
        if len(raw) == 65:
            return PublicKey(raw)
    except ValueError:  # not hex, or InvalidKey: not on the curve
        pass
    raise UnknownKey(f"Cannot unmarshal pubkey: {_hex_of(text)}")


class KeyStore:
    """Contacts, symmetric keys, and the order in which those are tried."""

    def __init__(
        self, *, random_bytes: Callable[[int], bytes] = os.urandom, decrypt_cache_keys: int = DECRYPT_CACHE_KEYS
    ) -> None:
        self._random_bytes = random_bytes
        self._contacts: dict[str, _Contact] = {}
        self._keys: dict[str, SymmetricKey] = {}
        self._book: dict[str, dict[Topic, _SymmetricEntry]] = {}
        # Newest last. The reference's ring fills with duplicates and so forgets keys; this one does not (section 8.2).
        self._cache: OrderedDict[str, SymmetricKey] = OrderedDict()
        self._cache_capacity = decrypt_cache_keys
        self.keys_tried = 0
        """How many keys the last :meth:`open_symmetric` tried, the one that fitted included."""

    # Contacts

    def set_peer_public_key(self, key: PublicKey, topic: Topic, address: bytes) -> str:
        """File an address for (key, topic), in place of an earlier one; the key's id.

        Raises:
            LocalProtocolError: the address is over 32 bytes.
        """
        _check_address(address)
        key_id = format_pubkey_id(key)
        self._contacts.setdefault(key_id, _Contact(key)).addresses[topic] = address
        return key_id

    def knows_peer(self, pubkey_id: str) -> bool:
        """Whether the key is filed for any topic."""
        return pubkey_id in self._contacts

    def peer_topics(self, pubkey_id: str) -> list[Topic]:
        """Topics the key is filed for; none if it is unknown."""
        contact = self._contacts.get(pubkey_id)
        return list(contact.addresses) if contact else []

    def find_peer_address(self, pubkey_id: str, topic: Topic) -> bytes | None:
        """The address filed for (key, topic), or None."""
        contact = self._contacts.get(pubkey_id)
        return contact.addresses.get(topic) if contact else None

    def peer_address(self, pubkey_id: str, topic: Topic) -> bytes:
        """The address filed for (key, topic).

        Raises:
            UnknownKey, UnknownTopic: there is none.
        """
        address = self.find_peer_address(pubkey_id, topic)
        if address is None:
            missing = UnknownTopic if pubkey_id in self._contacts else UnknownKey
            raise missing(f"peer with pubkey {pubkey_id}, topic {topic.hex()} not found")
        return address

    def asymmetric_route(self, pubkey_id: str, topic: Topic) -> AsymmetricRoute:
        """Key and address to send to.

        Raises:
            UnknownKey: the id is no public key.
            UnknownTopic: not filed for this topic.
        """
        contact = self._contacts.get(pubkey_id)
        address = contact.addresses.get(topic) if contact else None
        if contact is None or address is None:
            parse_pubkey_id(pubkey_id)
            raise UnknownTopic(f"invalid topic '0x{topic.hex()}' for pubkey '{pubkey_id}'")
        return AsymmetricRoute(contact.key, address)

    def forget_peer(self, pubkey_id: str, topic: Topic) -> bool:
        """Drop what is filed for (key, topic); whether there was anything. The reference never does."""
        contact = self._contacts.get(pubkey_id)
        if contact is None or contact.addresses.pop(topic, None) is None:
            return False
        if not contact.addresses:
            del self._contacts[pubkey_id]
        return True

    # Symmetric keys

    def set_symmetric_key(
        self, secret: bytes, topic: Topic, address: bytes, *, add_to_cache: bool, protected: bool = True
    ) -> str:
        """Take a key in under a new id, also if the same key is here already.

        Args:
            secret: 32 bytes.
            add_to_cache: we want to read with this key, not just write.
            protected: the entry survives :meth:`clean_up` even if it drops out of the cache.

        Raises:
            LocalProtocolError: ``wrong key size: N``, ``address too long``.
        """
        key = SymmetricKey(secret)
        _check_address(address)
        return self._add(key, topic, address, add_to_cache=add_to_cache, protected=protected)

    def generate_symmetric_key(
        self, topic: Topic, address: bytes, *, add_to_cache: bool, protected: bool = False
    ) -> str:
        """Make a key. Like the reference this takes an address that is too long, which no message can then carry."""
        key = SymmetricKey.generate(self._random_bytes)
        return self._add(key, topic, address, add_to_cache=add_to_cache, protected=protected)

    def symmetric_key(self, key_id: str) -> SymmetricKey:
        """The key of an id.

        Raises:
            UnknownKey: there is none.
        """
        try:
            return self._keys[key_id]
        except KeyError:
            raise UnknownKey("non-existent key ID") from None

    def find_symmetric_address(self, key_id: str, topic: Topic) -> bytes | None:
        """The address filed for (key id, topic), or None."""
        entry = self._book.get(key_id, {}).get(topic)
        return entry.address if entry else None

    def symmetric_route(self, key_id: str, topic: Topic) -> SymmetricRoute:
        """Key and address to send with.

        Raises:
            UnknownKey: no key of this id.
            UnknownTopic: not filed for this topic.
        """
        key = self._keys.get(key_id)
        if key is None:
            raise UnknownKey(f"missing valid send symkey {key_id}: non-existent key ID")
        address = self.find_symmetric_address(key_id, topic)
        if address is None:
            raise UnknownTopic(f"invalid topic '0x{topic.hex()}' for symkey '{key_id}'")
        return SymmetricRoute(key, address)

    def address(self, topic: Topic, *, asymmetric: bool, key_id: str) -> bytes:
        """Either address book, as pss_getAddress asks it.

        Raises:
            UnknownTopic: no such pair; the reference prints the id as hex of its characters.
        """
        find = self.find_peer_address if asymmetric else self.find_symmetric_address
        found = find(key_id, topic)
        if found is None:
            kind = "pubkey" if asymmetric else "symkey"
            raise UnknownTopic(f"{kind}/topic pair {_hex_of(key_id)}/{topic.hex()} doesn't exist")
        return found

    def forget_symmetric_key(self, key_id: str) -> bool:
        """Drop a key altogether; whether it was there. The reference never does; bounds what peers can make us keep."""
        self._cache.pop(key_id, None)
        self._book.pop(key_id, None)
        return self._keys.pop(key_id, None) is not None

    # Reading

    def open_symmetric(self, envelope: bytes, topic: Topic) -> Opened:
        """Try the keys of the cache, the most recently successful first. The topic plays no part in the choice.

        Raises:
            DecryptionFailed: no key fits, or the one that fits gives contents that are not well formed.
        """
        self.keys_tried = 0
        for key_id in reversed(self._cache):
            self.keys_tried += 1
            plaintext = self._cache[key_id].open(envelope)
            if plaintext is None:
                continue
            contents = parse_container(plaintext)
            self._cache.move_to_end(key_id)
            return Opened(contents.payload, contents.sender, key_id, self.find_symmetric_address(key_id, topic))
        raise DecryptionFailed("none of the symmetric keys opens the message")

    def clean_up(self) -> int:
        """Remove entries that are neither protected nor in the cache; how many. The keys themselves stay."""
        removed = 0
        for key_id, topics in list(self._book.items()):
            if key_id in self._cache:
                continue
            stale = [topic for topic, entry in topics.items() if not entry.protected]
            for topic in stale:
                del topics[topic]
            removed += len(stale)
            if not topics:
                del self._book[key_id]
        return removed

    def _add(self, key: SymmetricKey, topic: Topic, address: bytes, *, add_to_cache: bool, protected: bool) -> str:
        key_id = self._random_bytes(KEY_ID_BYTES).hex()
        self._keys[key_id] = key
        self._book.setdefault(key_id, {})[topic] = _SymmetricEntry(address, protected)
        if add_to_cache:
            self._cache[key_id] = key
            if len(self._cache) > self._cache_capacity:
                self._cache.popitem(last=False)
        return key_id

    def __repr__(self) -> str:
        return f"KeyStore({len(self._contacts)} contacts, {len(self._keys)} symmetric keys)"


def _check_address(address: bytes) -> None:
    if len(address) > MAX_ADDRESS_BYTES:
        raise LocalProtocolError("address too long")


def _hex_of(text: str) -> str:
    return text.encode("utf-8", "replace").hex()
