"""Address book and keys (spec 06 section 8), with the error texts of section 9.2."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Callable

import pytest

from node.errors import DecryptionFailed, LocalProtocolError, UnknownKey, UnknownTopic
from node.pss.crypto import SymmetricKey, wrap_symmetric
from node.pss.keystore import KeyStore, format_pubkey_id, parse_pubkey_id
from node.pss.topic import topic_from_text
from tests.unit.pss.keys import NODE_1, NODE_2

FOO, BAR = topic_from_text("foo"), topic_from_text("bar")
NODE_2_ID = format_pubkey_id(NODE_2.public)
SECRET = b"\x33" * 32


def counting() -> Callable[[int], bytes]:
    """Randomness that is different every time and the same in every run."""
    numbers = itertools.count()
    return lambda size: hashlib.sha256(next(numbers).to_bytes(8, "big")).digest()[:size]


def store(**options: int) -> KeyStore:
    return KeyStore(random_bytes=counting(), **options)


class TestContacts:
    def test_one_address_for_each_topic(self) -> None:
        keys = store()
        assert keys.set_peer_public_key(NODE_2.public, FOO, b"\x7b") == NODE_2_ID
        keys.set_peer_public_key(NODE_2.public, BAR, b"")
        keys.set_peer_public_key(NODE_2.public, FOO, b"\x7b\x4c")
        assert keys.peer_address(NODE_2_ID, FOO) == b"\x7b\x4c"
        assert keys.peer_address(NODE_2_ID, BAR) == b""
        assert sorted(keys.peer_topics(NODE_2_ID)) == sorted([FOO, BAR])
        assert keys.asymmetric_route(NODE_2_ID, FOO) == (NODE_2.public, b"\x7b\x4c")
        assert keys.address(FOO, asymmetric=True, key_id=NODE_2_ID) == b"\x7b\x4c"
        assert keys.knows_peer(NODE_2_ID)

    def test_ids_are_compared_verbatim(self) -> None:
        keys = store()
        keys.set_peer_public_key(NODE_2.public, FOO, b"")
        for other in (NODE_2_ID[2:], NODE_2_ID.upper(), "nonsense"):
            assert keys.peer_topics(other) == []
            assert keys.find_peer_address(other, FOO) is None
            assert not keys.knows_peer(other)

    def test_texts_of_the_reference(self) -> None:
        keys = store()
        with pytest.raises(UnknownKey, match=f"^peer with pubkey {NODE_2_ID}, topic 2c26b46b not found$"):
            keys.peer_address(NODE_2_ID, FOO)
        with pytest.raises(UnknownTopic, match=r"^pubkey/topic pair 307831/2c26b46b doesn't exist$"):
            keys.address(FOO, asymmetric=True, key_id="0x1")
        keys.set_peer_public_key(NODE_2.public, FOO, b"")
        with pytest.raises(UnknownTopic, match=f"^peer with pubkey {NODE_2_ID}, topic fcde2b2e not found$"):
            keys.peer_address(NODE_2_ID, BAR)
        with pytest.raises(UnknownTopic, match=f"^invalid topic '0xfcde2b2e' for pubkey '{NODE_2_ID}'$"):
            keys.asymmetric_route(NODE_2_ID, BAR)
        with pytest.raises(UnknownTopic, match=f"^invalid topic '0x2c26b46b' for pubkey '{NODE_2_ID[2:]}'$"):
            keys.asymmetric_route(NODE_2_ID[2:], FOO)
        with pytest.raises(UnknownKey, match=r"^Cannot unmarshal pubkey: 6e6f6e73656e7365$"):
            keys.asymmetric_route("nonsense", FOO)

    @pytest.mark.parametrize(
        "text", ["", "0x", "0x04", NODE_2_ID[:-2], NODE_2_ID[:-1] + "1", "0x" + "00" * 65, "\ud800"]
    )
    def test_no_public_key(self, text: str) -> None:
        with pytest.raises(UnknownKey, match=r"^Cannot unmarshal pubkey: "):
            parse_pubkey_id(text)

    def test_key_of_an_id(self) -> None:
        assert parse_pubkey_id(NODE_2_ID) == parse_pubkey_id(NODE_2_ID[2:].upper()) == NODE_2.public

    def test_address_length(self) -> None:
        keys = store()
        keys.set_peer_public_key(NODE_2.public, FOO, bytes(32))
        with pytest.raises(LocalProtocolError, match="address too long"):
            keys.set_peer_public_key(NODE_2.public, FOO, bytes(33))


class TestSymmetricKeys:
    def test_same_key_twice_is_two_ids(self) -> None:
        keys = store()
        one, two = (keys.set_symmetric_key(SECRET, FOO, a, add_to_cache=True) for a in (b"\x01", b"\x02"))
        assert one != two
        assert len(one) == 64
        assert keys.symmetric_key(one).secret == keys.symmetric_key(two).secret == SECRET
        assert keys.address(FOO, asymmetric=False, key_id=two) == b"\x02"
        assert keys.symmetric_route(one, FOO).address == b"\x01"

    def test_generated(self) -> None:
        keys = store()
        key_id = keys.generate_symmetric_key(FOO, bytes(33), add_to_cache=False)
        assert len(keys.symmetric_key(key_id).secret) == 32
        assert keys.find_symmetric_address(key_id, FOO) == bytes(33)

    def test_texts_of_the_reference(self) -> None:
        keys = store()
        key_id = keys.set_symmetric_key(SECRET, FOO, b"", add_to_cache=False)
        with pytest.raises(UnknownKey, match=r"^non-existent key ID$"):
            keys.symmetric_key("nokey")
        with pytest.raises(UnknownKey, match=r"^missing valid send symkey nokey: non-existent key ID$"):
            keys.symmetric_route("nokey", FOO)
        with pytest.raises(UnknownTopic, match=f"^invalid topic '0xfcde2b2e' for symkey '{key_id}'$"):
            keys.symmetric_route(key_id, BAR)
        with pytest.raises(UnknownTopic, match=r"^symkey/topic pair 6e6f6b6579/2c26b46b doesn't exist$"):
            keys.address(FOO, asymmetric=False, key_id="nokey")
        with pytest.raises(LocalProtocolError, match=r"^wrong key size: 31$"):
            keys.set_symmetric_key(SECRET[1:], FOO, b"", add_to_cache=False)
        with pytest.raises(LocalProtocolError, match=r"^address too long$"):
            keys.set_symmetric_key(SECRET, FOO, bytes(33), add_to_cache=False)

    def test_no_text_shows_a_key(self) -> None:
        keys = store()
        key_id = keys.set_symmetric_key(SECRET, FOO, b"", add_to_cache=True)
        texts = [repr(keys), repr(keys.symmetric_route(key_id, FOO)), repr(keys.symmetric_key(key_id))]
        assert not any(SECRET.hex() in text or "33333333" in text for text in texts)
        assert repr(SECRET) not in "".join(texts)

    def test_forget(self) -> None:
        keys = store()
        key_id = keys.set_symmetric_key(SECRET, FOO, b"", add_to_cache=True)
        assert keys.forget_symmetric_key(key_id)
        assert not keys.forget_symmetric_key(key_id)
        with pytest.raises(UnknownKey):
            keys.symmetric_key(key_id)
        with pytest.raises(DecryptionFailed):
            keys.open_symmetric(envelope(SECRET), FOO)


def envelope(secret: bytes, payload: bytes = b"bar") -> bytes:
    return wrap_symmetric(payload, SymmetricKey(secret), sender=NODE_1)


def secret_of(number: int) -> bytes:
    return hashlib.sha256(bytes([number])).digest()


class TestOpening:
    def test_any_topic_will_do(self) -> None:
        keys = store()
        key_id = keys.set_symmetric_key(SECRET, FOO, b"\x01", add_to_cache=True)
        assert keys.open_symmetric(envelope(SECRET), FOO) == (b"bar", NODE_1.public, key_id, b"\x01")
        assert keys.open_symmetric(envelope(SECRET), BAR) == (b"bar", NODE_1.public, key_id, None)

    def test_a_key_outside_the_cache_only_sends(self) -> None:
        keys = store()
        keys.set_symmetric_key(SECRET, FOO, b"", add_to_cache=False)
        with pytest.raises(DecryptionFailed, match="none of the symmetric keys"):
            keys.open_symmetric(envelope(SECRET), FOO)

    def test_newest_first(self) -> None:
        keys = store()
        _, newest = (keys.set_symmetric_key(SECRET, FOO, b"", add_to_cache=True) for _ in range(2))
        assert keys.open_symmetric(envelope(SECRET), FOO).key_id == newest

    def test_least_recently_used_goes_first(self) -> None:
        keys = store(decrypt_cache_keys=3)
        ids = [keys.set_symmetric_key(secret_of(n), FOO, b"", add_to_cache=True) for n in range(3)]
        assert keys.open_symmetric(envelope(secret_of(0)), FOO).key_id == ids[0]
        keys.set_symmetric_key(secret_of(3), FOO, b"", add_to_cache=True)
        assert keys.open_symmetric(envelope(secret_of(0)), FOO).key_id == ids[0]
        with pytest.raises(DecryptionFailed):
            keys.open_symmetric(envelope(secret_of(1)), FOO)

    def test_an_unused_key_is_not_lost_to_a_busy_one(self) -> None:
        """In the reference it was, after 512 messages (section 8.2)."""
        keys = store()
        quiet = keys.set_symmetric_key(secret_of(0), FOO, b"", add_to_cache=True)
        busy = keys.set_symmetric_key(secret_of(1), FOO, b"", add_to_cache=True)
        for _ in range(600):
            assert keys.open_symmetric(envelope(secret_of(1)), FOO).key_id == busy
        assert keys.open_symmetric(envelope(secret_of(0)), FOO).key_id == quiet

    def test_bad_contents_end_the_search(self) -> None:
        keys = store()
        keys.set_symmetric_key(SECRET, FOO, b"", add_to_cache=True)
        with pytest.raises(DecryptionFailed, match="incorrect payload size"):
            keys.open_symmetric(SymmetricKey(SECRET).seal(b"\x01\x05", bytes(12)), FOO)


def test_clean_up_spares_protected_and_cached() -> None:
    keys = store()
    protected = keys.set_symmetric_key(SECRET, FOO, b"", add_to_cache=False)
    cached = keys.generate_symmetric_key(FOO, b"", add_to_cache=True)
    loose = keys.generate_symmetric_key(FOO, b"", add_to_cache=False)
    assert keys.clean_up() == 1
    assert keys.clean_up() == 0
    for key_id, kept in ((protected, True), (cached, True), (loose, False)):
        assert (keys.find_symmetric_address(key_id, FOO) is not None) == kept
        assert keys.symmetric_key(key_id)


def test_a_contact_is_forgotten_topic_by_topic() -> None:
    keys = KeyStore()
    for topic in (FOO, BAR):
        keys.set_peer_public_key(NODE_2.public, topic, b"")
    assert keys.forget_peer(NODE_2_ID, FOO)
    assert not keys.forget_peer(NODE_2_ID, FOO)
    assert keys.peer_topics(NODE_2_ID) == [BAR]
    assert keys.forget_peer(NODE_2_ID, BAR)
    assert not keys.knows_peer(NODE_2_ID)
    assert not keys.forget_peer("0x00", FOO)
