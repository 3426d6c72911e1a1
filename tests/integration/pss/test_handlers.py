"""Who listens to what, and what events say about it (spec 06 section 4.1)."""

from __future__ import annotations

import pytest

from node.events import Kind
from node.pss.message import MessageKind
from node.pss.topic import topic_from_text
from tests.support.messages import TOPIC, pss_events, send
from tests.support.nodes import LabNode
from tests.support.waiting import recording, until

# -- who listens


async def test_the_topic_decides(pair: list[LabNode]) -> None:
    one, two = pair
    two.listen(topic_from_text("bar"), raw=True)
    digest = one.pss.send_raw(two.address, TOPIC, b"hello")
    event = await two.events.wait(Kind.PSS_DELIVERED)
    assert (event.digest, event.data["handlers"], two.inbox) == (digest.hex(), 0, [])


async def test_raw_messages_need_a_handler_that_takes_them(pair: list[LabNode]) -> None:
    one, two = pair
    two.listen(TOPIC)
    one.pss.send_raw(two.address, TOPIC, b"raw")
    assert "raw message" in (await two.events.wait(Kind.PSS_DROPPED)).reason
    send(one, two, b"sealed", kind=MessageKind.ASYMMETRIC)
    await until(lambda: two.inbox)
    assert [delivery.payload for delivery in two.inbox] == [b"sealed"]


async def test_prox_takes_what_is_meant_for_the_neighbourhood(three: list[LabNode]) -> None:
    """With so few nodes the depth is 0 and the neighbourhood is everybody."""
    alice, relay, bob = three
    bob.listen(TOPIC, raw=True, prox=True)
    relay.listen(TOPIC, raw=True)
    alice.pss.send_raw(bytes([bob.address[0] ^ 0xFF]) + bytes(31), TOPIC, b"to somebody there")
    await until(lambda: bob.inbox)
    assert relay.inbox == []


async def test_a_cancelled_subscription_gets_nothing_and_the_others_do(pair: list[LabNode]) -> None:
    """The reference would silence both (spec 06 section 4.1)."""
    one, two = pair
    first, second = list[bytes](), list[bytes]()
    subscription = two.pss.subscribe(TOPIC, lambda delivery: first.append(delivery.payload), raw=True)
    two.pss.subscribe(TOPIC, lambda delivery: second.append(delivery.payload), raw=True)
    one.pss.send_raw(two.address, TOPIC, b"1")
    await until(lambda: first and second)
    subscription.cancel()
    one.pss.send_raw(two.address, TOPIC, b"2")
    await until(lambda: len(second) == 2)
    assert first == [b"1"]


async def test_handlers_that_fail_stop_nobody(pair: list[LabNode], caplog: pytest.LogCaptureFixture) -> None:
    """Whether they raise at once or later; the connection stays."""
    one, two = pair

    def fails(delivery: object) -> None:
        raise LookupError("first handler")

    async def fails_later(delivery: object) -> None:
        raise LookupError("second handler")

    two.pss.subscribe(TOPIC, fails, raw=True)
    two.pss.subscribe(TOPIC, fails_later, raw=True)
    two.listen(TOPIC, raw=True)
    with recording(two.node.events) as events:
        for number in range(2):
            one.pss.send_raw(two.address, TOPIC, b"hello %d" % number)
        await until(lambda: len(two.inbox) == 2)
        await until(lambda: caplog.text.count("LookupError: second handler") == 2)
        assert not events.of(Kind.DROP)
    assert f"a handler of topic {TOPIC.hex()} failed" in caplog.text


# -- events


async def test_what_events_say(three: list[LabNode]) -> None:
    alice, relay, bob = three
    bob.listen(TOPIC)
    digest = send(alice, bob, b"12345", kind=MessageKind.ASYMMETRIC).hex()
    delivered = await bob.events.wait(Kind.PSS_DELIVERED)
    sent, by_alice = pss_events(alice)
    received, by_relay = pss_events(relay)
    assert {event.digest for event in (sent, by_alice, received, by_relay, delivered)} == {digest}
    assert {event.protocol for event in (sent, by_alice, received, by_relay, delivered)} == {"pss"}
    assert (sent.control, sent.size, sent.data) == (True, 5, {"mode": "asymmetric", "to": bob.address.hex()})
    assert received.data == {
        "to": bob.address.hex(),
        "mode": "asymmetric",
        "keys_tried": 0,
        "opened": False,
        "passed_on": "addressed elsewhere",
    }
    assert by_relay.peer == bob.enode.id.hex()
    assert by_relay.data.keys() == {"mode", "own_po", "threshold", "depth", "refused", "po"}
    assert (by_relay.data["mode"], by_relay.data["po"], by_relay.data["refused"]) == ("exact", 256, 0)
    assert (by_alice.data["mode"], by_alice.data["threshold"], by_alice.data["depth"]) == ("all", 0, 0)
    assert by_alice.data["own_po"] == shared_bits(alice.address, bob.address)
    assert by_alice.data["po"] == shared_bits(relay.address, bob.address)
    assert (delivered.size, delivered.data) == (5, {"mode": "asymmetric", "handlers": 1})
    everything = repr([event for node in three for event in node.events.events])
    assert "12345" not in everything.replace(digest, "")


def shared_bits(a: bytes, b: bytes) -> int:
    return 256 - (int.from_bytes(a, "big") ^ int.from_bytes(b, "big")).bit_length()
