"""Providing and subscribing (spec 07 part E)."""

from __future__ import annotations

from typing import Any

import pytest

from node.crypto.secp256k1 import PrivateKey
from node.errors import LocalProtocolError, OutboxFull
from node.pss import notify_publisher
from node.pss.keystore import format_pubkey_id
from node.pss.notify import NotifyError
from node.pss.notify_message import CONTROL_TOPIC, NotifyCode, decode_notify_message, encode_notify_message
from node.pss.notify_publisher import Publisher
from node.pss.notify_subscriber import Subscriber
from node.pss.topic import topic_from_text
from tests.support.keys import make_key
from tests.unit.pss.fakes import FakePss, joined
from tests.unit.pss.keys import NODE_1, NODE_2

NAME, OTHER = b"foo.eth", make_key(77)


class Pair:
    """A publisher and a subscriber that hear each other."""

    def __init__(self) -> None:
        self.provider, self.reader = joined(NODE_1, NODE_2)
        self.publisher, self.subscriber = Publisher(self.provider), Subscriber(self.reader)
        self.heard: list[tuple[str, bytes]] = []
        self.publisher.publish("foo.eth")

    def subscribe(self, name: str = "foo.eth") -> None:
        self.subscriber.subscribe(name, NODE_1.public, self.provider.overlay, lambda *what: self.heard.append(what))

    def control(self, to: FakePss, code: NotifyCode, payload: bytes, *, sender: PrivateKey | None, **kw: Any) -> None:
        to.receive(CONTROL_TOPIC, encode_notify_message(code, NAME, payload), sender=sender, **kw)

    def start(self, sender: PrivateKey, address: bytes) -> None:
        self.control(self.provider, NotifyCode.START, address, sender=sender)


@pytest.fixture
def pair() -> Pair:
    return Pair()


def test_from_start_to_stop(pair: Pair) -> None:
    pair.subscribe()
    assert pair.heard == [("foo.eth", b"")]
    (start,) = [decode_notify_message(payload) for _, payload in pair.reader.sent]
    assert (start.code, start.payload) == (NotifyCode.START, NODE_2.public.overlay)
    # Where the answer goes, and where notifications go.
    key = format_pubkey_id(NODE_2.public)
    assert pair.provider.keys.peer_address(key, CONTROL_TOPIC) == NODE_2.public.overlay[:1]
    assert pair.publisher.update("foo.eth", b"xyzzy") == 1
    assert pair.heard[1:] == [("foo.eth", b"xyzzy")]
    (bin_key, wire) = pair.provider.sent[-1]
    assert wire.hex() == "cf0287666f6f2e6574688578797a7a79"
    topic = topic_from_text("foo.eth")
    assert pair.provider.keys.symmetric_route(bin_key, topic).address == NODE_2.public.overlay[:1]

    pair.subscriber.unsubscribe("foo.eth")
    assert pair.publisher.subscriber_count("foo.eth") == 0
    assert pair.publisher.update("foo.eth", b"nobody") == 0
    assert not pair.provider.keys.knows_peer(key), "nothing is left of the subscriber"
    assert not pair.provider.keys._keys
    assert not pair.reader.keys._keys
    assert [handle.topic for handle in pair.reader.handlers] == [CONTROL_TOPIC]


def test_bins_share_a_key(pair: Pair) -> None:
    for number, address in enumerate((b"\xaa\x01", b"\xaa\x02", b"\xbb\x01")):
        pair.start(make_key(number + 1), address)
    assert pair.publisher.subscriber_count("foo.eth") == 3
    assert pair.publisher.update("foo.eth", b"x") == 2
    keys = [decode_notify_message(payload).payload for _, payload in pair.provider.sent[:3]]
    assert keys[0] == keys[1] != keys[2]


def test_starting_again_is_one_subscriber(pair: Pair) -> None:
    for address in (b"\xaa", b"\xaa", b"\xbb"):
        pair.start(OTHER, address)
    assert pair.publisher.subscriber_count("foo.eth") == 1
    assert pair.publisher.update("foo.eth", b"x") == 1
    assert pair.provider.keys.peer_address(format_pubkey_id(OTHER.public), CONTROL_TOPIC) == b"\xbb"


