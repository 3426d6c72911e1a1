"""Nodes tell each other about nodes, and connect (spec 05 sections 6 and 8)."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator

import pytest

from node.disconnect import DisconnectReason
from node.events import Kind
from node.swarm import service
from node.swarm.address import BzzAddr
from node.swarm.capability import FULL_CAPABILITIES
from node.swarm.health import check_health, peer_pots
from node.swarm.messages import HiveMessage, PeersMsg, SubPeersMsg, decode_hive, encode_message
from node.swarm.service import OverlayService
from tests.support.keys import make_key
from tests.support.nodes import (
    HIVE_CODE,
    LabNode,
    bzz_key,
    connect,
    greet,
    greeted_peer,
    lab_node,
    line,
    overlay_peer,
    receive_hive,
    record_of,
    still_welcomes,
    told_of,
    told_why,
)
from tests.support.peers import RawPeer
from tests.support.waiting import until


@pytest.fixture
async def node() -> AsyncIterator[LabNode]:
    async with lab_node(1) as running:
        yield running


def overlay_of(number: int) -> bytes:
    return bzz_key(number).public.overlay


async def receive_peers(peer: RawPeer) -> HiveMessage:
    """The next peersMsg; our depth may change before."""
    while isinstance(message := await receive_hive(peer), SubPeersMsg):
        pass
    return message


# -- what is said


async def test_the_first_message_says_our_depth(node: LabNode) -> None:
    async with overlay_peer(node, 2) as peer:
        await greet(peer, 2)
        assert await receive_hive(peer) == SubPeersMsg(depth=0)


async def test_connected_peers_hear_of_a_new_one(node: LabNode) -> None:
    async with greeted_peer(node, 2) as first, greeted_peer(node, 3):
        assert told_of(await receive_hive(first)) == [overlay_of(3)]


async def test_who_asks_is_told_of_the_connected_peers(node: LabNode) -> None:
    async with greeted_peer(node, 2), greeted_peer(node, 3), greeted_peer(node, 4) as peer:
        peer.send(HIVE_CODE + 1, b"\xc1\x80")
        assert sorted(told_of(await receive_peers(peer))) == sorted([overlay_of(2), overlay_of(3)])
        # Once only: asked again, it has nothing new to say.
        peer.send(HIVE_CODE + 1, b"\xc1\x80")
        async with greeted_peer(node, 5):
            assert told_of(await receive_peers(peer)) == [overlay_of(5)]


async def test_hearsay_is_remembered_and_passed_on(node: LabNode) -> None:
    async with greeted_peer(node, 2) as one, greeted_peer(node, 3) as other:
        assert told_of(await receive_hive(one)) == [overlay_of(3)]
        one.send(HIVE_CODE, encode_message(PeersMsg(peers=(record_of(7),)))[1])
        assert told_of(await receive_hive(other)) == [overlay_of(7)]
        assert node.overlay.kademlia.get_known(overlay_of(7)) is not None
        assert node.overlay.kademlia.get_conn(overlay_of(7)) is None


async def test_an_empty_list_and_our_own_address_do_no_harm(node: LabNode) -> None:
    async with greeted_peer(node, 2) as peer:
        peer.send(HIVE_CODE, b"\xc1\xc0")
        peer.send(HIVE_CODE, encode_message(PeersMsg(peers=(record_of(7), record_of(1), record_of(8))))[1])
        await until(lambda: node.overlay.kademlia.get_known(overlay_of(7)))
        assert node.overlay.kademlia.get_known(overlay_of(1)) is None
        assert node.overlay.kademlia.get_known(overlay_of(8)) is None
        assert node.node.server.peer_count == 1


@pytest.mark.parametrize(
    ("code", "payload"),
    [
        (0, "c0"),
        (0, "80"),
        (0, ""),
        (0, "c1c000"),
        (0, "c2c1c0"),
        (1, "c0"),
        (1, "c2820100"),
        (1, "c20080"),
        (1, "c100"),
    ],
)
async def test_a_malformed_message_ends_the_connection(node: LabNode, code: int, payload: str) -> None:
    async with greeted_peer(node, 2) as peer:
        peer.send(HIVE_CODE + code, bytes.fromhex(payload))
        assert await told_why(peer) == DisconnectReason.SUBPROTOCOL_ERROR
        await node.events.wait(Kind.DROP)
    assert node.overlay.kademlia.conn_count == 0
    await still_welcomes(node)


# -- who is where


async def test_two_nodes_are_in_each_others_tables() -> None:
    async with line(1, 2) as (one, two):
        assert one.overlay.kademlia.neighbourhood_depth == two.overlay.kademlia.neighbourhood_depth == 0
        added, joined = (one.events.of(kind)[0] for kind in (Kind.ADD, Kind.KAD_ON))
        assert added.peer == joined.peer == two.enode.id.hex()
        assert joined.protocol == "hive"
        record = one.overlay.record(two.enode.id)
        assert record is not None
        assert (record.overlay, record.underlay_text) == (two.address, two.enode.url)
        one.node.server.remove_peer(two.enode.id)
        await until(lambda: not one.knows(two) and not two.knows(one))
        assert one.overlay.record(two.enode.id) is None


async def test_notify_depth_reaches_every_peer(node: LabNode) -> None:
    async with greeted_peer(node, 2) as peer, await node.node.attach() as client:
        await client.call("hive_notifyDepth", 5)
        assert await receive_hive(peer) == SubPeersMsg(depth=5)


async def test_the_hive_api_shows_the_table() -> None:
    async with line(1, 2) as (one, two), await one.node.attach() as client:
        assert f" {two.address.hex()[:4]} " in await client.call("hive_string")
        peer = await client.call("hive_peer", two.enode.id.hex())
        assert peer.keys() == {"OAddr", "UAddr", "Capabilities"}
        assert await client.call("hive_peer", "00" * 32) is None
        assert await client.call("bzz_string") == "0:1100110000000001,1:11000110"


async def test_stopping_leaves_the_tables_of_the_others(node: LabNode) -> None:
    async with lab_node(2) as other:
        await connect(node, other)
    await until(lambda: not node.overlay.kademlia.conn_count)


# -- connecting by themselves


@contextlib.asynccontextmanager
async def network(count: int, *, auto_connect: bool) -> AsyncIterator[list[LabNode]]:
    """Nodes that know of each other what their one bootnode tells them."""
    async with contextlib.AsyncExitStack() as stack:
        boot = await stack.enter_async_context(lab_node(1, auto_connect=auto_connect))
        nodes = [boot]
        for number in range(2, count + 1):
            node = lab_node(number, auto_connect=auto_connect, bootnodes=[boot.enode])
            nodes.append(await stack.enter_async_context(node))
        yield nodes


async def test_nodes_with_one_bootnode_find_each_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "TICK_INTERVAL_S", 0.02)
    async with network(6, auto_connect=True) as nodes:
        tables: list[OverlayService] = [node.overlay for node in nodes]
        await until(lambda: all(t.kademlia.known_count == 5 for t in tables), timeout_s=15)
        # Not everybody with everybody: nobody is dialed for a bin that has what it should.
        pots = peer_pots([table.overlay for table in tables])
        await until(
            lambda: all(check_health(table.kademlia, pots[table.overlay]).healthy for table in tables), timeout_s=15
        )
        suggested = [event for node in nodes[1:] for event in node.events.of(Kind.DIAL) if not event.control]
        assert suggested, "the overlay, not a bootnode list, brought most of them together"


async def test_a_suggested_peer_that_was_lost_is_back_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not only after the half minute for which a dialed node is left alone: it is a local network."""
    monkeypatch.setattr(service, "TICK_INTERVAL_S", 0.05)
    monkeypatch.setattr(service, "STEADY_S", 0.0)
    async with lab_node(1, auto_connect=True) as one, lab_node(2) as two:
        known = BzzAddr.of(two.overlay.overlay, two.enode.url, FULL_CAPABILITIES)
        one.overlay.kademlia.register([known], asyncio.get_running_loop().time())
        for _ in range(3):
            await until(lambda: one.knows(two) and two.knows(one))
            (peer,) = two.node.server.peers
            peer.disconnect()
            await until(lambda: not one.knows(two))


