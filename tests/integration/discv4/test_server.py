"""Servers with discovery: their ports, their records, and peers that nobody told them about (spec 02 section 9)."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from node.app import build_node
from node.config import parse_options
from node.discv4.core import Intervals
from node.enode import Node, parse_ip
from node.enr import parse_record
from node.errors import ConfigError
from node.p2p.server import Server, ServerConfig
from tests.integration.p2p.test_start_stop import in_time, nothing_left, open_files
from tests.support.keys import make_key
from tests.support.servers import make_protocol, running_server
from tests.support.waiting import until

PORTS_TRIED = 20
QUICK = Intervals(revalidate_max_s=0.05)
FOUND = {"no_discovery": False, "discovery_intervals": QUICK}


async def test_the_ports_of_a_server_with_discovery() -> None:
    async with running_server(1, no_discovery=False) as server:
        port = server.node.tcp
        info = server.node_info()
        assert server.node.udp == port
        assert info["ports"] == {"discovery": port, "listener": port}
        assert info["enode"] == f"enode://{make_key(1).public.raw.hex()}@127.0.0.1:{port}"
        assert parse_record(info["enr"]) == server.node


async def test_without_discovery() -> None:
    async with running_server(1) as server:
        assert server.discovery is None
        assert server.node_info()["ports"] == {"discovery": 0, "listener": server.node.tcp}
        assert server.node.url.endswith("?discport=0")
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.bind(("127.0.0.1", server.node.tcp))


async def test_discovery_without_a_listener() -> None:
    """Tutorial A1: a random port on all interfaces."""
    async with running_server(1, listen_addr="", no_discovery=False) as server:
        info = server.node_info()
        udp = info["ports"]["discovery"]
        assert udp > 0
        assert info["ports"]["listener"] == 0
        assert info["listenAddr"] == ""
        assert info["enode"].endswith(f"@127.0.0.1:0?discport={udp}")


@contextlib.contextmanager
def udp_port_whose_tcp_port_is_free() -> Iterator[int]:
    """Occupied for UDP while the block runs; for TCP it was free a moment ago."""
    for _ in range(PORTS_TRIED):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as occupied:
            occupied.bind(("127.0.0.1", 0))
            port = occupied.getsockname()[1]
            try:
                with socket.create_server(("127.0.0.1", port)):
                    pass
            except OSError:
                continue
            yield port
            return
    pytest.fail(f"none of {PORTS_TRIED} UDP ports is free for TCP")


@pytest.mark.parametrize("fixed", [True, False])
async def test_the_udp_port_is_taken(fixed: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    with udp_port_whose_tcp_port_is_free() as port:
        if fixed:
            server = Server(ServerConfig(private_key=make_key(1), listen_addr=f"127.0.0.1:{port}", no_discovery=False))
            with pytest.raises(ConfigError, match=f"listen udp 127.0.0.1:{port}: address already in use"):
                await server.start()
            with socket.create_server(("127.0.0.1", port)):
                pass  # the listener did not keep it
        else:
            # The system offers the port first and then another.
            from node.p2p import listener

            offered, real = [port], listener._bind
            monkeypatch.setattr(listener, "_bind", lambda a: real(f"127.0.0.1:{offered.pop()}" if offered else a))
            async with running_server(1, no_discovery=False) as server:
                assert offered == []
                assert server.node.tcp == server.node.udp != port


@pytest.mark.parametrize("node", [Node(make_key(9).public), Node(make_key(9).public, parse_ip("127.0.0.1"), 1, 0)])
async def test_bad_bootstrap_nodes(node: Node) -> None:
    server = Server(ServerConfig(private_key=make_key(1), bootstrap_nodes=[node], no_discovery=False))
    with pytest.raises(ConfigError, match="bad bootstrap node enode://"):
        await server.start()


def test_the_places_for_found_nodes() -> None:
    def places(**options: object) -> int:
        return ServerConfig(**({"no_discovery": False} | options)).max_dialed  # type: ignore[arg-type]

    assert places() == 16
    assert places(max_peers=1) == 0
    assert places(dial_ratio=2) == 25
    assert places(dial_ratio=0) == 16
    assert places(no_dial=True) == places(no_discovery=True) == 0


async def test_inbound_connections_leave_room_for_found_nodes() -> None:
    async with running_server(1, max_peers=3, **FOUND) as server:
        assert server._limits.max_inbound == 2


async def test_servers_without_static_nodes_connect() -> None:
    """The second and third know a bootnode that takes no part in their protocol, and nothing else."""
    async with running_server(1, make_protocol(name="other"), max_peers=0, **FOUND) as boot:
        seeds = {"bootstrap_nodes": [boot.node], **FOUND}
        async with (
            running_server(2, make_protocol(), **seeds) as second,
            running_server(3, make_protocol(), **seeds) as third,
        ):
            await until(lambda: second.peer_count and third.peer_count, timeout_s=20)
            assert second.peers[0].id == third.id
            assert boot.peer_count == 0
            infos = [server.peers_info()[0]["network"] for server in (second, third)]
            assert [info["static"] for info in infos] == [False, False]
            assert sorted(info["inbound"] for info in infos) == [False, True]


async def test_no_dial_means_to_answer_only() -> None:
    async with (
        running_server(1, make_protocol(), no_dial=True, **FOUND) as first,
        running_server(2, make_protocol(), no_dial=True, bootstrap_nodes=[first.node], **FOUND) as second,
    ):
        assert first.discovery is not None
        assert second.discovery is not None
        await until(lambda: first.discovery.random_nodes(1) and second.discovery.random_nodes(1))  # type: ignore[union-attr]
        assert first.peer_count == second.peer_count == 0


async def test_stop_leaves_nothing() -> None:
    with nothing_left(), in_time():
        async with running_server(1, make_protocol(), **FOUND) as first:
            async with running_server(2, make_protocol(), bootstrap_nodes=[first.node], **FOUND) as second:
                await until(lambda: second.peer_count, timeout_s=20)
            assert second.discovery is None


async def test_stop_at_any_moment() -> None:
    for turns in range(30):
        with nothing_left():
            async with (
                running_server(1, make_protocol(), **FOUND) as first,
                running_server(2, make_protocol(), bootstrap_nodes=[first.node], **FOUND) as second,
            ):
                for _ in range(turns):
                    await asyncio.sleep(0)
                await second.stop()


def test_stop_leaves_nothing_in_a_fresh_loop() -> None:
    async def life() -> None:
        async with running_server(1, no_discovery=False):
            await asyncio.sleep(0)

    before = open_files()
    asyncio.run(life())
    assert open_files() == before


# -- pss-node


async def test_pss_node_with_discovery(tmp_path: Path) -> None:
    """It answers and keeps a table; the overlay chooses its peers."""
    async with running_server(1, make_protocol(), **FOUND) as boot:
        no_udp = Node(make_key(7).public, parse_ip("127.0.0.1"), 1, 0)
        options = parse_options(
            ["--datadir", str(tmp_path), "--addr", "127.0.0.1", "--port", "0", "--discovery"],
            {"PSS_BOOTNODES": f"{boot.node.url},{no_udp.url}"},
        )
        async with build_node(options) as node:
            server = node.server
            assert server.node.udp == server.node.tcp
            assert server.discovery is not None
            assert boot.discovery is not None
            await until(lambda: boot.discovery.core.table.get(server.id))  # type: ignore[union-attr]
            assert server._dialer.finder is None
            assert server.keeps(boot.node.id)
            assert server.keeps(no_udp.id)


async def test_pss_node_without_discovery(tmp_path: Path) -> None:
    options = parse_options(["--datadir", str(tmp_path), "--addr", "127.0.0.1", "--port", "0"], {})
    async with build_node(options) as node:
        assert node.server.discovery is None
        assert node.server.node.udp == 0
