"""What the overlay knows after a restart, and whom it dials then (spec 05 section 8)."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from node.events import Kind
from node.swarm import service
from node.swarm.messages import PeersMsg, encode_message
from tests.support.keys import make_key
from tests.support.nodes import (
    HIVE_CODE,
    bzz_key,
    connect,
    greeted_peer,
    lab_node,
    record_of,
)
from tests.support.waiting import until


def state_file(directory: Path) -> Path:
    return directory / "pss" / "hive.json"


def document(directory: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(state_file(directory).read_text())
    return found


@pytest.mark.parametrize("auto_connect", [False, True])
async def test_connections_come_back(tmp_path: Path, auto_connect: bool) -> None:
    """Nobody dials but the node that was restarted, and nobody tells it whom."""
    async with lab_node(2) as two, lab_node(3) as three:
        async with lab_node(1, data_dir=tmp_path, auto_connect=auto_connect) as one:
            for other in (two, three):
                await connect(one, other)
        await until(lambda: not two.overlay.kademlia.conn_count and not three.overlay.kademlia.conn_count)
        async with lab_node(1, data_dir=tmp_path, auto_connect=auto_connect) as again:
            await until(lambda: all(again.knows(other) and other.knows(again) for other in (two, three)))
            dials = again.events.of(Kind.DIAL)
            assert {dial.peer for dial in dials} == {two.enode.id.hex(), three.enode.id.hex()}
            assert not any(dial.control for dial in dials)


async def test_hearsay_is_known_again_and_not_dialed_without_auto_connect(tmp_path: Path) -> None:
    async with lab_node(1, data_dir=tmp_path) as node, greeted_peer(node, 2) as peer:
        peer.send(HIVE_CODE, encode_message(PeersMsg(peers=(record_of(7),)))[1])
        await until(lambda: node.overlay.kademlia.get_known(bzz_key(7).public.overlay))
    async with lab_node(1, data_dir=tmp_path) as again:
        entry = again.overlay.kademlia.get_known(bzz_key(7).public.overlay)
        assert entry is not None
        assert entry.address == record_of(7)
        assert not entry.live
        # The scripted peer was connected when the node stopped, node 7 was not.
        await again.events.wait(Kind.DIAL_FAILED)
        assert {event.peer for event in again.events.of(Kind.DIAL)} == {make_key(2).public.node_id.hex()}


async def test_who_left_before_the_stop_is_not_dialed(tmp_path: Path) -> None:
    async with lab_node(2) as two:
        async with lab_node(1, data_dir=tmp_path) as one:
            await connect(one, two)
            one.node.server.remove_peer(two.enode.id)
            await until(lambda: not one.knows(two))
        assert document(tmp_path)["conns"] == []
        assert len(document(tmp_path)["peers"]) == 1


async def test_a_node_without_a_data_directory_keeps_nothing() -> None:
    async with lab_node(2) as two:
        async with lab_node(1) as one:
            await connect(one, two)
        async with lab_node(1) as again:
            assert again.overlay.kademlia.known_count == 0


async def test_a_node_that_is_not_to_resume_neither_keeps_nor_reads(tmp_path: Path) -> None:
    async with lab_node(2) as two:
        async with lab_node(1, data_dir=tmp_path) as one:
            await connect(one, two)
        kept = state_file(tmp_path).read_text()
        async with lab_node(1, data_dir=tmp_path, resume=False) as again:
            assert again.overlay.kademlia.known_count == 0
        assert state_file(tmp_path).read_text() == kept


async def test_records_of_another_network_are_of_no_use(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async with lab_node(2) as two, lab_node(1, data_dir=tmp_path) as one:
        await connect(one, two)
    async with lab_node(1, data_dir=tmp_path, network_id=5) as again:
        assert again.overlay.kademlia.known_count == 0
    assert "hive.json is ignored: it is of network 4" in caplog.text


@pytest.mark.parametrize("text", ["", "{", "[]", '{"format": 1}', '"' + "x" * 100])
async def test_a_broken_file_does_not_keep_the_node_from_starting(
    tmp_path: Path, text: str, caplog: pytest.LogCaptureFixture
) -> None:
    state_file(tmp_path).parent.mkdir()
    state_file(tmp_path).write_text(text)
    async with lab_node(1, data_dir=tmp_path) as node, greeted_peer(node, 2):
        assert "hive.json is " in caplog.text
    assert len(document(tmp_path)["conns"]) == 1


async def test_entries_that_are_no_records_are_left_out(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Our own address among them: learning of it would end the list (spec 05 section 7.4)."""
    async with lab_node(1, data_dir=tmp_path) as node, greeted_peer(node, 2), greeted_peer(node, 3):
        pass
    kept = document(tmp_path)
    own = kept["peers"][0] | {"OAddr": base64.b64encode(bzz_key(1).public.overlay).decode()}
    short = kept["peers"][0] | {"OAddr": base64.b64encode(bytes(31)).decode()}
    state_file(tmp_path).write_text(json.dumps(kept | {"peers": [own, short, *kept["peers"]]}))
    async with lab_node(1, data_dir=tmp_path) as again:
        assert again.overlay.kademlia.known_count == 2
    assert "hive.json: 2 entries are ignored" in caplog.text


async def test_no_more_is_dialed_than_may_be_suggested(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async with lab_node(1, data_dir=tmp_path) as node, greeted_peer(node, 2), greeted_peer(node, 3):
        await until(lambda: node.overlay.kademlia.conn_count == 2)
    monkeypatch.setattr(service, "MAX_SUGGESTED", 1)
    async with lab_node(1, data_dir=tmp_path) as again:
        assert len(again.node.server._dialer.nodes) == 1
