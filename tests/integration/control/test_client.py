"""The synchronous client, as scripts and the orchestrator use it, in a thread next to a live node."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import TypeVar

import grpc
import pytest

from node.control import eventstream
from node.control.client import ControlClient, ControlError, Memory, Position
from node.control.gen import control_pb2 as pb
from node.control.server import ControlServer
from node.errors import RPCError
from node.events import EventFilter, Kind, NodeEvent
from node.pss.keystore import format_pubkey_id
from tests.support.control import TOKEN, Caller, control_options, controlled, free_port
from tests.support.keys import make_key
from tests.support.nodes import LabNode, connect, lab_node
from tests.support.waiting import DEADLINE_S, until

TOPIC = bytes.fromhex("2c26b46b")
T = TypeVar("T")


@pytest.fixture
async def tcp(node: LabNode, tmp_path: Path) -> AsyncIterator[Caller]:
    async with controlled(node, tmp_path, tcp=True) as caller:
        yield caller


async def in_thread(caller: Caller, script: Callable[[ControlClient], T], **options: str) -> T:
    """Run a script with a client of its own."""

    def run() -> T:
        with ControlClient(caller.address, token=options.get("token", caller.token), name="alice") as client:
            return script(client)

    async with asyncio.timeout(2 * DEADLINE_S):
        return await asyncio.to_thread(run)


async def test_a_whole_session(control: Caller, node: LabNode) -> None:
    async with lab_node(2) as bob:
        bob.listen(TOPIC, raw=True)

        def script(client: ControlClient) -> list[bytes]:
            assert client.wait_until_up(5).node_id == client.info().node_id == node.enode.id
            assert client.peers() == []
            client.connect(bob.enode.url, wait_s=5)
            assert [peer.overlay for peer in client.peers()] == [bob.address]
            assert client.kademlia().self == node.address
            assert client.check_health([bob.address], []).healthy
            peer = client.set_peer_key(bob.key.public.uncompressed, TOPIC, bob.address)
            shared = client.set_symmetric_key(bytes(range(32)), TOPIC, bob.address, receive=False)
            digests = [
                client.send(pb.MODE_RAW, TOPIC, b"raw", address=bob.address),
                client.send(pb.MODE_SYM, TOPIC, b"sym", key_id=shared),
                client.send(pb.MODE_ASYM, TOPIC, b"asym", key_id=peer),
            ]
            assert client.call("admin_peers")[0]["id"] == bob.enode.id.hex()
            assert [event.kind for event in client.history(digest=digests[0].hex())] == [
                Kind.PSS_SENT,
                Kind.PSS_FORWARDED,
            ]
            client.disconnect(bob.enode.id, wait_s=5)
            assert client.peers() == []
            return digests

        digests = await in_thread(control, script)
        await until(lambda: len(bob.inbox) == 2)  # bob has no key for the second
        assert [delivery.digest for delivery in bob.inbox] == [digests[0], digests[2]]


async def test_subscribe_misses_nothing_once_the_block_has_begun(tcp: Caller, node: LabNode) -> None:
    async with lab_node(2) as bob:
        await connect(bob, node)
        key_id = bob.pss.keys.set_peer_public_key(node.key.public, TOPIC, node.address)  # type: ignore[arg-type]
        loop = asyncio.get_running_loop()

        def script(client: ControlClient) -> list[pb.PssMessage]:
            with client.subscribe(TOPIC, raw=True) as messages:
                loop.call_soon_threadsafe(bob.pss.send_raw, node.address, TOPIC, b"one")
                loop.call_soon_threadsafe(bob.pss.send_asymmetric, key_id, TOPIC, b"two")
                return [next(messages), next(messages)]

        messages = await in_thread(tcp, script)
    assert [message.payload for message in messages] == [b"one", b"two"]
    assert [message.key_id for message in messages] == ["", format_pubkey_id(bob.key.public)]
    await until(lambda: not node.pss.handlers.topics())


@pytest.mark.parametrize("history", [False, True])
async def test_events_from_the_moment_the_block_begins(tcp: Caller, node: LabNode, history: bool) -> None:
    bus, loop = node.node.events, asyncio.get_running_loop()
    bus.emit(Kind.ADD, peer="before")

    def script(client: ControlClient) -> list[NodeEvent]:
        with client.events("add", history=history) as events:
            loop.call_soon_threadsafe(lambda: bus.emit(Kind.ADD, peer="after"))
            return [next(events) for _ in range(2 if history else 1)]

    seen = await in_thread(tcp, script)
    assert [event.peer for event in seen] == (["before", "after"] if history else ["after"])


async def test_what_a_node_remembers_and_since_when(tcp: Caller, node: LabNode) -> None:
    bus = node.node.events
    bus.keep_history(limit=2)

    def script(client: ControlClient) -> tuple[float | None, Memory]:
        return client.remembered_since(), client.recall(EventFilter(kinds=frozenset({Kind.ADD})), limit=1)

    for _ in range(2):
        bus.emit(Kind.ADD)
    assert (await in_thread(tcp, script))[0] is None, "nothing is forgotten"
    bus.emit(Kind.DROP)
    since, memory = await in_thread(tcp, script)
    added, dropped = bus.history
    assert memory == Memory([added], Position(bus.started_wall_s, dropped.seq), added.wall_s)
    assert since == added.wall_s


async def test_following_goes_on_where_it_was_left(tcp: Caller, node: LabNode, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(eventstream, "POSITION_S", 0.01)
    bus, loop = node.node.events, asyncio.get_running_loop()
    only = EventFilter(kinds=frozenset({Kind.ADD}))

    def script(client: ControlClient) -> None:
        with client.follow(only) as feed:
            events = iter(feed)
            loop.call_soon_threadsafe(lambda: bus.emit(Kind.ADD, peer="one"))
            assert next(events).peer == "one"
            assert (feed.position, feed.forgotten, feed.restarted) == (Position(bus.started_wall_s, 1), 0, False)
        loop.call_soon_threadsafe(lambda: [bus.emit(kind, peer="two") for kind in (Kind.DROP, Kind.ADD, Kind.DROP)])
        with client.follow(only, since=feed.position) as again:
            events = iter(again)
            loop.call_soon_threadsafe(lambda: bus.emit(Kind.ADD, peer="three"))
            assert [next(events).peer for _ in range(2)] == ["two", "three"]
            # Of others it hears only how far the node has come: that it missed none.
            loop.call_soon_threadsafe(lambda: [bus.emit(Kind.DROP), loop.call_later(0.1, bus.emit, Kind.ADD)])
            assert next(events).seq == 7
            assert again.lost == 0
        with client.follow(only, since=Position(1.0, 7)) as after_restart:
            assert after_restart.restarted

    await in_thread(tcp, script)


async def test_errors_name_the_node_and_carry_the_status(tcp: Caller) -> None:
    def script(client: ControlClient) -> None:
        with pytest.raises(ControlError) as caught:
            client.disconnect(b"short")
        assert str(caught.value) == "alice: node_id: want 32 bytes, got 5"
        assert caught.value.code is grpc.StatusCode.INVALID_ARGUMENT
        with pytest.raises(ControlError) as caught, client.subscribe(b"abc"):
            pytest.fail("the block began")
        assert caught.value.details == "topic: want 4 bytes, got 3"
        with pytest.raises(ControlError, match="alice: kinds: 'x' is not a valid Kind"), client.events("x"):
            pytest.fail("the block began")
        with pytest.raises(ControlError, match=r"after 50 ms"):
            client.connect(f"enode://{make_key(9).public.raw.hex()}@127.0.0.1:1", wait_s=0.05)
        with pytest.raises(RPCError, match="the method foo_bar does not exist") as error:
            client.call("foo_bar")
        assert error.value.code == -32601

    await in_thread(tcp, script)


async def test_a_wrong_token_is_refused_without_being_repeated(tcp: Caller) -> None:
    def script(client: ControlClient) -> None:
        for call in (client.info, client.peers, client.history):
            with pytest.raises(ControlError, match="alice: missing or wrong bearer token") as caught:
                call()
            assert caught.value.code is grpc.StatusCode.UNAUTHENTICATED
            assert "guess" not in str(caught.value)

    await in_thread(tcp, script, token="a guess")
    await in_thread(tcp, script, token="")


async def test_a_node_that_is_not_there(tmp_path: Path) -> None:
    def script() -> None:
        with ControlClient(f"127.0.0.1:{free_port()}", token=TOKEN, name="bob") as client:
            with pytest.raises(ControlError, match="bob: ") as caught:
                client.info(timeout_s=2)
            assert caught.value.code is grpc.StatusCode.UNAVAILABLE
            with pytest.raises(ControlError) as caught:
                client.wait_until_up(0.1)
            assert caught.value.code is grpc.StatusCode.DEADLINE_EXCEEDED

    await asyncio.to_thread(script)


async def test_waiting_for_a_node_that_is_starting(node: LabNode, tmp_path: Path) -> None:
    address, begun = f"127.0.0.1:{free_port()}", threading.Event()

    def script() -> bytes:
        with ControlClient(address, token=TOKEN) as client:
            with pytest.raises(ControlError):
                client.wait_until_up(0.05)
            begun.set()
            return client.wait_until_up(DEADLINE_S).node_id

    waiting = asyncio.create_task(asyncio.to_thread(script))
    await asyncio.to_thread(begun.wait, DEADLINE_S)
    async with ControlServer(node.node, control_options(address, tmp_path)):
        assert await waiting == node.enode.id


async def test_proxies_of_the_environment_are_left_alone(tcp: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy meant for the web would not find a lab."""
    for variable in ("http_proxy", "grpc_proxy", "https_proxy"):
        monkeypatch.setenv(variable, "http://127.0.0.1:1")
    assert (await in_thread(tcp, lambda client: client.info(timeout_s=5))).name == "alice"
