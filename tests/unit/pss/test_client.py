"""Mounting protocols on an RPC connection, with a node that is played (spec 07 section C1)."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest

from node.errors import PeerDisconnected, PssError, RPCError
from node.p2p.protocol import Pipe, Protocol, RemotePeer
from node.pss import client as module
from node.pss.client import HandshakeFailed, PssClient
from node.rpc.client import RPCClient
from node.rpc.registry import Registry, subscription
from node.rpc.subscriptions import Notifier
from tests.support.waiting import until

ADDRESS = b"\xab\xcd"


class PlayedNode:
    """The pss namespace of a node that does what the test says. Key ids are ``k-`` and the peer's id."""

    def __init__(self) -> None:
        self.notifiers: list[Notifier] = []
        self.topics: list[str] = []
        self.filed: list[tuple[str, str, str]] = []
        self.handshakes: list[str | None] = []
        self.asked = 0
        self.keys: list[str] | None = None
        self.refuse = ""

    def base_addr(self) -> str:
        return "0x" + ADDRESS.hex()

    @subscription("receive")
    def receive(self, notifier: Notifier, topic: str, raw: bool, prox: bool) -> None:
        self.notifiers.append(notifier)

    def add_handshake(self, topic: str) -> None:
        if self.refuse:
            raise PssError(self.refuse)
        self.topics.append(topic)

    def set_peer_public_key(self, pubkey_id: str, topic: str, address: str) -> None:
        self.filed.append((pubkey_id, topic, address))

    def get_handshake_keys(self, pubkey_id: str, topic: str, incoming: bool, outgoing: bool) -> list[str] | None:
        return self.keys

    def handshake(self, pubkey_id: str, topic: str, sync: bool, flush: bool) -> list[str]:
        """Fails with the texts that are prepared, one after the other, then gives a key."""
        self.asked += 1
        error = self.handshakes.pop(0) if self.handshakes else None
        if error:
            raise PssError(error)
        self.keys = ["a"]
        return self.keys

    def get_handshake_public_key(self, key_id: str) -> str:
        if not key_id.startswith("k-"):
            raise PssError(f"invalid symkey id {key_id}")
        return key_id[2:]

    def get_address(self, topic: str, asymmetric: bool, key_id: str) -> str:
        return "0xab"

    def tell(self, key_id: str, payload: str, *, asymmetric: bool = False) -> None:
        for notifier in self.notifiers:
            notifier.notify({"Msg": payload, "Asymmetric": asymmetric, "Key": key_id})


class Listener:
    """A protocol that keeps what it hears."""

    def __init__(self) -> None:
        self.heard: list[tuple[str, bytes]] = []

    @property
    def protocol(self) -> Protocol:
        return Protocol(name="test", version=1, length=1, run=self.run)

    async def run(self, peer: RemotePeer, pipe: Pipe) -> None:
        while True:
            self.heard.append((peer.name, (await pipe.read()).payload))


@contextlib.asynccontextmanager
async def mounted() -> AsyncIterator[tuple[PlayedNode, PssClient, Listener]]:
    node, registry, listener = PlayedNode(), Registry(), Listener()
    registry.register("pss", node)
    async with RPCClient.in_process(registry) as rpc, await PssClient.connect(rpc, pause_s=0.0) as client:
        await client.run_protocol(listener.protocol)
        yield node, client, listener


def wire(payload: int) -> str:
    return f"0xc58001{0x8100 + payload:x}c0" if payload >= 0x80 else f"0xc48001{payload:02x}c0"


async def test_messages_come_in_order() -> None:
    async with mounted() as (node, client, listener):
        assert client.base_address == ADDRESS
        for number in range(50):
            node.tell("k-peer", wire(number))
        await until(lambda: len(listener.heard) == 50)
    assert listener.heard == [("[171]", bytes([number])) for number in range(50)]
    assert node.filed == [("peer", node.topics[0], "0xab")]
    assert node.notifiers[0].closed


