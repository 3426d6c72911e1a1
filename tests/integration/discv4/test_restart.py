"""What a p2p server remembers of itself and of others, and nodes that have moved (spec 02 §9.5, 03 §7, 04 §6)."""

from __future__ import annotations

import ipaddress
import json
import socket
from pathlib import Path

import pytest

from node.discv4.core import Intervals, RecordChanged
from node.enode import Node, parse_ip
from node.enr import make_record, parse_record
from node.errors import DialFailed
from node.events import Kind
from node.p2p.config import ServerConfig
from node.p2p.server import Server
from node.service.stack import NodeConfig, ServiceNode
from tests.support.keys import make_key
from tests.support.servers import make_protocol, running_server
from tests.support.waiting import recording, until

QUICK = Intervals(revalidate_max_s=0.05)
FOUND = {"no_discovery": False, "discovery_intervals": QUICK, "no_dial": True}


def knows(server: Server, other: Server) -> bool:
    assert server.discovery is not None
    return any(one.node.id == other.id for one in server.discovery.remembered().nodes)


def seq_in(directory: Path) -> int:
    seq: int = json.loads((directory / "nodes.json").read_text())["seq"]
    return seq


# -- the server's own record


@pytest.mark.parametrize("no_discovery", [True, False])
async def test_the_record_number_grows_with_every_start(tmp_path: Path, no_discovery: bool) -> None:
    for run in (1, 2, 3):
        async with running_server(1, no_discovery=no_discovery, node_database=tmp_path) as server:
            assert server._record.seq == run
            assert seq_in(tmp_path) == run
            assert parse_record(server.node_info()["enr"]) == server.node


async def test_without_a_directory_every_start_is_the_first() -> None:
    for _ in range(2):
        async with running_server(1, **FOUND) as server:
            assert server._record.seq == 1


async def test_a_record_that_changes_is_shown_and_its_number_kept(tmp_path: Path) -> None:
    async with running_server(1, node_database=tmp_path, **FOUND) as server:
        assert server.discovery is not None
        core, old = server.discovery.core, server.node
        changed = make_record(server.key, seq=2, ip=parse_ip("10.1.2.3"), tcp=old.tcp, udp=old.udp)
        core._exchange.record = changed
        server.discovery._act([RecordChanged(record=changed)])
        assert server.node_info()["enr"] == changed.text
        assert server.node == changed.node
        await until(lambda: seq_in(tmp_path) == 2)
    async with running_server(1, node_database=tmp_path) as again:
        assert again._record.seq == 3


@pytest.mark.parametrize(
    ("options", "predicts"),
    [
        ({"listen_addr": ":0"}, True),
        ({"listen_addr": "0.0.0.0:0"}, True),
        ({"listen_addr": "127.0.0.1:0"}, False),
        ({"listen_addr": ":0", "advertise_ip": parse_ip("10.1.1.1")}, False),
    ],
)
async def test_only_an_address_that_nobody_gave_is_predicted(options: dict[str, object], predicts: bool) -> None:
    async with running_server(1, **FOUND, **options) as server:  # type: ignore[arg-type]
        assert server.discovery is not None
        assert (server.discovery.core._predictor is not None) is predicts


# -- nodes that answered


async def test_a_server_finds_back_without_bootnodes(tmp_path: Path) -> None:
    async with running_server(2, **FOUND) as other:
        async with running_server(1, node_database=tmp_path, bootstrap_nodes=[other.node], **FOUND) as first:
            await until(lambda: knows(first, other))
        async with running_server(1, node_database=tmp_path, **FOUND) as again:
            assert again.discovery is not None
            await until(lambda: other.id in [node.id for node in again.discovery.random_nodes(9)])  # type: ignore[union-attr]
            assert other.discovery is not None
            await until(lambda: other.discovery.core.table.get(again.id))  # type: ignore[union-attr]


async def test_switching_discovery_off_for_a_run_forgets_nobody(tmp_path: Path) -> None:
    async with running_server(2, **FOUND) as other:
        async with running_server(1, node_database=tmp_path, bootstrap_nodes=[other.node], **FOUND) as first:
            await until(lambda: knows(first, other))
        async with running_server(1, node_database=tmp_path):
            pass
        async with running_server(1, node_database=tmp_path, **FOUND) as again:
            assert knows(again, other)


