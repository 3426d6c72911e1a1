"""A server begins and ends cleanly: no task, no socket, in time (spec 02 section 9.2)."""

from __future__ import annotations

import asyncio
import gc
import ipaddress
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from node.enode import Node, parse_ip
from node.errors import ConfigError, DialFailed
from node.events import Kind
from node.p2p.peer import Peer
from node.p2p.protocol import MessagePipe
from node.p2p.server import Server, ServerConfig
from tests.integration.p2p.conftest import Start
from tests.support.keys import make_key
from tests.support.peers import encrypted_peer, live_peer, raw_listener, tcp_peer
from tests.support.servers import ECHO_CAPS, Run, make_protocol, round_trip, running_server, stay, still_serves
from tests.support.waiting import recording, until

KEY = make_key(50)
CHUNK = os.urandom(1 << 16)


def open_files() -> dict[str, str]:
    """File descriptors and what they stand for."""
    found = {}
    for fd in os.listdir("/proc/self/fd"):
        try:
            found[fd] = os.readlink(f"/proc/self/fd/{fd}")
        except FileNotFoundError:
            continue  # the one that listed them
    return found


@contextmanager
def nothing_left() -> Iterator[None]:
    """No task and no descriptor more than before."""
    gc.collect()  # or something of an earlier test is closed in the middle of this one
    tasks, files = asyncio.all_tasks(), open_files()
    yield
    assert asyncio.all_tasks() == tasks
    assert open_files().items() <= files.items()


@contextmanager
def in_time() -> Iterator[None]:
    """SIGTERM has to end a node in two seconds."""
    began = time.monotonic()
    yield
    assert time.monotonic() - began < 2


def test_stop_leaves_nothing_behind_in_a_fresh_loop() -> None:
    """With the loop's own descriptors counted too."""

    async def life() -> None:
        async with running_server(1, make_protocol()) as a, running_server(2, make_protocol()) as b:
            a.add_peer(b.node)
            await until(lambda: a.peer_count and b.peer_count)

    before = open_files()
    asyncio.run(life())
    assert open_files() == before


@pytest.mark.parametrize("run", [stay, None], ids=["with protocol", "without"])
async def test_two_connected_servers(run: Run | None) -> None:
    protocols = [make_protocol(run)] if run else []
    with nothing_left(), in_time():
        async with running_server(1, *protocols) as a, running_server(2, *protocols) as b:
            a.add_peer(b.node)
            await until(lambda: a.peer_count and b.peer_count)
        assert (a.peers, b.peers) == ([], [])


async def test_connections_in_setup() -> None:
    """Silent, half way through, refused to answer, and being dialed."""
    async with raw_listener(make_key(70)) as listener:
        server = Server(ServerConfig(private_key=make_key(1), listen_addr="127.0.0.1:0"))
        await server.start()
        async with tcp_peer(server.node, KEY) as silent, encrypted_peer(server.node, KEY) as half:
            server.add_peer(listener.node)
            dialed = await listener.accept()
            await until(lambda: len(server._links) == 3)
            with in_time():
                await server.stop()
            assert server._links == set()
            for peer in (silent, half, dialed):
                await peer.closed()


async def test_a_peer_that_does_not_read() -> None:
    """The Disconnect cannot be delivered; after a second the socket is closed all the same."""

    async def flood(peer: Peer, pipe: MessagePipe) -> None:
        while True:
            await pipe.send(0, CHUNK)

    server = Server(ServerConfig(private_key=make_key(1), listen_addr="127.0.0.1:0", protocols=[make_protocol(flood)]))
    await server.start()
    async with live_peer(server.node, KEY, ECHO_CAPS) as peer:
        peer.writer.transport.pause_reading()  # type: ignore[attr-defined]
        await until(lambda: server.peer_count and server.peers[0].link.congested)
        with in_time(), recording(server.events) as events:
            await server.stop()
        assert [event.kind for event in events.events] == [Kind.DROP]
        assert server._links == set()


async def test_a_protocol_that_does_not_return() -> None:
    cancelled = asyncio.Event()

    async def stubborn(peer: Peer, pipe: MessagePipe) -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.set()
            raise

    with nothing_left():
        server = Server(
            ServerConfig(private_key=make_key(1), listen_addr="127.0.0.1:0", protocols=[make_protocol(stubborn)])
        )
        await server.start()
        async with live_peer(server.node, KEY, ECHO_CAPS):
            await until(lambda: server.peer_count)
            with in_time():
                await server.stop()
            assert cancelled.is_set()


async def test_stop_at_any_moment_of_a_connection() -> None:
    """A few turns of the loop further each time, from the TCP connection to the first message."""
    for turns in range(40):
        with nothing_left():
            async with running_server(1, make_protocol()) as a, running_server(2, make_protocol()) as b:
                a.add_peer(b.node)
                for _ in range(turns):
                    await asyncio.sleep(0)
                with in_time():
                    await b.stop()


async def test_stopping_twice_does_nothing(server: Server) -> None:
    await server.stop()
    await server.stop()
    assert not server.running
    assert server.peers == []


async def test_starting_twice_is_an_error(server: Server) -> None:
    with pytest.raises(ConfigError, match="server already running"):
        await server.start()
    await still_serves(server)


async def test_the_address_is_free_after_stop(server: Server) -> None:
    address = server.listen_addr
    await server.stop()
    async with running_server(2, make_protocol(), listen_addr=address) as again:
        await still_serves(again)


async def test_an_address_in_use(server: Server) -> None:
    other = Server(ServerConfig(private_key=make_key(2), listen_addr=server.listen_addr))
    with pytest.raises(ConfigError, match=f"listen tcp {server.listen_addr}: address already in use"):
        await other.start()
    assert not other.running


@pytest.mark.parametrize("address", ["127.0.0.1", "127.0.0.1:", "127.0.0.1:x", "127.0.0.1:70000", "192.0.2.1:0"])
async def test_addresses_that_cannot_be_had(address: str) -> None:
    server = Server(ServerConfig(private_key=make_key(1), listen_addr=address))
    with pytest.raises(ConfigError, match="listen"):
        await server.start()
    assert not server.running


async def test_all_interfaces(start: Start) -> None:
    server = await start(1, make_protocol(), listen_addr=":0")
    assert server.node.tcp
    await still_serves(server)


async def test_who_cannot_be_added(start: Start) -> None:
    server = await start(1, make_protocol(), net_restrict=[ipaddress.ip_network("10.0.0.0/8")])
    stranger = make_key(2).public
    for node, why in (
        (server.node, "that is this node"),
        (Node(stranger), "no address"),
        (Node(stranger, parse_ip("10.0.0.1"), 0), "no address and TCP port"),
        (Node(stranger, parse_ip("127.0.0.1"), 1), "outside the allowed networks"),
    ):
        with pytest.raises(DialFailed, match=why):
            server.add_peer(node)


async def test_a_server_goes_on_when_a_peer_comes_and_goes_at_every_stage(server: Server) -> None:
    for _ in range(5):
        async with tcp_peer(server.node, KEY):
            pass
        async with encrypted_peer(server.node, KEY):
            pass
        async with live_peer(server.node, KEY, ECHO_CAPS) as peer:
            await round_trip(peer)
        await until(lambda: not server.peer_count)
    await until(lambda: not server._links)
    await still_serves(server)
