"""Which keys are sent, taken and asked for (spec 07 section A4), and what the reference gets wrong (section A6)."""

from __future__ import annotations

import pytest

from node.ids import Topic
from node.pss.handshake import KEY_CAPACITY, KEY_LIMIT, HandshakeController, KeysFull, Received
from node.pss.handshake_keys import MAX_IN_KEYS, MAX_OUT_KEYS, MAX_STRANGERS, HandshakeError, KeyExhausted
from node.pss.handshake_message import MAX_KEYS, KeyMessage
from node.pss.keystore import DECRYPT_CACHE_KEYS, KeyStore, format_pubkey_id
from node.pss.topic import topic_from_text
from tests.support.keys import make_key
from tests.unit.pss.keys import NODE_1, NODE_2

FOO, BAR = topic_from_text("foo"), topic_from_text("bar")
ONE, TWO = format_pubkey_id(NODE_1.public), format_pubkey_id(NODE_2.public)


class Counting:
    """Randomness that never repeats: 1, 2, 3, ..."""

    def __init__(self, start: int) -> None:
        self.last = start

    def __call__(self, size: int) -> bytes:
        self.last += 1
        return self.last.to_bytes(size, "big")


class Side:
    """One of the nodes 1 and 2, which know each other."""

    def __init__(self, number: int, *, limit: int = KEY_LIMIT) -> None:
        own, other = (NODE_1, NODE_2) if number == 1 else (NODE_2, NODE_1)
        self.store = KeyStore(random_bytes=Counting(number << 64))
        self.peer = self.store.set_peer_public_key(other.public, FOO, other.public.overlay)
        self.own = format_pubkey_id(own.public)
        self.controller = HandshakeController(overlay=own.public.overlay, store=self.store, limit=limit)
        self.controller.activate(FOO)

    def request(self, *, flush: bool = False, wait: bool = False, topic: Topic = FOO) -> KeyMessage:
        return self.controller.request(self.peer, topic, flush=flush, wait=wait, now=0.0).message

    def receive(self, message: KeyMessage, sender: str = "") -> Received:
        return self.controller.receive(sender or self.peer, message, now=0.0)

    def ids(self, *, incoming: bool, now: float = 0.0, peer: str = "") -> list[str]:
        return self.controller.keys.valid(peer or self.peer, FOO, incoming=incoming, now=now)

    def secrets(self, *, incoming: bool) -> list[bytes]:
        return [self.store.symmetric_key(key_id).secret for key_id in self.ids(incoming=incoming)]

    def use_up(self, key_id: str) -> None:
        for _ in range(self.controller.keys.key(key_id).limit):
            self.controller.keys.count_use(key_id)


@pytest.fixture
def sides() -> tuple[Side, Side]:
    """Two nodes that have exchanged keys."""
    one, two = Side(1), Side(2)
    exchange(one, two)
    return one, two


def exchange(one: Side, two: Side, *, flush: bool = False, wait: bool = False) -> None:
    message: KeyMessage | None = one.request(flush=flush, wait=wait)
    sender, receiver = one, two
    while message is not None:
        reply = receiver.receive(message).reply
        message, sender, receiver = (reply.message if reply else None), receiver, sender


def keys_of(start: int, count: int) -> tuple[bytes, ...]:
    return tuple((start + number).to_bytes(32, "big") for number in range(1, count + 1))


def message(**fields: object) -> KeyMessage:
    values: dict[str, object] = {
        "address": NODE_2.public.overlay, "limit": 256, "keys": (), "request": 0, "topic": FOO, **fields,
    }  # fmt: skip
    return KeyMessage(**values)  # type: ignore[arg-type]


# -- an exchange