async def test_who_got_rid_of_us_is_left_alone_for_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "TICK_INTERVAL_S", 0.01)
    async with lab_node(1, auto_connect=True) as one, lab_node(2) as two:
        known = BzzAddr.of(two.overlay.overlay, two.enode.url, FULL_CAPABILITIES)
        one.overlay.kademlia.register([known], asyncio.get_running_loop().time())
        await until(lambda: one.knows(two) and two.knows(one))
        ticks: list[object] = []
        suggest = one.overlay.kademlia.suggest_peer
        monkeypatch.setattr(one.overlay.kademlia, "suggest_peer", lambda now: ticks.append(now) or suggest(now))
        two.node.server.peers[0].disconnect()
        await until(lambda: not one.knows(two))
        seen = len(ticks)
        await until(lambda: len(ticks) > seen + 20)
        assert len(one.events.of(Kind.DIAL)) == 1


async def test_without_auto_connect_nobody_is_dialed_but_the_bootnode() -> None:
    async with network(4, auto_connect=False) as nodes:
        boot, others = nodes[0], nodes[1:]
        await until(lambda: boot.overlay.kademlia.conn_count == 3)
        await until(lambda: all(node.overlay.kademlia.known_count == 3 for node in others))  # they do know
        assert [node.overlay.kademlia.conn_count for node in others] == [1, 1, 1]
        assert not boot.events.of(Kind.DIAL)
        assert [{event.peer for event in node.events.of(Kind.DIAL)} for node in others] == [{boot.enode.id.hex()}] * 3
        assert all(len(node.overlay._tasks) == 0 for node in nodes), "the loop that dials does not even run"


# -- a peer that reads too slowly


async def test_a_slow_peer_is_told_once_it_reads_again(node: LabNode) -> None:
    """What is not sent to it because its socket is full does not count as seen."""
    async with greeted_peer(node, 2) as slow, greeted_peer(node, 3) as one, greeted_peer(node, 4) as other:
        pipes = node.node.server.peer(make_key(2).public.node_id).pipes  # type: ignore[union-attr]
        while not pipes["hive"].congested:
            pipes["pss"].send_nowait(0, os.urandom(1 << 18))
            await asyncio.sleep(0)
        told_7 = encode_message(PeersMsg(peers=(record_of(7),)))[1]
        one.send(HIVE_CODE, told_7)
        await until(lambda: node.overlay.kademlia.get_known(overlay_of(7)))
        assert pipes["hive"].congested
        node.overlay.send_depth(9)  # small, and nobody would repeat it: sent all the same
        heard: list[HiveMessage] = []
        while SubPeersMsg(depth=9) not in heard:
            message = await slow.receive()
            if message.code in (HIVE_CODE, HIVE_CODE + 1):
                heard.append(decode_hive(message.code - HIVE_CODE, message.payload))
        told = [told_of(message) for message in heard if isinstance(message, PeersMsg)]
        assert [overlay_of(7)] not in told
        await until(lambda: not pipes["hive"].congested)
        other.send(HIVE_CODE, told_7)
        assert told_of(await receive_peers(slow)) == [overlay_of(7)]
