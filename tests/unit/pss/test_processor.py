"""The receive pipeline, step by step (spec 06 section 4). The vectors hold it against the Go node."""

from __future__ import annotations

from typing import Any

import pytest

from node.ids import Topic
from node.pss.crypto import SymmetricKey, wrap_asymmetric, wrap_symmetric
from node.pss.handlers import Handler, HandlerRegistry
from node.pss.keystore import KeyStore, format_pubkey_id
from node.pss.message import PssMessage
from node.pss.processor import Decision, Deliver, Drop, DropReason, Forward, ForwardReason, PssProcessor
from node.pss.seen import SeenCache
from node.pss.topic import topic_from_text
from tests.unit.pss.keys import NODE_1, NODE_2, NODE_3

FOO = topic_from_text("foo")
NOW = 1_600_000_000
SECRET = b"\x33" * 32
OWN = bytes(NODE_2.public.overlay)
ELSEWHERE = bytes(b ^ 0xFF for b in OWN)


class Node:
    """Node 2 with its stores."""

    def __init__(self, *handlers: Handler) -> None:
        self.keys, self.handlers, self.seen = KeyStore(), HandlerRegistry(), SeenCache()
        for handler in handlers:
            self.handlers.register(FOO, handler)
        self.processor = PssProcessor(
            private_key=NODE_2,
            overlay=NODE_2.public.overlay,
            keys=self.keys,
            handlers=self.handlers,
            seen=self.seen,
        )

    def receive(self, message: PssMessage, *, now: float = 0.0, depth: int = 5) -> Decision:
        return self.processor.receive(message, now=now, unix_now=NOW, depth=depth)


def handler(*, raw: bool = False, prox: bool = False) -> Handler:
    return Handler(callback=lambda _: None, raw=raw, prox=prox)


def raw(to: bytes = OWN, *, expire: int = NOW, topic: Topic = FOO) -> PssMessage:
    return PssMessage(to=to, raw=True, expire=expire, topic=topic, payload=b"hello")


def asymmetric(to: bytes = OWN, **options: Any) -> PssMessage:
    options = {"sender": NODE_1, "recipient": NODE_2.public, **options}
    payload = wrap_asymmetric(b"bar", options["recipient"], sender=options["sender"])
    return PssMessage(to=to, expire=NOW, topic=FOO, payload=payload)


def symmetric(to: bytes = OWN) -> PssMessage:
    payload = wrap_symmetric(b"bar", SymmetricKey(SECRET), sender=NODE_1)
    return PssMessage(to=to, symmetric=True, expire=NOW, topic=FOO, payload=payload)


def test_expired() -> None:
    node = Node(handler(raw=True))
    assert node.receive(raw(expire=NOW - 1)) == Drop(DropReason.EXPIRED)
    assert len(node.seen) == 0
    assert isinstance(node.receive(raw(expire=NOW)), Deliver)


def test_alive_to_the_end_of_its_second() -> None:
    node = Node(handler(raw=True))
    assert isinstance(node.processor.receive(raw(), now=0.0, unix_now=NOW + 0.999, depth=0), Deliver)


def test_duplicate_for_thirty_seconds() -> None:
    node = Node(handler(raw=True))
    assert isinstance(node.receive(raw(), now=0.0), Deliver)
    assert node.receive(raw(), now=29.9) == Drop(DropReason.DUPLICATE)
    assert isinstance(node.receive(raw(), now=30.0), Deliver)


def test_own_messages_do_not_come_back() -> None:
    node = Node(handler(raw=True))
    node.processor.mark_sent(raw(b""), now=0.0)
    assert node.receive(raw(b""), now=1.0) == Drop(DropReason.DUPLICATE)


@pytest.mark.parametrize("to", [OWN, ELSEWHERE, b""])
def test_raw_where_nobody_takes_raw_is_swallowed(to: bytes) -> None:
    """Also when it is addressed to others: step 4 comes first."""
    assert Node(handler()).receive(raw(to)) == Drop(DropReason.RAW_UNWANTED)


def test_without_a_record_raw_messages_are_relayed() -> None:
    assert Node().receive(raw(ELSEWHERE)) == Forward(ForwardReason.NOT_RECIPIENT)
    assert Node().receive(raw(b"")) == Forward(ForwardReason.NOBODY_LISTENS)


def test_raw_delivery() -> None:
    one = handler(raw=True)
    decision = Node(one).receive(raw())
    assert isinstance(decision, Deliver)
    assert (decision.handlers, decision.forward) == ((one,), False)
    delivery = decision.delivery
    assert (delivery.payload, delivery.raw, delivery.asymmetric, delivery.key_id) == (b"hello", True, False, "")
    assert (delivery.sender, delivery.sender_address) == (None, b"")
    assert delivery.digest == raw().digest
    assert "hello" not in repr(decision)