def test_both_sides_end_with_each_others_keys() -> None:
    one, two = Side(1), Side(2)
    asked = one.request()
    assert (len(asked.keys), asked.request, asked.limit, asked.topic) == (4, 4, 256, FOO)
    assert asked.address == NODE_1.public.overlay
    answer = two.receive(asked).reply
    assert answer is not None
    assert (len(answer.message.keys), answer.message.request) == (4, 0)
    last = one.receive(answer.message)
    assert (last.reply, last.refusal) == (None, None)
    assert last.key_ids == one.ids(incoming=False)
    assert one.secrets(incoming=True) == two.secrets(incoming=False)
    assert one.secrets(incoming=False) == two.secrets(incoming=True)
    assert not set(one.ids(incoming=True)) & set(two.ids(incoming=False)), "ids differ on both sides"


def test_keys_we_made_open_and_keys_we_got_do_not(sides: tuple[Side, Side]) -> None:
    one, _ = sides
    assert list(one.store._cache) == one.ids(incoming=True)
    # Both survive the clean-up, and the sender's full address is where the keys lead.
    assert one.store.clean_up() == 0
    for key_id in one.ids(incoming=False) + one.ids(incoming=True):
        assert one.store.symmetric_route(key_id, FOO).address == NODE_2.public.overlay


def test_full_when_nothing_is_to_be_done(sides: tuple[Side, Side]) -> None:
    with pytest.raises(KeysFull, match="Incoming symmetric key store is already full"):
        sides[0].request()


def test_a_key_that_is_used_up_is_replaced(sides: tuple[Side, Side]) -> None:
    one, two = sides
    one.use_up(one.ids(incoming=False)[0])
    asked = one.request()
    assert (len(asked.keys), asked.request) == (1, KEY_CAPACITY)
    reply = two.receive(asked).reply
    assert reply is not None
    assert (len(reply.message.keys), reply.message.request) == (4, 0)
    assert len(one.receive(reply.message).key_ids) == 4
    assert (len(one.ids(incoming=False)), len(one.ids(incoming=True))) == (7, 5)


def test_more_keys_than_a_set_are_full_too(sides: tuple[Side, Side]) -> None:
    one, _ = sides
    one.receive(message(keys=keys_of(7, 3)))
    assert len(one.ids(incoming=False)) == 7
    with pytest.raises(KeysFull):  # the reference computes 4 - 7 in eight bits and sends 253 keys
        one.request()


def test_flush_makes_a_new_set_and_waiting_asks_for_one(sides: tuple[Side, Side]) -> None:
    one, two = sides
    assert one.request(flush=True).request == 0
    exchange(one, two, flush=True, wait=True)  # the reference asks for nothing here and waits in vain
    assert len(one.ids(incoming=False)) == 8
    assert one.ids(incoming=False)[0] in one.ids(incoming=False), "old keys stay until they are used up"


def test_a_request_without_keys_is_answered_and_asks_back() -> None:
    side = Side(1)
    reply = side.receive(message(request=2)).reply
    assert reply is not None
    assert (len(reply.message.keys), reply.message.request) == (2, 4)


def test_nothing_asked_nothing_answered() -> None:
    side = Side(1)
    assert side.receive(message(keys=keys_of(0, 4))).reply is None
    assert side.receive(message()) == Received([], None, None)


# -- who


def test_a_stranger_cannot_be_asked() -> None:
    side = Side(1)
    with pytest.raises(HandshakeError, match="Invalid public key"):
        side.controller.request("0x00", FOO, flush=False, wait=False, now=0.0)


def test_a_strangers_keys_are_kept_but_not_answered() -> None:
    side, stranger = Side(1), format_pubkey_id(make_key(9).public)
    received = side.receive(message(keys=keys_of(0, 4), request=4), stranger)
    assert (len(received.key_ids), received.reply) == (4, None)
    assert str(received.refusal) == "Invalid public key"
    assert side.ids(incoming=False, peer=stranger) == received.key_ids


def test_a_contact_of_another_topic_gets_keys_without_an_address() -> None:
    side = Side(1)
    offer = side.controller.request(side.peer, BAR, flush=False, wait=False, now=0.0)
    assert side.store.find_symmetric_address(offer.key_ids[0], BAR) == b""


# -- what is refused


