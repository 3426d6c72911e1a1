"""orchestrator.rpc_control: a node that has a WebSocket and nothing else, driven through the gateway of its lab."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import signal
import threading
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, TypeVar

import grpc
import pytest

from node.control.client import ControlError
from node.control.gateway import Gateway
from node.control.gen import control_pb2 as pb
from node.crypto.keccak import keccak256
from node.errors import RPCError
from node.events import EventFilter
from node.rpc import links
from node.rpc.registry import Registry
from node.rpc.ws import WSServer
from node.service.endpoints import EndpointConfig
from orchestrator import rpc_control
from orchestrator.delivery import deliver
from orchestrator.node_control import NodeControl
from orchestrator.rpc_control import RPCControl
from tests.support.control import TOKEN, free_port
from tests.support.gateway import listening
from tests.support.nodes import LabNode, connect, lab_node
from tests.support.processes import NodeProcess, pss_node
from tests.support.waiting import DEADLINE_S

T = TypeVar("T")
MODULES = ("admin", "hive", "pss", "web3")
TOPIC = bytes.fromhex("a1b2c3d4")


@contextlib.asynccontextmanager
async def gateway_to(port: int) -> AsyncIterator[str]:
    """A gateway that reaches `localhost` at this port only; its URL with the token."""
    own, stop = free_port(), asyncio.Event()
    serving = asyncio.create_task(Gateway(TOKEN, ports=[1], only=[("localhost", port)]).serve("127.0.0.1", own, stop))
    try:
        await listening(own)
        yield f"http://lab:{TOKEN}@127.0.0.1:{own}"
    finally:
        stop.set()
        async with asyncio.timeout(DEADLINE_S):
            await serving


@contextlib.asynccontextmanager
async def control_of(port: int, *, token: str = TOKEN) -> AsyncIterator[RPCControl]:
    async with gateway_to(port) as proxy:
        control = RPCControl(f"localhost:{port}", proxy=proxy.replace(TOKEN, token), name=f"n{port}")
        try:
            yield control
        finally:
            await asyncio.to_thread(control.close)
    assert not [thread for thread in threading.enumerate() if thread.name == f"JSON-RPC of n{port}"]


@contextlib.asynccontextmanager
async def websocket_node(number: int) -> AsyncIterator[tuple[LabNode, int]]:
    """One of our nodes with JSON-RPC over WebSocket, and the port of that."""
    port = free_port()
    async with lab_node(number, ws=EndpointConfig(port=port, modules=MODULES)) as node:
        yield node, port


async def script(call: Callable[..., T], *args: Any, **options: Any) -> T:
    """Run what a script would, beside the nodes of this process."""
    async with asyncio.timeout(4 * DEADLINE_S):
        return await asyncio.to_thread(call, *args, **options)


# -- what it tells of a real node


async def test_who_the_node_is_and_whom_it_has() -> None:
    async with websocket_node(1) as (node, port), lab_node(2) as other, control_of(port) as control:
        info = await script(control.wait_until_up, DEADLINE_S)
        assert (info.node_id, info.overlay) == (node.node.server.id, node.address)
        assert info.public_key == node.key.public.uncompressed
        assert info.enode == node.enode.url
        assert (info.rss_bytes, info.pid, info.uptime_s) == (0, 0, 0)
        assert await script(control.peers) == []
        await script(control.connect, other.enode.url, wait_s=DEADLINE_S)
        (peer,) = await script(control.peers)
        assert (peer.node_id, peer.static, peer.inbound) == (other.node.server.id, True, False)
        assert "pss/2" in peer.caps
        table = await script(control.kademlia)
        assert (table.self, table.depth) == (node.address, 0)
        assert [list(row.connected) for row in table.bins] == [[other.address]]
        assert other.address.hex()[:4] in table.text
        healthy = await script(control.check_health, [other.address], [])
        assert healthy.healthy
        ill = await script(control.check_health, [bytes(32)], [1])
        assert (ill.healthy, list(ill.missing_connect_nn)) == (False, [bytes(32)])
        await script(control.disconnect, other.node.server.id, wait_s=DEADLINE_S)
        assert await script(control.peers) == []
        await script(control.disconnect, other.node.server.id, wait_s=DEADLINE_S)


@pytest.mark.parametrize("mode", ["raw", "sym", "asym"])
async def test_messages_both_ways(mode: str) -> None:
    async with (
        websocket_node(1) as (node, port),
        websocket_node(2) as (other, other_port),
        control_of(port) as control,
        control_of(other_port) as receiver,
    ):
        await connect(node, other)

        def send() -> tuple[bytes, pb.PssMessage, str]:
            shown = key_id = ""
            if mode == "asym":
                key_id = control.set_peer_key(other.key.public.uncompressed, TOPIC, other.address)
                shown = f"0x{node.key.public.uncompressed.hex()}"
            elif mode == "sym":
                key_id = control.set_symmetric_key(b"k" * 32, TOPIC, other.address, receive=False)
                shown = receiver.set_symmetric_key(b"k" * 32, TOPIC, node.address, receive=True)
            number = {"raw": pb.MODE_RAW, "sym": pb.MODE_SYM, "asym": pb.MODE_ASYM}[mode]
            with receiver.subscribe(TOPIC, raw=mode == "raw") as messages:
                digest = control.send(number, TOPIC, b"hello", key_id=key_id, address=other.address)
                return digest, next(messages), shown

        digest, message, shown = await script(send)
        assert (message.payload, message.asymmetric, message.key_id) == (b"hello", mode == "asym", shown)
        assert digest == (keccak256(other.address + TOPIC + b"hello") if mode == "raw" else b"")


async def test_leaving_the_block_ends_the_messages_of_another_thread() -> None:
    async with websocket_node(1) as (_, port), control_of(port) as control:

        def read() -> list[pb.PssMessage]:
            with control.subscribe(TOPIC) as messages:
                found: list[pb.PssMessage] = []
                reader = threading.Thread(target=lambda: found.extend(messages))
                reader.start()
            reader.join(DEADLINE_S)
            assert not reader.is_alive()
            return found

        assert await script(read) == []


async def test_any_method_and_its_error() -> None:
    async with websocket_node(1) as (_, port), control_of(port) as control:
        assert await script(control.call, "web3_clientVersion") == "node-1"
        with pytest.raises(RPCError, match="hex string without 0x prefix"):
            await script(control.call, "pss_sendRaw", "zz", "0x00", "0x00")


async def test_no_events() -> None:
    async with websocket_node(1) as (_, port), control_of(port) as control:
        for ask in (
            control.history,
            control.remembered_since,
            lambda: control.recall(EventFilter()),
            lambda: control.events().__enter__(),
            lambda: control.follow(EventFilter()).__enter__(),
        ):
            with pytest.raises(ControlError, match="no events from reference nodes") as refused:
                ask()
            assert refused.value.code is grpc.StatusCode.UNIMPLEMENTED


def test_it_is_what_a_lab_asks_for() -> None:
    control: NodeControl = RPCControl("n01:8546", proxy="http://lab:x@127.0.0.1:1")
    control.close()
    with pytest.raises(ControlError, match="closed"):
        control.peers()


# -- what can go wrong


async def test_a_wrong_token() -> None:
    async with websocket_node(1) as (_, port), control_of(port, token="wrong") as control:
        with pytest.raises(ControlError, match="refuses the lab's token") as refused:
            await script(control.wait_until_up, 60.0)
        assert refused.value.code is grpc.StatusCode.UNAUTHENTICATED


async def test_a_place_the_gateway_does_not_go_to() -> None:
    async with gateway_to(free_port()) as proxy:
        with RPCControl("localhost:1", proxy=proxy) as control, pytest.raises(ControlError) as refused:
            await script(control.info)
        assert refused.value.code is grpc.StatusCode.PERMISSION_DENIED


async def test_no_gateway() -> None:
    with RPCControl("n01:8546", proxy=f"http://lab:x@127.0.0.1:{free_port()}") as control:
        with pytest.raises(ControlError) as refused:
            await script(control.info)
        assert refused.value.code is grpc.StatusCode.UNAVAILABLE
        with pytest.raises(ControlError, match=r"no answer in 0\.2 s") as late:
            await script(control.wait_until_up, 0.2)
        assert late.value.code is grpc.StatusCode.DEADLINE_EXCEEDED


async def test_a_node_that_goes_and_comes_back() -> None:
    port = free_port()
    config = EndpointConfig(port=port, modules=MODULES)
    async with control_of(port) as control:
        async with lab_node(1, ws=config):
            await script(control.wait_until_up, DEADLINE_S)
        with pytest.raises(ControlError):
            await script(control.info, timeout_s=0.5)
        async with lab_node(2, ws=config) as node:
            assert (await script(control.wait_until_up, DEADLINE_S)).overlay == node.address


class Admin:
    """Answers what it was told to."""

    def __init__(self) -> None:
        self.info: Any = None
        self.added: list[str] = []
        self.removed: list[str] = []

    def node_info(self) -> Any:
        return self.info

    def peers(self) -> list[Any]:
        return []

    def add_peer(self, url: str) -> bool:
        self.added.append(url)
        return True

    def remove_peer(self, url: str) -> bool:
        self.removed.append(url)
        return True


class Pss:
    """Says who it is."""

    def base_addr(self) -> str:
        return "0x" + "11" * 32

    def get_public_key(self) -> str:
        return "0x04" + "22" * 64


class Hive:
    """A table as a Go node shows it, with a bin that is too deep for its row."""

    def __init__(self) -> None:
        self.base = bytes(32)
        self.near = bytes([0] * 2 + [1] + [0] * 29)
        self.far = bytes([0x80] + [0] * 31)

    def kademlia_info(self) -> dict[str, Any]:
        rows: list[list[str] | None] = [None] * 16
        rows[0], rows[15] = [self.far.hex()], [self.near.hex()]
        return {"self": self.base.hex(), "depth": 3, "connections": rows, "known": [rows[0], *[None] * 15]}

    def string(self) -> str:
        return "table"

    def peer(self, node_id: str) -> None:
        return None

    def get_health_info(self, pot: Any) -> dict[str, Any]:
        assert set(pot) == {"NNSet", "PeersPerBin"}
        return {
            "KnowNN": True,
            "CountKnowNN": 0,
            "MissingKnowNN": None,
            "ConnectNN": True,
            "MissingConnectNN": [base64.b64encode(self.near).decode()],
            "Saturated": True,
        }


@contextlib.asynccontextmanager
async def scripted(pss: object | None = None) -> AsyncIterator[tuple[Admin, RPCControl]]:
    registry, admin = Registry(), Admin()
    registry.register("admin", admin)
    registry.register("hive", Hive())
    if pss is not None:
        registry.register("pss", pss)
    async with WSServer(registry, host="127.0.0.1", port=0) as server, control_of(server.port) as control:
        yield admin, control


async def test_answers_of_the_reference() -> None:
    async with scripted() as (_, control):
        table = await script(control.kademlia)
        assert table.depth == 3
        # The last row holds all bins from 15 on; which one it is, the address says.
        assert [(row.po, len(row.connected), len(row.known)) for row in table.bins] == [(0, 1, 1), (23, 1, 0)]
        health = await script(control.check_health, [], [])
        assert (health.healthy, len(health.missing_connect_nn), len(health.missing_know_nn)) == (False, 1, 0)


@pytest.mark.parametrize("told", [None, [], {}, {"id": 1}, {"id": "zz", "name": "", "enode": ""}, "x"])
async def test_an_answer_of_another_shape_names_the_method(told: Any) -> None:
    async with scripted(Pss()) as (admin, control):
        admin.info = told
        with pytest.raises(ControlError, match="admin_nodeInfo answers something else than expected"):
            await script(control.info)


async def test_a_method_that_is_not_shown_names_the_modules() -> None:
    async with scripted() as (_, control):
        with pytest.raises(ControlError, match=r"does not show pss_baseAddr .*admin,hive,pss \(--wsapi\)") as refused:
            await script(control.wait_until_up, 60.0)
        assert refused.value.code is grpc.StatusCode.UNIMPLEMENTED


async def test_a_connection_that_does_not_come_about(monkeypatch: pytest.MonkeyPatch) -> None:
    """It waits longer than asked for: the reference does not dial again within 35 s."""
    assert rpc_control.REDIAL_S > 35
    monkeypatch.setattr(rpc_control, "REDIAL_S", 0.1)
    url = f"enode://{'f2cb980021cfe16df43d192ad4043f0af9a9d62767745510f553c0856433bcfe' * 2}@127.0.0.1:1"
    async with scripted() as (admin, control), lab_node(3) as node:
        with pytest.raises(ControlError, match=r"not connected with [0-9a-f]{16} after 0\.2 s") as late:
            await script(control.connect, node.enode.url, wait_s=0.1)
        assert late.value.code is grpc.StatusCode.DEADLINE_EXCEEDED
        assert admin.added == [node.enode.url]
        with pytest.raises(ControlError) as refused:
            await script(control.connect, url)
        assert refused.value.code is grpc.StatusCode.INVALID_ARGUMENT
        assert len(admin.added) == 1


async def test_who_is_away_is_not_dialled_any_more_either() -> None:
    """It is told not to, although it shows no such peer; of whom it was never told, nobody knows the enode."""
    async with scripted() as (admin, control), lab_node(3) as node:
        await script(control.disconnect, node.node.server.id)
        assert admin.removed == []
        await script(control.connect, node.enode.url)
        await script(control.disconnect, node.node.server.id, wait_s=DEADLINE_S)
        assert admin.removed == [node.enode.url]


async def test_a_static_dial_ends_while_the_other_is_away() -> None:
    async with websocket_node(1) as (node, port), control_of(port) as control:
        async with lab_node(2) as other:
            enode, number = other.enode.url, other.node.server.id
            await script(control.connect, enode, wait_s=DEADLINE_S)
        async with asyncio.timeout(DEADLINE_S):
            while await script(control.peers):
                pass
        assert [one.id for one in node.node.server._dialer.nodes] == [number]
        await script(control.disconnect, number, wait_s=DEADLINE_S)
        assert node.node.server._dialer.nodes == []


async def test_an_answer_that_is_too_long_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(links, "MAX_ANSWER_BYTES", 10_000)
    async with scripted() as (admin, control):
        admin.info = {"enode": "x" * 9_000}
        assert await script(control.call, "admin_nodeInfo") == admin.info
        admin.info = {"enode": "x" * 10_000}
        with pytest.raises(ControlError, match=r"connection lost: .* longer than 10000 bytes") as refused:
            await script(control.call, "admin_nodeInfo")
        assert refused.value.code is grpc.StatusCode.UNAVAILABLE


# -- nodes that stop answering


@contextlib.asynccontextmanager
async def process_node(directory: Path) -> AsyncIterator[tuple[NodeProcess, int]]:
    """A node that can be stopped in the middle (SIGSTOP), as one in a paused container is."""
    port = free_port()
    flags = ["--ws", "--wsport", str(port), "--wsapi", ",".join(MODULES)]
    async with pss_node(directory, *flags) as process:
        yield process, port


async def test_a_node_that_stops_answering_while_subscribed(tmp_path: Path) -> None:
    async with process_node(tmp_path) as (frozen, port), control_of(port) as control:
        ended = threading.Event()

        def follow() -> float:
            def read() -> None:
                assert not list(messages)
                ended.set()

            with control.subscribe(TOPIC) as messages:
                reader = threading.Thread(target=read)
                reader.start()
                frozen.process.send_signal(signal.SIGSTOP)
                leaving = time.monotonic()
            taken_s = time.monotonic() - leaving
            reader.join(DEADLINE_S)
            return taken_s

        taken_s = await script(follow)
        assert rpc_control.UNSUBSCRIBE_TIMEOUT_S <= taken_s < rpc_control.UNSUBSCRIBE_TIMEOUT_S + DEADLINE_S
        assert ended.is_set()
        with pytest.raises(ControlError, match="no answer in time") as late:
            await script(control.info, timeout_s=0.2)
        assert late.value.code is grpc.StatusCode.DEADLINE_EXCEEDED
        frozen.process.send_signal(signal.SIGCONT)
        await script(control.wait_until_up, DEADLINE_S)


async def test_a_message_to_a_node_that_stops_answering_is_waited_for_no_longer(tmp_path: Path) -> None:
    async with (
        process_node(tmp_path) as (frozen, port),
        websocket_node(1) as (node, other_port),
        control_of(port) as receiver,
        control_of(other_port) as sender,
    ):

        class Stopping:
            """Hands the message over when the receiver has stopped."""

            def send(self, *args: Any, **options: Any) -> bytes:
                frozen.process.send_signal(signal.SIGSTOP)
                return sender.send(*args, **options)

        spec = SimpleNamespace(reference=True)
        overlay = (await script(receiver.info)).overlay
        target: Any = SimpleNamespace(control=receiver, overlay=overlay, spec=spec)
        source: Any = SimpleNamespace(control=Stopping(), overlay=node.address, spec=spec, topic=lambda name: TOPIC)
        began = time.monotonic()
        arrival = await script(deliver, source, target, b"hello", mode="raw", timeout_s=0.2)
        assert arrival.payload is None
        assert time.monotonic() - began < rpc_control.UNSUBSCRIBE_TIMEOUT_S + DEADLINE_S
        frozen.process.send_signal(signal.SIGCONT)