def test_both_flags_are_raw() -> None:
    message = PssMessage(to=OWN, raw=True, symmetric=True, expire=NOW, topic=FOO, payload=b"hello")
    decision = Node(handler(raw=True)).receive(message)
    assert isinstance(decision, Deliver)
    assert decision.delivery.payload == b"hello"


def test_asymmetric_delivery() -> None:
    node = Node(handler())
    decision = node.receive(asymmetric())
    assert isinstance(decision, Deliver)
    delivery = decision.delivery
    assert (delivery.payload, delivery.asymmetric) == (b"bar", True)
    assert delivery.key_id == format_pubkey_id(NODE_1.public)
    assert (delivery.sender, delivery.sender_address) == (NODE_1.public, b"")
    node.keys.set_peer_public_key(NODE_1.public, FOO, b"\xb5")
    known = node.receive(asymmetric())
    assert isinstance(known, Deliver)
    assert known.delivery.sender_address == b"\xb5"


def test_unsigned() -> None:
    decision = Node(handler()).receive(asymmetric(sender=None))
    assert isinstance(decision, Deliver)
    assert (decision.delivery.key_id, decision.delivery.sender) == ("0x0", None)


def test_symmetric_delivery() -> None:
    node = Node(handler())
    key_id = node.keys.set_symmetric_key(SECRET, FOO, b"\xb5", add_to_cache=True)
    decision = node.receive(symmetric())
    assert isinstance(decision, Deliver)
    delivery = decision.delivery
    assert (delivery.payload, delivery.asymmetric, delivery.key_id) == (b"bar", False, key_id)
    assert (delivery.sender, delivery.sender_address) == (NODE_1.public, b"\xb5")


@pytest.mark.parametrize("message", [asymmetric(recipient=NODE_3.public), symmetric()], ids=["asymmetric", "symmetric"])
def test_what_does_not_open_goes_on(message: PssMessage) -> None:
    assert Node(handler()).receive(message) == Forward(ForwardReason.NOT_OPENED)


@pytest.mark.parametrize(
    ("message", "keys", "tried"),
    [
        (raw(), 3, 0),
        (asymmetric(), 3, 1),
        (asymmetric(recipient=NODE_3.public), 3, 1),
        (asymmetric(to=ELSEWHERE), 3, 0),
        (symmetric(), 0, 0),
        (symmetric(), 3, 3),
        (symmetric(to=ELSEWHERE), 3, 0),
    ],
    ids=["raw", "ours", "another's", "elsewhere", "no key", "no key fits", "symmetric elsewhere"],
)
def test_how_many_keys_were_tried(message: PssMessage, keys: int, tried: int) -> None:
    node = Node(handler(raw=True))
    for number in range(keys):
        node.keys.set_symmetric_key(bytes([number]) * 32, FOO, b"", add_to_cache=True)
    decision = node.receive(message)
    assert isinstance(decision, Forward | Deliver)
    assert decision.keys_tried == tried


def test_keys_are_tried_up_to_the_one_that_fits() -> None:
    node = Node(handler())
    node.keys.set_symmetric_key(b"\x01" * 32, FOO, b"", add_to_cache=True)
    node.keys.set_symmetric_key(SECRET, FOO, b"", add_to_cache=True)
    node.keys.set_symmetric_key(b"\x02" * 32, FOO, b"", add_to_cache=True)
    for tried in (2, 1):  # what fitted last is tried first
        decision = node.receive(symmetric())
        assert isinstance(decision, Deliver)
        assert decision.keys_tried == tried


@pytest.mark.parametrize(("to", "forward"), [(OWN, False), (OWN[:31], True), (OWN[:1], True), (b"", True)])
def test_only_the_full_address_ends_the_way(to: bytes, forward: bool) -> None:
    decision = Node(handler()).receive(asymmetric(to))
    assert isinstance(decision, Deliver)
    assert decision.forward == forward


def test_neighbourhood_messages() -> None:
    near = bytes([OWN[0] ^ 0x04]) + OWN[1:]  # proximity order 5
    node, one = Node(handler(prox=True)), handler()
    decision = node.receive(asymmetric(near), depth=5)
    assert isinstance(decision, Deliver)
    assert decision.forward
    assert node.receive(asymmetric(near), depth=6) == Forward(ForwardReason.NOT_RECIPIENT)
    assert Node(one).receive(asymmetric(near), depth=5) == Forward(ForwardReason.NOT_RECIPIENT)


def test_for_us_alone_but_nobody_listens() -> None:
    """It is opened all the same: only then is it known to be ours, and that it need not go on."""
    decision = Node().receive(asymmetric())
    assert isinstance(decision, Deliver)
    assert (decision.handlers, decision.forward) == ((), False)


def test_a_broadcast_nobody_listens_to_is_not_opened(monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_: object) -> None:
        pytest.fail("decrypted")

    monkeypatch.setattr("node.pss.processor.unwrap_asymmetric", never)
    assert Node().receive(asymmetric(b"")) == Forward(ForwardReason.NOBODY_LISTENS)
