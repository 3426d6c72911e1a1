"""Counting, releasing and forgetting the keys of exchanges (spec 07 sections A3 and A5)."""

from __future__ import annotations

import pytest

from node.errors import UnknownKey
from node.pss.handshake_keys import HandshakeKey, HandshakeKeys, KeyExhausted
from node.pss.keystore import KeyStore
from node.pss.topic import topic_from_text

FOO, BAR = topic_from_text("foo"), topic_from_text("bar")
PEER = "0x04"


@pytest.fixture
def store() -> KeyStore:
    return KeyStore()


@pytest.fixture
def keys(store: KeyStore) -> HandshakeKeys:
    return HandshakeKeys(store)


def add(keys: HandshakeKeys, store: KeyStore, *, incoming: bool = True, limit: int = 2) -> str:
    key_id = store.generate_symmetric_key(FOO, b"", add_to_cache=incoming, protected=True)
    keys.add(HandshakeKey(key_id, PEER, FOO, incoming=incoming, limit=limit))
    return key_id


def test_counting(keys: HandshakeKeys, store: KeyStore) -> None:
    key_id = add(keys, store)
    keys.count_use(key_id)
    assert keys.valid(PEER, FOO, incoming=True, now=0.0) == [key_id]
    keys.count_use(key_id)
    assert keys.valid(PEER, FOO, incoming=True, now=0.0) == []
    with pytest.raises(KeyExhausted, match=rf"symetric key expired \(id: {key_id}\)"):
        keys.count_use(key_id)
    assert keys.key(key_id).count == 2


def test_keys_of_no_exchange(keys: HandshakeKeys) -> None:
    keys.count_use("foreign")
    with pytest.raises(UnknownKey, match="invalid symkey id foreign"):
        keys.key("foreign")
    assert not keys.release(PEER, FOO, "foreign", flush=True, now=0.0)


def test_directions_and_topics_are_apart(keys: HandshakeKeys, store: KeyStore) -> None:
    made, got = add(keys, store), add(keys, store, incoming=False)
    assert keys.valid(PEER, FOO, incoming=True, now=0.0) == [made]
    assert keys.valid(PEER, FOO, incoming=False, now=0.0) == [got]
    assert keys.valid(PEER, BAR, incoming=True, now=0.0) == []
    assert keys.valid("0x05", FOO, incoming=True, now=0.0) == []


def test_release(keys: HandshakeKeys, store: KeyStore) -> None:
    first, second = add(keys, store), add(keys, store)
    assert keys.release(PEER, FOO, first, flush=False, now=5.0)
    assert keys.valid(PEER, FOO, incoming=True, now=5.0) == [second]
    assert keys.release(PEER, FOO, first, flush=False, now=6.0), "still known"
    assert not keys.release(PEER, BAR, first, flush=False, now=6.0)
    assert not keys.release("0x05", FOO, first, flush=False, now=6.0)
    assert store.symmetric_key(first), "what is on its way can still be read"


def test_flush_takes_out_what_is_over_and_nothing_else(keys: HandshakeKeys, store: KeyStore) -> None:
    released, used_up, good = add(keys, store), add(keys, store, incoming=False, limit=0), add(keys, store)
    assert keys.release(PEER, FOO, released, flush=True, now=5.0)
    for key_id in (released, used_up):
        assert keys.find(key_id) is None
        with pytest.raises(UnknownKey):
            store.symmetric_key(key_id)
    # The reference would have emptied the whole list here.
    assert keys.valid(PEER, FOO, incoming=True, now=5.0) == [good]
    assert not keys.release(PEER, FOO, released, flush=True, now=5.0)
