"""Mounting a protocol on pss: which peers come, and how many (spec 07 section B3)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from node.errors import LocalProtocolError, UnknownKey
from node.p2p.protocol import Pipe, Protocol, RemotePeer
from node.pss import protocol as module
from node.pss.protocol import PssProtocol
from node.pss.topic import topic_from_text
from tests.support.keys import make_key
from tests.unit.pss.fakes import FakePss
from tests.unit.pss.keys import NODE_1, NODE_2

WIRE = bytes.fromhex("c6800282c12ac0")
RUNS: list[str] = []


async def run(peer: RemotePeer, pipe: Pipe) -> None:
    RUNS.append(peer.name)
    await pipe.send(0, (await pipe.read()).payload)


PROTOCOL = Protocol(name="fooping", version=42, length=1, run=run)


@pytest.fixture
def pss() -> FakePss:
    return FakePss(NODE_1)


@pytest.fixture
async def mounted(pss: FakePss) -> AsyncIterator[PssProtocol]:
    RUNS.clear()
    async with PssProtocol(pss, PROTOCOL, asymmetric=True, symmetric=True) as mounted:  # type: ignore[arg-type]
        yield mounted


async def finished(mounted: PssProtocol) -> None:
    await mounted._tasks.wait(timeout_s=5.0)


async def test_answers_go_where_messages_come_from(pss: FakePss, mounted: PssProtocol) -> None:
    key = pss.keys.set_peer_public_key(NODE_2.public, mounted.topic, b"")
    shared = pss.keys.set_symmetric_key(b"k" * 32, mounted.topic, b"", add_to_cache=True)
    pss.receive(mounted.topic, WIRE, sender=NODE_2, sender_address=b"\xab")
    pss.receive(mounted.topic, WIRE, sender=NODE_2, asymmetric=False, key_id=shared)
    await finished(mounted)
    assert pss.sent == [(key, WIRE), (shared, WIRE)]
    assert RUNS == ["ab", ""]


async def test_another_topic(pss: FakePss) -> None:
    topic = topic_from_text("other")
    async with PssProtocol(pss, PROTOCOL, symmetric=True, topic=topic) as mounted:  # type: ignore[arg-type]
        mounted.start()
        assert [handle.topic for handle in pss.handlers] == [topic]
    assert pss.handlers == []


async def test_raw_messages_are_refused(pss: FakePss, mounted: PssProtocol, caplog: pytest.LogCaptureFixture) -> None:
    pss.receive(mounted.topic, WIRE, sender=None, raw=True, asymmetric=False, key_id="")
    assert "invalid protocol encryption" in caplog.text


async def test_peers_that_come_by_themselves_are_limited(
    pss: FakePss, mounted: PssProtocol, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(module, "MAX_PEERS", 2)
    keys = [make_key(number) for number in range(1, 4)]
    ids = [pss.keys.set_peer_public_key(key.public, mounted.topic, b"") for key in keys]
    for key in keys:
        pss.receive(mounted.topic, WIRE, sender=key)
    assert "fooping runs with 2 peers already" in caplog.text
    assert mounted.peer(ids[2], asymmetric=True) is None
    await finished(mounted)
    pss.receive(mounted.topic, WIRE, sender=keys[2])  # runs that are over make room
    assert mounted.peer(ids[2], asymmetric=True) is not None
    assert mounted.peer(ids[0], asymmetric=True) is None


async def test_adding_again_starts_anew(pss: FakePss, mounted: PssProtocol) -> None:
    key = pss.keys.set_peer_public_key(NODE_2.public, mounted.topic, b"")
    first = mounted.add_peer(key, asymmetric=True)
    second = mounted.add_peer(key, asymmetric=True)
    assert first.pipe.closed
    assert not second.pipe.closed
    assert mounted.peer(key, asymmetric=True) is second


async def test_a_run_that_does_not_end_is_cancelled(pss: FakePss, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "STOP_GRACE_S", 0.0)
    cancelled = asyncio.Event()

    async def stubborn(peer: RemotePeer, pipe: Pipe) -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.set()
            raise

    protocol = Protocol(name="stubborn", version=1, length=1, run=stubborn)
    async with PssProtocol(pss, protocol, asymmetric=True) as mounted:  # type: ignore[arg-type]
        key = pss.keys.set_peer_public_key(NODE_2.public, mounted.topic, b"")
        mounted.add_peer(key, asymmetric=True)
        await asyncio.sleep(0)
        mounted.remove_peer(key, asymmetric=True)
        async with asyncio.timeout(5):
            await cancelled.wait()


def test_neither_mode(pss: FakePss) -> None:
    with pytest.raises(LocalProtocolError, match="specify at least one"):
        PssProtocol(pss, PROTOCOL)  # type: ignore[arg-type]


async def test_unknown_keys(mounted: PssProtocol) -> None:
    for asymmetric, text in ((True, "asym key does not exist: k"), (False, "symkey does not exist: k")):
        with pytest.raises(UnknownKey, match=text):
            mounted.add_peer("k", asymmetric=asymmetric)