@pytest.mark.parametrize("size", [0, 16, 31, 33])
def test_a_key_of_another_size_spoils_the_message(size: int) -> None:
    side = Side(1)
    with pytest.raises(HandshakeError, match=f"wrong key size: {size}"):
        side.receive(message(keys=(*keys_of(0, 3), b"k" * size), request=4))
    assert side.ids(incoming=False) == side.ids(incoming=True) == []


def test_a_key_of_zeros_is_refused() -> None:
    with pytest.raises(HandshakeError, match="zeros"):
        Side(1).receive(message(keys=(bytes(32),)))


def test_keys_for_a_topic_that_is_not_active_are_refused() -> None:
    side = Side(1)
    with pytest.raises(HandshakeError, match="no handshake is active"):
        side.receive(message(keys=keys_of(0, 1), topic=BAR))
    assert side.controller.activate(BAR)
    assert not side.controller.activate(BAR)
    assert side.receive(message(keys=keys_of(0, 1), topic=BAR)).key_ids
    assert side.ids(incoming=False) == [], "the topic in the message counts"
    assert side.controller.deactivate(BAR)
    assert not side.controller.deactivate(BAR)


def test_a_message_played_again_is_not_answered(sides: tuple[Side, Side]) -> None:
    one, two = sides
    two.use_up(two.ids(incoming=False)[0])
    again = message(address=NODE_1.public.overlay, keys=tuple(one.secrets(incoming=True)), request=4)
    before = two.ids(incoming=True), two.ids(incoming=False)
    received = two.receive(again)
    assert (received.key_ids, received.reply) == ([], None)
    assert received.refusal is not None
    assert (two.ids(incoming=True), two.ids(incoming=False)) == before, "what is used up stays used up"


def test_an_offer_that_was_not_sent_is_forgotten() -> None:
    side = Side(1)
    offer = side.controller.request(side.peer, FOO, flush=False, wait=False, now=0.0)
    side.controller.withdraw(offer)
    assert side.ids(incoming=True) == []
    assert not any(side.store.forget_symmetric_key(key_id) for key_id in offer.key_ids)


# -- how much


def test_what_a_reference_node_may_send_is_taken() -> None:
    side = Side(1)
    assert len(side.receive(message(keys=keys_of(0, 253))).key_ids) == 253
    reply = side.receive(message(request=MAX_KEYS)).reply
    assert reply is not None
    assert len(reply.message.keys) == MAX_KEYS


def test_a_contact_cannot_fill_the_decrypt_cache() -> None:
    side = Side(1)
    side.controller.activate(BAR)
    mine = side.store.set_symmetric_key(b"m" * 32, FOO, b"", add_to_cache=True)
    for _ in range(5):
        for topic in (FOO, BAR):
            assert side.receive(message(request=MAX_KEYS, topic=topic)).reply is not None
    assert mine in side.store._cache
    assert len(side.store._cache) == 1 + MAX_IN_KEYS < DECRYPT_CACHE_KEYS


def test_a_peer_cannot_make_us_keep_more_and_more() -> None:
    side = Side(1)
    for number in range(10):
        newest = side.receive(message(keys=keys_of(1000 * number, MAX_KEYS), limit=number % 2)).key_ids
    assert len(side.store._keys) == MAX_OUT_KEYS
    assert newest[-1] in side.store._keys
    assert set(newest) <= set(side.store._keys)


def test_strangers_cannot_make_us_keep_more_and_more() -> None:
    side = Side(1)
    side.receive(message(keys=keys_of(0, 1)))
    for number in range(2, MAX_STRANGERS + 12):
        side.receive(message(keys=keys_of(100 * number, 2)), f"0x{number}")
    assert len(side.store._keys) == 1 + 2 * MAX_STRANGERS
    assert side.ids(incoming=False), "contacts stay"


def test_keys_that_are_good_for_nothing_are_harmless() -> None:
    side = Side(1)
    received = side.receive(message(keys=keys_of(0, 4), limit=0))
    assert len(received.key_ids) == 4
    assert side.ids(incoming=False) == []
    with pytest.raises(KeyExhausted):
        side.controller.keys.count_use(received.key_ids[0])
