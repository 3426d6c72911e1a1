"""Listening, sending and waiting for keys (spec 07 section A4)."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest

from node.errors import OutboxFull
from node.pss.handshake_keys import HandshakeError, KeyExhausted
from node.pss.handshake_message import KeyMessage, encode_key_message
from node.pss.handshake_shell import Handshakes
from node.pss.topic import topic_from_text
from tests.unit.pss.fakes import FakePss, joined
from tests.unit.pss.keys import NODE_1, NODE_2

FOO = topic_from_text("foo")


class End:
    def __init__(self, pss: FakePss, other: FakePss) -> None:
        self.pss = pss
        self.peer = pss.keys.set_peer_public_key(other.key.public, FOO, other.overlay)
        self.handshakes = Handshakes(pss, timeout_s=5.0)  # type: ignore[arg-type]
        self.handshakes.activate(FOO)

    async def exchange(self, *, sync: bool = True, flush: bool = True) -> list[str] | None:
        return await self.handshakes.exchange(self.peer, FOO, sync=sync, flush=flush)

    def valid(self, *, incoming: bool) -> list[str]:
        return self.handshakes.controller.keys.valid(self.peer, FOO, incoming=incoming, now=self.handshakes.now)


async def make_ends() -> tuple[End, End]:
    one, two = joined(NODE_1, NODE_2)
    return End(one, two), End(two, one)


async def test_an_answer_that_comes_while_sending_is_not_missed() -> None:
    one, two = await make_ends()
    assert await one.exchange() == one.valid(incoming=False)
    assert len(two.valid(incoming=False)) == len(two.valid(incoming=True)) == 4
    assert one.handshakes._waiting == {}


async def test_not_waiting_gives_nothing() -> None:
    one, _ = await make_ends()
    assert await one.exchange(sync=False) is None
    assert len(one.valid(incoming=False)) == 4


async def test_a_cancelled_wait_leaves_nothing_behind() -> None:
    one, _ = await make_ends()
    one.pss.other = None
    waiting = asyncio.ensure_future(one.exchange())
    await asyncio.sleep(0)
    assert one.handshakes._waiting
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert one.handshakes._waiting == {}


async def test_what_cannot_be_sent_makes_no_keys() -> None:
    one, _ = await make_ends()
    one.pss.error = OutboxFull("outbox is full")
    for sync in (True, False):
        with pytest.raises(HandshakeError, match="Send symkey failed: outbox is full"):
            await one.exchange(sync=sync)
    assert one.valid(incoming=True) == []
    assert one.handshakes._waiting == {}


async def test_an_answer_that_cannot_be_sent_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    one, two = await make_ends()
    two.pss.error = OutboxFull("outbox is full")
    await one.exchange(sync=False)
    assert "Send symkey failed" in caplog.text
    assert two.valid(incoming=True) == []


async def test_uses_are_counted_on_both_sides(caplog: pytest.LogCaptureFixture) -> None:
    one, two = await make_ends()
    (key_id, *_) = await one.exchange() or []
    made = two.valid(incoming=True)[0]
    for _ in range(256):
        one.handshakes.send_symmetric(key_id, FOO, b"hello")
    assert two.handshakes.controller.keys.key(made).count == 256
    with pytest.raises(KeyExhausted):
        one.handshakes.send_symmetric(key_id, FOO, b"hello")
    assert len([payload for to, payload in one.pss.sent if to == key_id]) == 257
    assert f"symetric key expired (id: {made})" in caplog.text


@pytest.mark.parametrize("payload", [b"", b"hello", b"\xc0", bytes.fromhex("c6800282c12ac0")])
async def test_messages_of_the_application_are_none_of_its_business(
    payload: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    _, two = await make_ends()
    two.pss.receive(FOO, payload, sender=NODE_1)
    two.pss.receive(FOO, payload, sender=NODE_1, asymmetric=False, key_id="ab" * 32)
    assert caplog.text == ""


async def test_unsigned_keys_are_ignored() -> None:
    _, two = await make_ends()
    message = KeyMessage(address=b"", limit=1, keys=(b"k" * 32,), request=4, topic=FOO)
    two.pss.receive(FOO, encode_key_message(message), sender=None)
    assert two.pss.sent == []
    assert two.handshakes.controller.keys.valid("0x0", FOO, incoming=False, now=0.0) == []


async def test_activation() -> None:
    one, _ = await make_ends()
    one.handshakes.activate(FOO)
    assert len(one.pss.handlers) == 1
    one.handshakes.deactivate(FOO)
    one.handshakes.deactivate(FOO)
    handlers: list[Any] = one.pss.handlers
    assert handlers == []