async def test_what_is_not_ours_is_skipped(caplog: pytest.LogCaptureFixture) -> None:
    async with mounted() as (node, _, listener):
        node.tell("k-peer", wire(1), asymmetric=True)
        node.tell("", wire(2))
        node.tell("foreign", wire(3))
        node.tell("k-", wire(4))
        for event in (None, {"Msg": 1}, "text"):
            node.notifiers[0].notify(event)
        node.tell("k-peer", wire(5))
        await until(lambda: listener.heard)
    assert listener.heard == [("[171]", b"\x05")]
    assert caplog.text.count("notification without") == 3


async def test_a_message_that_does_not_decode_ends_the_run() -> None:
    async with mounted() as (node, client, listener):
        node.tell("k-peer", wire(1))
        node.tell("k-peer", "0x00")
        node.tell("k-peer", wire(2))
        node.tell("k-other", wire(3))
        await until(lambda: len(listener.heard) == 2)
        peer = client.peer("peer", listener.protocol)
        assert peer is not None
        assert peer.pipe.closed
    assert [payload for _, payload in listener.heard] == [b"\x01", b"\x03"]


async def test_peers_that_come_by_themselves_are_limited(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(module, "MAX_PEERS", 2)
    async with mounted() as (node, client, listener):
        for name in ("a", "b", "c"):
            node.tell(f"k-{name}", wire(1))
        await until(lambda: "test runs with 2 peers already" in caplog.text)
        await until(lambda: len(listener.heard) == 2)
        peer = client.peer("a", listener.protocol)
        assert peer is not None
        peer.disconnect()
        node.tell("k-c", wire(1))
        await until(lambda: len(listener.heard) == 3)
        assert client.peer("a", listener.protocol) is None


async def test_handshakes_are_tried_four_times() -> None:
    async with mounted() as (node, client, listener):
        node.handshakes = ["timeout"] * 3
        await client.add_peer("peer", b"", listener.protocol)
        assert node.asked == 4
        node.keys, node.handshakes = None, ["timeout"] * 4
        with pytest.raises(HandshakeFailed, match="handshake failed after 4 attempts"):
            await client.add_peer("other", b"", listener.protocol)
        assert node.asked == 8


async def test_a_peer_that_spoke_first_is_there_already() -> None:
    async with mounted() as (node, client, listener):
        node.tell("k-peer", wire(1))
        await until(lambda: listener.heard)
        peer = await client.add_peer("peer", b"\xff", listener.protocol)
        assert peer.name == "[171]"
        assert node.asked == 0


async def test_a_topic_that_the_node_refuses() -> None:
    node, registry = PlayedNode(), Registry()
    registry.register("pss", node)
    node.refuse = "not here"
    async with RPCClient.in_process(registry) as rpc, await PssClient.connect(rpc) as client:
        with pytest.raises(RPCError, match="not here"):
            await client.run_protocol(Listener().protocol)
        assert node.notifiers[0].closed
        node.refuse = ""
        await client.run_protocol(Listener().protocol)


async def test_what_is_no_pss_node() -> None:
    async with RPCClient.in_process(Registry()) as rpc:
        with pytest.raises(RPCError, match="pss_baseAddr does not exist"):
            await PssClient.connect(rpc)


async def test_a_run_that_does_not_end_is_cancelled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "STOP_GRACE_S", 0.0)
    ended = asyncio.Event()

    async def stubborn(peer: RemotePeer, pipe: Pipe) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    protocol = Protocol(name="stubborn", version=1, length=1, run=stubborn)
    async with mounted() as (_, client, _):
        await client.run_protocol(protocol)
        peer = await client.add_peer("peer", b"", protocol)
        await asyncio.sleep(0)
        assert client.remove_peer("peer", protocol)
        with pytest.raises(PeerDisconnected):
            await peer.pipe.read()
        async with asyncio.timeout(5):
            await ended.wait()