async def test_who_is_outside_the_allowed_networks_is_not_asked(tmp_path: Path) -> None:
    async with running_server(2, **FOUND) as other:
        async with running_server(1, node_database=tmp_path, bootstrap_nodes=[other.node], **FOUND) as first:
            await until(lambda: knows(first, other))
        elsewhere = [ipaddress.ip_network("10.0.0.0/8")]
        async with running_server(1, node_database=tmp_path, net_restrict=elsewhere, **FOUND) as again:
            assert not knows(again, other)


# -- the files of a service node


def service_node(directory: Path, **p2p: object) -> ServiceNode:
    config = ServerConfig(listen_addr="127.0.0.1:0", **p2p)  # type: ignore[arg-type]
    return ServiceNode(NodeConfig(name="node", data_dir=directory, p2p=config))


async def test_a_service_node_reads_its_lists_and_keeps_its_number(tmp_path: Path) -> None:
    static, trusted, given = (Node(make_key(n).public, parse_ip("127.0.0.1"), 1, 1) for n in (11, 12, 13))
    (tmp_path / "node").mkdir()
    (tmp_path / "node" / "static-nodes.json").write_text(json.dumps([static.url]))
    (tmp_path / "node" / "trusted-nodes.json").write_text(json.dumps([trusted.url]))
    async with service_node(tmp_path) as node:
        assert node.server.keeps(static.id)
        assert node.server._trusted == {trusted.id}
        assert seq_in(tmp_path / "node" / "nodes") == 1
        await node.restart()
        assert seq_in(tmp_path / "node" / "nodes") == 2
    # What is given wins.
    async with service_node(tmp_path, static_nodes=[given], trusted_nodes=[given]) as node:
        assert node.server.keeps(given.id)
        assert not node.server.keeps(static.id)
        assert node.server._trusted == {given.id}


# -- nodes that moved


def nobodys_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
    return port


async def test_a_node_that_moved_is_found_and_dialed() -> None:
    """Its enode URL is outdated; a third node has met it since."""
    async with (
        running_server(1, make_protocol(), **FOUND) as boot,
        running_server(2, make_protocol(), bootstrap_nodes=[boot.node], **FOUND) as moved,
        running_server(3, make_protocol(), bootstrap_nodes=[boot.node], **FOUND) as server,
    ):
        await until(lambda: knows(boot, moved) and knows(boot, server))
        await until(lambda: boot.discovery.core.closest_live(bytes(32)), timeout_s=10)  # type: ignore[union-attr]
        port = nobodys_port()
        with recording(server.events) as events:
            server.add_peer(Node(moved.key.public, parse_ip("127.0.0.1"), port, port))
            await until(lambda: server.peer(moved.id), timeout_s=15)
            failed = await events.wait(Kind.DIAL_FAILED)
            assert failed.remote == f"127.0.0.1:{port}"
            assert events.of(Kind.DIAL)[-1].remote == f"127.0.0.1:{moved.node.tcp}"


async def test_a_node_of_which_only_the_key_is_known() -> None:
    async with (
        running_server(1, make_protocol(), **FOUND) as boot,
        running_server(2, make_protocol(), bootstrap_nodes=[boot.node], **FOUND) as server,
    ):
        await until(lambda: knows(server, boot))
        server.add_peer(Node(boot.key.public))
        await until(lambda: server.peer(boot.id), timeout_s=15)


async def test_without_discovery_an_address_is_needed() -> None:
    async with running_server(1, make_protocol()) as server:
        with pytest.raises(DialFailed, match="it has no address and TCP port to dial"):
            server.add_peer(Node(make_key(2).public))


async def test_stopping_while_a_node_is_looked_for() -> None:
    async with running_server(1, make_protocol(), **FOUND) as server:
        port = nobodys_port()
        with recording(server.events) as events:
            server.add_peer(Node(make_key(2).public, parse_ip("127.0.0.1"), port, port))
            await events.wait(Kind.DIAL_FAILED)
            assert make_key(2).public.node_id in server._dialer._resolving
