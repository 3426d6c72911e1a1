"""Protocols mounted on RPC connections, one by WebSocket and one by IPC (spec 07 part C): what E7 intends."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from node.errors import LocalProtocolError, PeerDisconnected, RPCError
from node.p2p.protocol import Pipe, Protocol, RemotePeer
from node.pss.client import HandshakeFailed, PssClient
from node.pss.keystore import format_pubkey_id
from node.pss.ping import Ping
from node.pss.pipe import VirtualPeer
from node.rpc.client import RPCClient
from node.rpc.ipc import IPCServer
from node.rpc.subscriber import RPCClientClosed
from node.rpc.ws import WSServer
from tests.support.nodes import LabNode, line
from tests.support.waiting import DEADLINE_S, until

TOPIC = "0x7f64614e"


class RecordingClient(RPCClient):
    """Remembers what it calls."""

    calls: list[tuple[str, tuple[object, ...]]]

    async def call(self, method: str, *params: object, timeout: float | None = None) -> Any:
        self.__dict__.setdefault("calls", []).append((method, params))
        return await super().call(method, *params, timeout=timeout)

    async def subscribe(self, namespace: str, name: str, *params: object, timeout: float | None = None) -> Any:
        self.__dict__.setdefault("calls", []).append((f"{namespace}_subscribe", (name, *params)))
        return await super().subscribe(namespace, name, *params, timeout=timeout)

    def methods(self) -> list[str]:
        return [method.removeprefix("pss_") for method, _ in self.calls]


@dataclass
class Mounted:
    """A node and a client of it in what could be another process."""

    node: LabNode
    rpc: RecordingClient
    client: PssClient
    heard: asyncio.Queue[bool] = field(default_factory=asyncio.Queue)

    @property
    def id(self) -> str:
        return format_pubkey_id(self.node.key.public)

    async def ping(self, *, responder: bool) -> Ping:
        ping = Ping(responder=responder, incoming=self.heard)
        await self.client.run_protocol(ping.protocol)
        return ping

    def knows(self, other: Mounted, topic: str = TOPIC) -> None:
        self.node.pss.keys.set_peer_public_key(
            other.node.key.public,
            bytes.fromhex(topic[2:]),  # type: ignore[arg-type]
            other.node.address,
        )

    async def next(self) -> bool:
        async with asyncio.timeout(DEADLINE_S):
            return await self.heard.get()


@contextlib.asynccontextmanager
async def mount(node: LabNode, endpoint: str) -> AsyncIterator[Mounted]:
    async with (
        await RecordingClient.connect(endpoint) as rpc,
        await PssClient.connect(rpc, pause_s=0.0) as client,
    ):
        yield Mounted(node, rpc, client)


@pytest.fixture
async def endpoints(tmp_path: Path) -> AsyncIterator[tuple[list[LabNode], str, str]]:
    """Three nodes in a line, and where to reach the first and the last."""
    async with (
        line(1, 2, 3) as nodes,
        WSServer(nodes[0].node.registry, host="127.0.0.1", port=0, modules=["pss"]) as ws,
        IPCServer(nodes[2].node.registry, tmp_path / "node.ipc") as ipc,
    ):
        yield nodes, f"ws://127.0.0.1:{ws.port}", str(ipc.path)


@pytest.fixture
async def ends(endpoints: tuple[list[LabNode], str, str]) -> AsyncIterator[tuple[Mounted, Mounted]]:
    nodes, ws, ipc = endpoints
    async with mount(nodes[0], ws) as left, mount(nodes[2], ipc) as right:
        right.knows(left)
        yield left, right


def own(peer: VirtualPeer | None) -> VirtualPeer:
    assert peer is not None
    return peer


async def test_e7(ends: tuple[Mounted, Mounted]) -> None:
    left, right = ends
    assert left.client.base_address == left.node.address
    asker, answerer = await left.ping(responder=False), await right.ping(responder=True)
    peer = await left.client.add_peer(right.id, right.node.address, asker.protocol)
    asker.outgoing.put_nowait(False)
    assert await right.next() is False
    assert await left.next() is True

    other = own(right.client.peer(left.id, answerer.protocol))
    assert (peer.id, peer.name) == (bytes(32), f"[{' '.join(map(str, right.node.address))}]")
    assert (other.id, other.name) == (bytes(32), f"[{' '.join(map(str, left.node.address))}]")

    # The calls, as recorded with two reference nodes. Looking for keys first is ours (section C3).
    assert left.rpc.methods() == [
        "baseAddr",
        "subscribe",
        "addHandshake",
        "setPeerPublicKey",
        "getHandshakeKeys",
        "handshake",
        "getHandshakeKeys",
        "getHandshakeKeyCapacity",
        "sendSym",
        "getHandshakePublicKey",
    ]
    assert right.rpc.methods() == [
        "baseAddr",
        "subscribe",
        "addHandshake",
        "getHandshakePublicKey",
        "getAddress",
        "setPeerPublicKey",
        "getHandshakeKeys",
        "getHandshakeKeyCapacity",
        "sendSym",
    ]
    calls = dict(left.rpc.calls)
    assert calls["pss_subscribe"] == ("receive", TOPIC, False, False)
    assert calls["pss_setPeerPublicKey"] == (right.id, TOPIC, "0x" + right.node.address.hex())
    assert calls["pss_handshake"] == (right.id, TOPIC, True, True)
    assert calls["pss_sendSym"][1:] == (TOPIC, "0xc7800383c2c080c0")
    assert dict(right.rpc.calls)["pss_sendSym"][1:] == (TOPIC, "0xc7800383c2c001c0")


async def test_long_sessions_refresh_their_keys(ends: tuple[Mounted, Mounted]) -> None:
    left, right = ends
    asker, _ = await left.ping(responder=False), await right.ping(responder=True)
    await left.client.add_peer(right.id, right.node.address, asker.protocol)
    for _ in range(600):  # the reference dies at the 513th
        asker.outgoing.put_nowait(False)
        assert await right.next() is False
        assert await left.next() is True
    handshakes = [params for method, params in left.rpc.calls if method == "pss_handshake"]
    assert handshakes[1:] == [(right.id, TOPIC, False, False)] * 2


async def test_a_second_client_goes_on_with_the_keys_there_are(endpoints: tuple[list[LabNode], str, str]) -> None:
    nodes, ws, ipc = endpoints
    for _ in range(2):
        async with mount(nodes[0], ws) as left, mount(nodes[2], ipc) as right:
            right.knows(left)
            asker, _ = await left.ping(responder=False), await right.ping(responder=True)
            await left.client.add_peer(right.id, right.node.address, asker.protocol)
            asker.outgoing.put_nowait(False)
            assert await left.next() is True
    assert "handshake" not in left.rpc.methods()


async def test_fresh_keys_on_demand(ends: tuple[Mounted, Mounted]) -> None:
    left, right = ends
    asker, _ = await left.ping(responder=False), await right.ping(responder=True)
    await left.client.add_peer(right.id, right.node.address, asker.protocol)
    assert left.client.remove_peer(right.id, asker.protocol)
    assert not left.client.remove_peer(right.id, asker.protocol)
    await left.client.add_peer(right.id, right.node.address, asker.protocol, fresh_keys=True)
    assert left.rpc.methods().count("handshake") == 2


async def test_adding_a_peer_twice_is_once(ends: tuple[Mounted, Mounted]) -> None:
    left, right = ends
    asker, _ = await left.ping(responder=False), await right.ping(responder=True)
    first, second = await asyncio.gather(
        *(left.client.add_peer(right.id, right.node.address, asker.protocol) for _ in range(2))
    )
    assert first is second
    assert await left.client.add_peer(right.id, right.node.address, asker.protocol) is first


async def test_without_keys_a_write_asks_for_some(ends: tuple[Mounted, Mounted]) -> None:
    left, right = ends
    asker, _ = await left.ping(responder=False), await right.ping(responder=True)
    peer = await left.client.add_peer(right.id, right.node.address, asker.protocol)
    for key_id in await left.rpc.call("pss_getHandshakeKeys", right.id, TOPIC, False, True):
        await left.rpc.call("pss_releaseHandshakeKey", right.id, TOPIC, key_id, True)
    await peer.pipe.send(0, bytes.fromhex("c2c080"))
    assert await left.next() is True

    # Nobody answers: an error, where the reference crashes.
    for key_id in await left.rpc.call("pss_getHandshakeKeys", right.id, TOPIC, False, True):
        await left.rpc.call("pss_releaseHandshakeKey", right.id, TOPIC, key_id, True)
    right.node.pss.handshakes.deactivate(bytes.fromhex(TOPIC[2:]))  # type: ignore[arg-type]
    left.node.pss.handshakes.timeout_s = 0.05
    with pytest.raises(Exception, match="no key, handshake needed: timeout"):
        await peer.pipe.send(0, bytes.fromhex("c2c080"))


async def test_a_peer_that_gives_no_keys(ends: tuple[Mounted, Mounted]) -> None:
    left, right = ends
    asker = await left.ping(responder=False)
    left.node.pss.handshakes.timeout_s = 0.02
    with pytest.raises(HandshakeFailed, match="handshake failed after 4 attempts"):
        await left.client.add_peer(right.id, right.node.address, asker.protocol)
    assert left.rpc.methods().count("handshake") == 4
    assert left.client.peer(right.id, asker.protocol) is None


async def test_what_is_refused(ends: tuple[Mounted, Mounted]) -> None:
    left, right = ends
    with pytest.raises(LocalProtocolError, match="addpeer on unset topic"):
        await left.client.add_peer(right.id, b"", Ping(responder=False).protocol)
    asker = await left.ping(responder=False)
    with pytest.raises(LocalProtocolError, match="runs already"):
        await left.client.run_protocol(asker.protocol)
    with pytest.raises(RPCError, match="Cannot unmarshal pubkey"):
        await left.client.add_peer("0x04", b"", asker.protocol)


async def test_key_messages_and_other_peoples_messages_are_skipped(ends: tuple[Mounted, Mounted]) -> None:
    left, right = ends
    asker, answerer = await left.ping(responder=False), await right.ping(responder=True)
    topic: Any = bytes.fromhex(TOPIC[2:])
    wire = bytes.fromhex("c7800383c2c080c0")
    key = left.node.pss.keys.set_peer_public_key(right.node.key.public, topic, right.node.address)
    left.node.pss.send_asymmetric(key, topic, wire)
    right.node.pss.keys.set_symmetric_key(b"s" * 32, topic, b"", add_to_cache=True)
    shared = left.node.pss.keys.set_symmetric_key(b"s" * 32, topic, right.node.address, add_to_cache=False)
    left.node.pss.send_symmetric(shared, topic, wire)
    await left.client.add_peer(right.id, right.node.address, asker.protocol)
    asker.outgoing.put_nowait(True)
    assert await right.next() is True, "the first that is heard"
    assert right.rpc.methods().count("getHandshakePublicKey") == 2
    assert own(right.client.peer(left.id, answerer.protocol))


async def test_a_message_that_does_not_decode_ends_the_run(ends: tuple[Mounted, Mounted]) -> None:
    left, right = ends
    asker, answerer = await left.ping(responder=False), await right.ping(responder=True)
    await left.client.add_peer(right.id, right.node.address, asker.protocol)
    asker.outgoing.put_nowait(False)
    assert await left.next() is True
    (key_id, *_) = await left.rpc.call("pss_getHandshakeKeys", right.id, TOPIC, False, True)
    await left.rpc.call("pss_sendSym", key_id, TOPIC, "0x00")
    await until(lambda: own(right.client.peer(left.id, answerer.protocol)).pipe.closed)


async def test_closing_the_client_ends_runs_and_subscriptions(ends: tuple[Mounted, Mounted]) -> None:
    left, right = ends
    ended: list[str] = []

    async def run(peer: RemotePeer, pipe: Pipe) -> None:
        try:
            await pipe.read()
        except PeerDisconnected as error:
            ended.append(str(error))
            raise

    protocol = Protocol(name="psstest", version=1, length=1, run=run)
    await left.client.run_protocol(protocol)
    await right.ping(responder=True)
    peer = await left.client.add_peer(right.id, right.node.address, protocol)
    await left.client.close()
    assert ended == ["connection closed"]
    assert left.rpc.methods()[-1] == "unsubscribe"
    with pytest.raises(PeerDisconnected, match="connection closed"):
        await peer.pipe.send(0, b"\xc0")
    assert len(left.node.pss.handlers.listening(bytes.fromhex(TOPIC[2:]), raw=False)) == 1  # type: ignore[arg-type]


async def test_losing_the_node_ends_the_runs(endpoints: tuple[list[LabNode], str, str]) -> None:
    nodes, ws, ipc = endpoints
    async with mount(nodes[2], ipc) as right, mount(nodes[0], ws) as left:
        right.knows(left)
        asker, _ = await left.ping(responder=False), await right.ping(responder=True)
        peer = await left.client.add_peer(right.id, right.node.address, asker.protocol)
        await left.rpc.close()
        await until(lambda: peer.pipe.closed)


async def test_a_client_of_its_own_connection(endpoints: tuple[list[LabNode], str, str]) -> None:
    nodes, ws, ipc = endpoints
    for endpoint, node in ((ws, nodes[0]), (ipc, nodes[2])):
        async with await PssClient.connect(endpoint) as client:
            assert client.base_address == node.address
        with pytest.raises(RPCClientClosed):
            await client.run_protocol(Ping(responder=False).protocol)