def test_a_stop_of_the_reference_names_the_wrong_address(pair: Pair) -> None:
    pair.start(OTHER, b"\xaa")
    pair.control(pair.provider, NotifyCode.STOP, pair.provider.overlay, sender=OTHER)
    assert pair.publisher.subscriber_count("foo.eth") == 0


def test_a_contact_keeps_the_address_it_has(pair: Pair) -> None:
    key = pair.provider.keys.set_peer_public_key(OTHER.public, CONTROL_TOPIC, b"mine")
    pair.start(OTHER, b"\xaa")
    pair.control(pair.provider, NotifyCode.STOP, b"", sender=OTHER)
    assert pair.provider.keys.peer_address(key, CONTROL_TOPIC) == b"mine"


def test_subscribers_are_limited(pair: Pair, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setattr(notify_publisher, "MAX_SUBSCRIBERS", 2)
    for number in range(1, 4):
        pair.start(make_key(number), bytes([number]))
    assert pair.publisher.subscriber_count("foo.eth") == 2
    assert "has 2 subscribers already" in caplog.text
    assert not pair.provider.keys.knows_peer(format_pubkey_id(make_key(3).public))


def test_what_nobody_asked_for_is_ignored(pair: Pair, caplog: pytest.LogCaptureFixture) -> None:
    key = b"k" * 32
    pair.control(pair.reader, NotifyCode.NOTIFY_WITH_KEY, key, sender=NODE_1)  # no such subscription
    pair.subscribe()
    for sender, options in ((OTHER, {}), (None, {}), (NODE_1, {"asymmetric": False, "key_id": "ab"})):
        pair.control(pair.reader, NotifyCode.NOTIFY_WITH_KEY, key, sender=sender, **options)  # type: ignore[arg-type]
    pair.control(pair.reader, NotifyCode.NOTIFY_WITH_KEY, b"short", sender=NODE_1)
    topic = topic_from_text("foo.eth")
    wire = encode_notify_message(NotifyCode.NOTIFY, NAME, b"forged")
    pair.reader.receive(topic, wire, sender=OTHER)
    pair.reader.receive(topic, wire, sender=OTHER, asymmetric=False, key_id="ab")
    (good,) = list(pair.reader.keys._cache)
    for code, name in ((NotifyCode.STOP, NAME), (NotifyCode.NOTIFY, b"unknown")):
        wire = encode_notify_message(code, name, b"")
        pair.reader.receive(topic, wire, sender=NODE_1, asymmetric=False, key_id=good)
    assert caplog.text.count("notify: ") == 9
    assert pair.heard == [("foo.eth", b"")]


def test_a_new_key_takes_the_place_of_the_old(pair: Pair) -> None:
    pair.subscribe()
    pair.control(pair.reader, NotifyCode.NOTIFY_WITH_KEY, b"first" + b"k" * 32, sender=NODE_1)
    assert pair.heard[-1] == ("foo.eth", b"first")
    assert [key.secret for key in pair.reader.keys._cache.values()] == [b"k" * 32]
    assert len(pair.reader.handlers) == 2


def test_names_that_are_not_there(pair: Pair, caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(LocalProtocolError, match="published already"):
        pair.publisher.publish("foo.eth")
    for call in (lambda: pair.publisher.update("x", b""), lambda: pair.subscriber.unsubscribe("x")):
        with pytest.raises(NotifyError):
            call()
    pair.subscribe("unknown")
    assert "b'unknown' is not published" in caplog.text
    pair.control(pair.provider, NotifyCode.STOP, b"", sender=OTHER)
    assert "somebody who is no subscriber" in caplog.text
    pair.publisher.withdraw("unknown")


def test_a_subscription_that_cannot_be_asked_for_is_none(pair: Pair) -> None:
    pair.reader.error = OutboxFull("full")
    with pytest.raises(OutboxFull):
        pair.subscribe()
    pair.reader.error = None
    with pytest.raises(NotifyError, match="no subscription"):
        pair.subscriber.unsubscribe("foo.eth")


def test_closing_leaves_nothing(pair: Pair) -> None:
    pair.subscribe()
    pair.publisher.close()
    pair.subscriber.close()
    for pss in (pair.provider, pair.reader):
        assert pss.handlers == []
        assert not pss.keys._keys
