"""Exchanging keys between nodes, as RPC callers see it (spec 07 part A)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from node.errors import RPCError
from node.ids import Topic
from node.pss.keystore import format_pubkey_id
from node.pss.topic import format_topic, topic_from_text
from node.rlp.codec import encode
from node.rpc.client import RPCClient
from tests.support.messages import SHARED_KEY
from tests.support.nodes import LabNode
from tests.support.waiting import DEADLINE_S, until

TOPIC: Topic = topic_from_text("secrets")
TEXT = format_topic(TOPIC)


class Caller:
    """A node and a client on it."""

    def __init__(self, node: LabNode, rpc: RPCClient) -> None:
        self.node, self.rpc = node, rpc
        self.id = format_pubkey_id(node.key.public)

    async def pss(self, method: str, *params: object) -> Any:
        return await self.rpc.call(f"pss_{method}", *params)

    async def refusal(self, method: str, *params: object) -> str:
        with pytest.raises(RPCError) as caught:
            await self.pss(method, *params)
        assert caught.value.code == -32000
        return caught.value.message

    async def knows(self, other: Caller, address: bytes | None = None) -> None:
        where = other.node.address if address is None else address
        await self.pss("setPeerPublicKey", other.id, TEXT, "0x" + where.hex())

    async def keys(self, other: Caller, *, incoming: bool = False, outgoing: bool = False) -> list[str]:
        return await self.pss("getHandshakeKeys", other.id, TEXT, incoming, outgoing) or []

    async def secrets(self, key_ids: list[str]) -> list[str]:
        return [await self.pss("getSymmetricKey", key_id) for key_id in key_ids]


@pytest.fixture
async def callers(three: list[LabNode]) -> AsyncIterator[tuple[Caller, Caller]]:
    """The two ends of the line; they know each other, and handshakes are active."""
    async with await three[0].node.attach() as one, await three[2].node.attach() as two:
        alice, bob = Caller(three[0], one), Caller(three[2], two)
        await alice.knows(bob)
        await bob.knows(alice)
        for caller in (alice, bob):
            assert await caller.pss("addHandshake", TEXT) is None
        yield alice, bob


async def test_exchange_and_send(callers: tuple[Caller, Caller]) -> None:
    alice, bob = callers
    events: Any = await bob.rpc.subscribe("pss", "receive", TEXT, False, False)
    async with asyncio.timeout(DEADLINE_S):
        got = await alice.pss("handshake", bob.id, TEXT, True, True)
        assert len(got) == 4
        assert await alice.keys(bob, outgoing=True) == got
        made = await alice.keys(bob, incoming=True)
        assert await alice.keys(bob, incoming=True, outgoing=True) == made + got
        assert await alice.secrets(got) == await bob.secrets(await bob.keys(alice, incoming=True))
        assert await alice.secrets(made) == await bob.secrets(await bob.keys(alice, outgoing=True))

        # The key message itself is delivered as well.
        event = await anext(events)
        assert (event["Asymmetric"], event["Key"]) == (True, alice.id)
        assert event["Msg"].startswith("0xf8b0a0" + alice.node.address.hex())

        assert await alice.pss("getHandshakeKeyCapacity", got[0]) == 256
        assert await alice.pss("getHandshakePublicKey", got[0]) == bob.id
        assert await alice.pss("sendSym", got[0], TEXT, "0x626172") is None
        event = await anext(events)
        assert (event["Msg"], event["Asymmetric"]) == ("0x626172", False)
        assert await bob.pss("getHandshakePublicKey", event["Key"]) == alice.id
        assert await bob.pss("getAddress", TEXT, False, event["Key"]) == "0x" + alice.node.address.hex()
        assert await alice.pss("getHandshakeKeyCapacity", got[0]) == 255
        assert await bob.pss("getHandshakeKeyCapacity", event["Key"]) == 255

    full = "Incoming symmetric key store is already full"
    assert await alice.refusal("handshake", bob.id, TEXT, True, False) == full
    assert await alice.refusal("handshake", bob.id, TEXT, False, False) == full


async def test_flushing_while_there_are_keys_is_answered(callers: tuple[Caller, Caller]) -> None:
    alice, bob = callers
    first = await alice.pss("handshake", bob.id, TEXT, True, True)
    second = await alice.pss("handshake", bob.id, TEXT, True, True)  # the reference waits 8 seconds, and hangs
    assert len(set(first + second)) == 8
    assert await alice.keys(bob, outgoing=True) == first + second


async def test_without_waiting_the_keys_come_later(callers: tuple[Caller, Caller]) -> None:
    alice, bob = callers
    assert await alice.pss("handshake", bob.id, TEXT, False, False) is None
    keys = alice.node.pss.handshakes.controller.keys
    await until(lambda: len(keys.valid(bob.id, TOPIC, incoming=False, now=0.0)) == 4)


async def test_several_callers_wait_for_the_same_answer(callers: tuple[Caller, Caller]) -> None:
    alice, bob = callers
    answers = await asyncio.gather(*(alice.pss("handshake", bob.id, TEXT, True, True) for _ in range(3)))
    assert all(len(answer) == 4 for answer in answers)
    assert alice.node.pss.handshakes._waiting == {}


async def test_both_sides_at_once(callers: tuple[Caller, Caller]) -> None:
    alice, bob = callers
    one, two = await asyncio.gather(
        alice.pss("handshake", bob.id, TEXT, True, True), bob.pss("handshake", alice.id, TEXT, True, True)
    )
    assert one
    assert two


async def test_no_answer_is_a_timeout_and_leaves_nothing_behind(callers: tuple[Caller, Caller]) -> None:
    alice, bob = callers
    await bob.pss("removeHandshake", TEXT)
    alice.node.pss.handshakes.timeout_s = 0.05
    assert await alice.refusal("handshake", bob.id, TEXT, True, True) == "timeout"
    assert alice.node.pss.handshakes._waiting == {}
    await bob.pss("addHandshake", TEXT)
    alice.node.pss.handshakes.timeout_s = DEADLINE_S
    assert len(await alice.pss("handshake", bob.id, TEXT, True, True)) == 4, "here the reference hangs for good"


async def test_a_node_that_does_not_know_the_asker_keeps_quiet(callers: tuple[Caller, Caller]) -> None:
    alice, bob = callers
    bob.node.pss.keys.forget_peer(alice.id, TOPIC)
    alice.node.pss.handshakes.timeout_s = 0.05
    assert await alice.refusal("handshake", bob.id, TEXT, True, True) == "timeout"
    assert len(await bob.keys(alice, outgoing=True)) == 4


async def test_what_is_refused(callers: tuple[Caller, Caller]) -> None:
    alice, bob = callers
    assert await alice.refusal("handshake", "0x00", TEXT, False, True) == "Invalid public key"
    other = format_topic(topic_from_text("other"))
    text = f"Send symkey failed: invalid topic '{other}' for pubkey '{bob.id}'"
    assert await alice.refusal("handshake", bob.id, other, True, True) == text
    assert await alice.pss("getHandshakeKeys", bob.id, other, True, True) is None
    for method in ("getHandshakeKeyCapacity", "getHandshakePublicKey"):
        assert await alice.refusal(method, "nokey") == "invalid symkey id nokey"
    assert await alice.pss("releaseHandshakeKey", bob.id, TEXT, "nokey", True) is False
    assert await alice.pss("removeHandshake", other) is None


async def test_a_key_that_is_used_up_still_sends(callers: tuple[Caller, Caller]) -> None:
    alice, bob = callers
    bob.node.listen(TOPIC)
    (key_id, *_) = await alice.pss("handshake", bob.id, TEXT, True, True)
    bob.node.inbox.clear()
    for number in range(256):
        await alice.pss("sendSym", key_id, TEXT, f"0x{number:04x}")
    assert await alice.pss("getHandshakeKeyCapacity", key_id) == 0
    assert len(await alice.keys(bob, outgoing=True)) == 3
    assert await alice.refusal("sendSym", key_id, TEXT, "0xffff") == f"symetric key expired (id: {key_id})"
    await until(lambda: len(bob.node.inbox) == 257)
    assert bob.node.inbox[-1].payload == b"\xff\xff"
    assert await bob.pss("getHandshakeKeyCapacity", bob.node.inbox[-1].key_id) == 0
    # Topping up replaces the one key; the peer answers with a whole set.
    assert len(await alice.pss("handshake", bob.id, TEXT, True, False)) == 4
    assert len(await alice.keys(bob, outgoing=True)) == 7


async def test_send_sym_without_a_handshake_counts_nothing(callers: tuple[Caller, Caller]) -> None:
    alice, _ = callers
    key_id = alice.node.pss.keys.set_symmetric_key(SHARED_KEY, TOPIC, b"", add_to_cache=False)
    assert await alice.pss("sendSym", key_id, TEXT, "0x") is None
    assert await alice.refusal("getHandshakeKeyCapacity", key_id) == f"invalid symkey id {key_id}"


async def test_releasing(callers: tuple[Caller, Caller]) -> None:
    alice, bob = callers
    got = await alice.pss("handshake", bob.id, TEXT, True, True)
    assert await alice.pss("releaseHandshakeKey", bob.id, TEXT, got[0], False) is True
    assert await alice.keys(bob, outgoing=True) == got[1:]
    assert await alice.pss("getHandshakeKeyCapacity", got[0]) == 256
    assert await alice.pss("releaseHandshakeKey", bob.id, TEXT, got[1], True) is True
    assert await alice.keys(bob, outgoing=True) == got[2:]
    assert await alice.refusal("getHandshakeKeyCapacity", got[0]) == f"invalid symkey id {got[0]}"
    assert len(await alice.keys(bob, incoming=True)) == 4


async def test_activating_twice_is_once(callers: tuple[Caller, Caller]) -> None:
    alice, bob = callers
    await bob.pss("addHandshake", TEXT)
    assert len(bob.node.pss.handlers.listening(TOPIC, raw=False)) == 1
    await alice.pss("handshake", bob.id, TEXT, True, True)
    assert len(await alice.keys(bob, outgoing=True)) == 4  # the reference answers twice: 8
    events: Any = await bob.rpc.subscribe("pss", "receive", TEXT, False, False)
    await bob.pss("removeHandshake", TEXT)
    assert len(bob.node.pss.handlers.listening(TOPIC, raw=False)) == 1, "only its own handler goes"
    await events.unsubscribe()


async def test_an_address_too_long_to_write_to_is_not_taken(callers: tuple[Caller, Caller]) -> None:
    alice, bob = callers
    bob.node.listen(TOPIC)
    long = encode([bytes(33), b"\x01", [b"k" * 32], b"", TOPIC])
    alice.node.pss.send_asymmetric(bob.id, TOPIC, long)
    alice.node.pss.send_asymmetric(bob.id, TOPIC, b"hello")
    await until(lambda: len(bob.node.inbox) == 2)
    assert await bob.keys(alice, outgoing=True) == []


async def test_dark_contacts_learn_the_full_address(callers: tuple[Caller, Caller]) -> None:
    alice, bob = callers
    await alice.knows(bob, b"")
    await bob.knows(alice, b"")
    (key_id, *_) = await alice.pss("handshake", bob.id, TEXT, True, True)
    assert await alice.pss("getAddress", TEXT, False, key_id) == "0x" + bob.node.address.hex()
