"""pss between nodes: who gets a message, who passes it on, who can read it (spec 06 sections 4, 5 and 7)."""

from __future__ import annotations

import time

import pytest

from node.errors import DecryptionFailed
from node.events import Kind
from node.ids import Digest
from node.pss.crypto import unwrap_asymmetric
from node.pss.handlers import HandlerRegistry
from node.pss.keystore import KeyStore, format_pubkey_id
from node.pss.message import MessageKind, PssMessage
from node.pss.processor import Deliver, Forward, ForwardReason, PssProcessor
from node.pss.seen import SeenCache
from tests.support.messages import KINDS, TOPIC, kinds_of, pss_events, send
from tests.support.nodes import LabNode, connect, lab_node
from tests.support.waiting import until

# -- to the neighbour


@pytest.mark.parametrize("kind", KINDS)
async def test_a_message_to_a_neighbour(pair: list[LabNode], kind: MessageKind) -> None:
    one, two = pair
    two.listen(TOPIC, raw=True)
    digest = send(one, two, b"hello", kind=kind)
    await until(lambda: two.inbox)
    (delivery,) = two.inbox
    assert (delivery.payload, delivery.topic, delivery.digest) == (b"hello", TOPIC, digest)
    assert delivery.raw == (kind is MessageKind.RAW)
    assert delivery.asymmetric == (kind is MessageKind.ASYMMETRIC)
    if kind is MessageKind.RAW:
        assert (delivery.key_id, delivery.sender) == ("", None)
    else:
        assert delivery.sender == one.key.public
    if kind is MessageKind.ASYMMETRIC:
        assert delivery.key_id == format_pubkey_id(one.key.public)
    assert kinds_of(one, digest) == [Kind.PSS_SENT, Kind.PSS_FORWARDED]
    assert kinds_of(two, digest) == [Kind.PSS_RECEIVED, Kind.PSS_DELIVERED]


async def test_an_empty_payload_is_a_message(pair: list[LabNode]) -> None:
    one, two = pair
    two.listen(TOPIC)
    send(one, two, b"", kind=MessageKind.SYMMETRIC)
    await until(lambda: two.inbox)
    assert two.inbox[0].payload == b""


async def test_the_address_of_a_known_sender_comes_along(pair: list[LabNode]) -> None:
    one, two = pair
    two.listen(TOPIC)
    two.pss.keys.set_peer_public_key(one.key.public, TOPIC, one.address[:4])
    send(one, two, b"hello", kind=MessageKind.ASYMMETRIC)
    await until(lambda: two.inbox)
    assert two.inbox[0].sender_address == one.address[:4]


# -- through a relay


@pytest.mark.parametrize("kind", KINDS)
async def test_a_message_through_a_relay(three: list[LabNode], kind: MessageKind) -> None:
    alice, relay, bob = three
    bob.listen(TOPIC, raw=True)
    digest = send(alice, bob, b"hello", kind=kind)
    await until(lambda: bob.inbox)
    assert bob.inbox[0].payload == b"hello"
    assert kinds_of(relay, digest) == [Kind.PSS_RECEIVED, Kind.PSS_FORWARDED]
    received, forwarded = pss_events(relay, digest)
    assert (received.peer, forwarded.peer) == (alice.enode.id.hex(), bob.enode.id.hex())
    assert kinds_of(bob, digest) == [Kind.PSS_RECEIVED, Kind.PSS_DELIVERED]
    assert pss_events(bob, digest)[0].peer == relay.enode.id.hex()


