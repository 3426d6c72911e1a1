"""Messages that wait for a peer, and sends that are refused (spec 06 section 6)."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from node.errors import LocalProtocolError, OutboxFull, RPCError, UnknownKey, UnknownTopic
from node.events import Kind
from node.pss.keystore import format_pubkey_id
from node.pss.outbox import Outbox
from node.pss.topic import topic_from_text
from tests.support.nodes import LabNode, connect, lab_node
from tests.support.waiting import until

TOPIC = topic_from_text("foo")


@pytest.fixture
async def node() -> AsyncIterator[LabNode]:
    async with lab_node(1) as running:
        yield running


@pytest.fixture
async def other() -> AsyncIterator[LabNode]:
    async with lab_node(2) as running:
        running.listen(TOPIC, raw=True)
        yield running


async def test_what_is_sent_before_anybody_is_connected_arrives_afterwards(node: LabNode, other: LabNode) -> None:
    key_id = node.pss.keys.set_peer_public_key(other.key.public, TOPIC, other.address)
    digests = [node.pss.send_raw(other.address, TOPIC, b"%d" % number) for number in range(300)]
    digests.append(node.pss.send_asymmetric(key_id, TOPIC, b"sealed"))
    assert len(node.events.of(Kind.PSS_QUEUED)) == 301
    assert node.events.of(Kind.PSS_QUEUED)[0].reason == "unable to forward to any peers"
    assert not node.events.of(Kind.PSS_FORWARDED)
    await connect(node, other)
    await until(lambda: len(other.inbox) == 301)
    assert [delivery.digest for delivery in other.inbox] == digests  # in order, each once
    assert len(node.pss._outbox) == 0
    assert node.pss._outbox_timer is None


async def test_a_full_outbox_refuses_and_keeps_what_it_has(node: LabNode, other: LabNode) -> None:
    node.pss._outbox = Outbox(max_messages=2)
    for number in range(2):
        node.pss.send_raw(other.address, TOPIC, b"%d" % number)
    with pytest.raises(OutboxFull, match="outbox is full: 2 messages wait for a peer"):
        node.pss.send_raw(other.address, TOPIC, b"one too many")
    async with await node.node.attach() as client:
        with pytest.raises(RPCError, match="outbox is full") as caught:
            await client.call("pss_sendRaw", "0x" + other.address.hex(), "0x" + TOPIC.hex(), "0x01")
        assert caught.value.code == -32000
    await connect(node, other)
    await until(lambda: len(other.inbox) == 2)
    assert [delivery.payload for delivery in other.inbox] == [b"0", b"1"]
    node.pss.send_raw(other.address, TOPIC, b"room again")
    await until(lambda: len(other.inbox) == 3)


async def test_a_relay_with_a_full_outbox_drops_and_says_so(other: LabNode) -> None:
    """The relay's only peer goes away between taking the message and passing it on."""
    async with lab_node(3) as relay:
        relay.pss._outbox = Outbox(max_messages=0)
        await connect(other, relay)
        relay.pss._positions.clear()
        digest = other.pss.send_raw(bytes([relay.address[0] ^ 0xFF]), TOPIC, b"hello")
        event = await relay.events.wait(Kind.PSS_DROPPED)
        assert (event.digest, "outbox is full" in event.reason) == (digest.hex(), True)
        assert relay.node.server.peer_count == 1


async def test_messages_are_given_up_in_the_end(node: LabNode, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("node.pss.outbox.GIVE_UP_S", 0.0)
    digest = node.pss.send_raw(b"", TOPIC, b"hello")
    event = await node.events.wait(Kind.PSS_DROPPED)
    assert (event.digest, event.reason) == (digest.hex(), "no peer took it for ten minutes")
    assert node.pss._outbox_timer is None


async def test_an_outbox_that_waits_does_not_spin(node: LabNode, monkeypatch: pytest.MonkeyPatch) -> None:
    tries = 0
    forward = node.pss._forward

    def count(message: object) -> bool:
        nonlocal tries
        tries += 1
        return forward(message)  # type: ignore[arg-type]

    monkeypatch.setattr(node.pss, "_forward", count)
    node.pss.send_raw(b"", TOPIC, b"hello")
    await until(lambda: tries >= 3)  # at once, after 0.1 s, after another 0.2 s
    assert len(node.pss._outbox) == 1
    assert node.pss._outbox_timer is not None
    assert tries == 3


async def test_stopping_with_messages_in_the_outbox(node: LabNode) -> None:
    pss = node.pss
    node.pss.send_raw(b"", TOPIC, b"hello")
    await node.node.stop()
    assert pss._outbox_timer is not None
    assert pss._outbox_timer.cancelled()


# -- refused before it begins


async def test_addresses_and_messages_that_are_too_long(node: LabNode) -> None:
    with pytest.raises(LocalProtocolError, match="address too long"):
        node.pss.send_raw(bytes(33), TOPIC, b"hello")
    with pytest.raises(LocalProtocolError, match="message too long: 1048525 > 1048524 bytes of plaintext"):
        node.pss.send_raw(bytes(32), TOPIC, bytes(1_048_525))
    assert len(node.pss._outbox) == 0
    assert not node.events.of(Kind.PSS_SENT)


async def test_keys_and_topics_that_are_not_there(node: LabNode) -> None:
    key_id = node.pss.keys.set_peer_public_key(node.key.public, TOPIC, b"")
    other = topic_from_text("bar")
    with pytest.raises(UnknownTopic, match=f"invalid topic '0x{other.hex()}' for pubkey '{key_id}'"):
        node.pss.send_asymmetric(key_id, other, b"hello")
    with pytest.raises(UnknownKey, match="Cannot unmarshal pubkey"):
        node.pss.send_asymmetric("0x04", TOPIC, b"hello")
    with pytest.raises(UnknownKey, match="non-existent key ID"):
        node.pss.send_symmetric("00" * 32, TOPIC, b"hello")
    assert format_pubkey_id(node.key.public) == key_id
    assert len(node.pss._outbox) == 0