@pytest.mark.parametrize("kind", [MessageKind.SYMMETRIC, MessageKind.ASYMMETRIC])
async def test_the_relay_holds_no_key_that_opens_the_message(
    three: list[LabNode], kind: MessageKind, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither its private key nor anything in its key store, and it shows the ciphertext only."""
    alice, relay, bob = three
    bob.listen(TOPIC)
    passed: list[PssMessage] = []
    forward = relay.pss._forward
    monkeypatch.setattr(relay.pss, "_forward", lambda message: passed.append(message) or forward(message))
    send(alice, bob, b"a secret of two", kind=kind)
    await until(lambda: bob.inbox)
    (message,) = passed
    assert b"a secret of two" not in message.encode()
    with pytest.raises(DecryptionFailed):
        unwrap_asymmetric(message.payload, relay.key)
    with pytest.raises(DecryptionFailed):
        relay.pss.keys.open_symmetric(message.payload, TOPIC)
    # Even where it is made to believe that the message is for it, its whole pipeline cannot open it.
    decision = decide(relay, message, as_node=bob)
    assert isinstance(decision, Forward)
    assert decision.reason is ForwardReason.NOT_OPENED
    opened = decide(bob, message, as_node=bob)
    assert isinstance(opened, Deliver)
    assert opened.delivery.payload == b"a secret of two"


def decide(node: LabNode, message: PssMessage, *, as_node: LabNode) -> object:
    """What the keys of `node` make of a message, at the address of another."""
    handlers = HandlerRegistry()
    keys: KeyStore = node.pss.keys
    processor = PssProcessor(
        private_key=node.key, overlay=as_node.pss.overlay, keys=keys, handlers=handlers, seen=SeenCache()
    )
    return processor.receive(message, now=0.0, unix_now=time.time(), depth=0)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("known", [0, 1, 2, 32])
async def test_an_address_may_say_less_than_all(three: list[LabNode], kind: MessageKind, known: int) -> None:
    """Dark, or a first part of it: the message still gets there, through everybody it may be meant for."""
    alice, relay, bob = three
    bob.listen(TOPIC, raw=True)
    digest = send(alice, bob, b"hello", kind=kind, address=bob.address[:known])
    await until(lambda: bob.inbox)
    assert Kind.PSS_DELIVERED not in kinds_of(relay, digest)
    assert [event.data["to"] for event in pss_events(bob, digest) if event.kind is Kind.PSS_RECEIVED] == [
        bob.address[:known].hex()
    ]


async def test_events_tell_who_tried_to_open_a_message_and_who_could(three: list[LabNode]) -> None:
    alice, relay, bob = three
    bob.listen(TOPIC)
    relay.pss.keys.generate_symmetric_key(TOPIC, b"", add_to_cache=True)
    mode = {"mode": "symmetric"}
    digest = send(alice, bob, b"a secret of two", kind=MessageKind.SYMMETRIC)
    await until(lambda: len(bob.inbox) == 1)
    assert await received(relay, digest) == mode | {
        "keys_tried": 0,
        "opened": False,
        "passed_on": "addressed elsewhere",
    }
    assert await received(bob, digest) == mode | {"keys_tried": 1, "opened": True}
    # To everybody: whoever listens tries its keys.
    quiet = send(alice, bob, b"a secret of two", kind=MessageKind.SYMMETRIC, address=b"")
    await until(lambda: len(bob.inbox) == 2)
    passed_on = {"keys_tried": 0, "opened": False, "passed_on": "nobody here listens to it"}
    assert await received(relay, quiet) == mode | passed_on
    relay.listen(TOPIC)
    dark = send(alice, bob, b"a secret of two", kind=MessageKind.SYMMETRIC, address=b"")
    await until(lambda: len(bob.inbox) == 3)
    tried = {"keys_tried": 1, "opened": False, "passed_on": "no key of ours opens it"}
    assert await received(relay, dark) == mode | tried
    events = repr([pss_events(node, one) for node in three for one in (digest, quiet, dark)])
    assert "a secret of two" not in events
    assert b"a secret of two".hex() not in events


async def received(node: LabNode, digest: Digest) -> dict[str, object]:
    """What a node told of a message when it came in, without its address."""
    await until(lambda: Kind.PSS_RECEIVED in kinds_of(node, digest))
    data = next(event.data for event in pss_events(node, digest) if event.kind is Kind.PSS_RECEIVED)
    return {key: value for key, value in data.items() if key != "to"}


async def test_a_broadcast_is_read_by_everybody_and_comes_back_as_a_duplicate(three: list[LabNode]) -> None:
    alice, relay, bob = three
    for node in three:
        node.listen(TOPIC, raw=True)
    digest = alice.pss.send_raw(b"", TOPIC, b"to all")
    await until(lambda: relay.inbox and bob.inbox)
    # The previous hop is not left out (spec 06 section 5.1); the cache of the sender stops the echo.
    await alice.events.wait(Kind.PSS_DUPLICATE)
    assert alice.inbox == []
    assert len(relay.inbox) == len(bob.inbox) == 1
    assert alice.events.of(Kind.PSS_DUPLICATE)[0].digest == digest.hex()


async def test_a_wrong_prefix_is_not_delivered(three: list[LabNode]) -> None:
    alice, relay, bob = three
    for node in (relay, bob):
        node.listen(TOPIC, raw=True)
    wrong = bytes([bob.address[0] ^ 0xFF])
    digest = alice.pss.send_raw(wrong, TOPIC, b"hello")
    await bob.events.wait(Kind.PSS_RECEIVED)
    await bob.events.wait(Kind.PSS_FORWARDED)
    assert Kind.PSS_DELIVERED not in kinds_of(bob, digest) + kinds_of(relay, digest)
    assert (relay.inbox, bob.inbox) == ([], [])


async def test_to_oneself_there_is_no_loop(pair: list[LabNode]) -> None:
    one, two = pair
    one.listen(TOPIC, raw=True)
    digest = one.pss.send_raw(one.address, TOPIC, b"me")
    await one.events.wait(Kind.PSS_DUPLICATE)
    assert one.inbox == []
    assert Kind.PSS_RECEIVED in kinds_of(two, digest)


async def test_throughput_in_order_on_one_link(pair: list[LabNode]) -> None:
    one, two = pair
    two.listen(TOPIC, raw=True)
    for number in range(500):
        one.pss.send_raw(two.address, TOPIC, number.to_bytes(2, "big"))
    await until(lambda: len(two.inbox) == 500)
    assert [int.from_bytes(delivery.payload, "big") for delivery in two.inbox] == list(range(500))


async def test_a_new_path_takes_over_when_the_relay_is_gone(three: list[LabNode]) -> None:
    alice, relay, bob = three
    bob.listen(TOPIC, raw=True)
    await relay.node.stop()
    await until(lambda: not alice.overlay.kademlia.conn_count)
    alice.pss.send_raw(bob.address, TOPIC, b"waiting")
    await alice.events.wait(Kind.PSS_QUEUED)
    async with lab_node(4) as other:
        # This way round: handed to a relay that knows nobody else, the message would come back and be gone.
        await connect(other, bob)
        await connect(alice, other)
        await until(lambda: bob.inbox)
    assert bob.inbox[0].payload == b"waiting"
