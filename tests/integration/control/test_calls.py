"""Every call of control.proto on a live node: answers, and statuses that name what is wrong."""

from __future__ import annotations

import asyncio
import json
import os
from typing import Any

import grpc
import pytest

from node import __version__
from node.control.gen import control_pb2 as pb
from node.events import Kind
from node.ids import Topic
from node.pss.keystore import format_pubkey_id
from node.pss.outbox import Outbox
from node.swarm.health import peer_pots
from tests.support.control import Caller, refused
from tests.support.keys import make_key
from tests.support.nodes import LabNode, bzz_key, connect, lab_node
from tests.support.waiting import DEADLINE_S, until

TOPIC = bytes.fromhex("2c26b46b")
INVALID, NOT_FOUND = grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.NOT_FOUND
LATE, FULL = grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.RESOURCE_EXHAUSTED
NOT_READY = grpc.StatusCode.FAILED_PRECONDITION
PUBLIC = bzz_key(2).public.uncompressed


async def test_info(control: Caller, node: LabNode) -> None:
    info = await control.GetInfo(pb.GetInfoRequest())
    assert (info.name, info.client, info.enode) == ("alice", "node-1", node.enode.url)
    assert (info.node_id, info.overlay) == (node.enode.id, node.address)
    assert info.public_key == node.key.public.uncompressed
    assert (info.network_id, info.pid, info.version) == (4, os.getpid(), __version__)
    assert 10_000_000 < info.rss_bytes < 10_000_000_000
    assert 0 < info.uptime_s < 60


# -- peers


async def test_peers_are_listed_by_node_id(control: Caller, node: LabNode) -> None:
    assert not (await control.ListPeers(pb.ListPeersRequest())).peers
    async with lab_node(2) as two, lab_node(3) as three:
        await connect(node, two)
        await connect(three, node)
        peers = (await control.ListPeers(pb.ListPeersRequest())).peers
        assert [peer.node_id for peer in peers] == sorted([two.enode.id, three.enode.id])
        by_id = {peer.node_id: peer for peer in peers}
        dialed, accepted = by_id[two.enode.id], by_id[three.enode.id]
        assert (dialed.inbound, dialed.static, accepted.inbound, accepted.static) == (False, True, True, False)
        assert (dialed.overlay, accepted.overlay) == (two.address, three.address)
        assert list(dialed.caps) == ["bzz/14", "hive/11", "pss/2"]
        assert (dialed.client, dialed.enode, dialed.trusted) == ("node-2", two.enode.url, False)
        assert dialed.remote == two.node.server.listen_addr


async def test_connect_waits_for_both_handshakes(control: Caller, node: LabNode) -> None:
    async with lab_node(2) as other:
        request = pb.ConnectRequest(enode=other.enode.url, wait_ms=5000)
        await control.Connect(request)
        assert node.knows(other)
        await control.Connect(request)  # connected already: at once
        await control.Disconnect(pb.DisconnectRequest(node_id=other.enode.id, wait_ms=5000))
        assert node.node.server.peer_count == 0
        await control.Disconnect(pb.DisconnectRequest(node_id=other.enode.id, wait_ms=5000))
        await control.Connect(pb.ConnectRequest(enode=other.enode.url))  # does not wait
        await until(lambda: node.knows(other))


@pytest.mark.parametrize(
    ("enode", "text"),
    [
        ("", "invalid URL scheme"),
        ("nonsense", 'invalid URL scheme, want "enode"'),
        (f"enode://{'00' * 64}@127.0.0.1:1", "invalid public key"),
        (f"enode://{make_key(2).public.raw.hex()}@host:1", "invalid IP address"),
        (f"enode://{make_key(2).public.raw.hex()}", "it has no address and TCP port to dial"),
        (f"enode://{make_key(1).public.raw.hex()}@127.0.0.1:1", "that is this node"),
    ],
)
async def test_connect_to_nobody(unix: Caller, enode: str, text: str) -> None:
    await refused(unix.Connect(pb.ConnectRequest(enode=enode, wait_ms=1000)), INVALID, text)


async def test_connect_says_why_it_did_not_come_about(unix: Caller, node: LabNode) -> None:
    nobody = f"enode://{make_key(2).public.raw.hex()}@127.0.0.1:1"
    text = f"not connected with {make_key(2).public.node_id.hex()[:16]} after 100 ms: "
    await refused(unix.Connect(pb.ConnectRequest(enode=nobody, wait_ms=100)), LATE, text)
    assert node.events.of(Kind.DIAL_FAILED)[0].peer == make_key(2).public.node_id.hex()
    async with lab_node(3, network_id=5) as stranger:
        request = pb.ConnectRequest(enode=stranger.enode.url, wait_ms=500)
        await refused(unix.Connect(request), LATE, "after 500 ms: ")


@pytest.mark.parametrize("size", [0, 31, 33])
async def test_disconnect_wants_a_node_id(unix: Caller, size: int) -> None:
    await refused(
        unix.Disconnect(pb.DisconnectRequest(node_id=bytes(size))), INVALID, f"node_id: want 32 bytes, got {size}"
    )


async def test_disconnecting_a_stranger_is_fine(unix: Caller) -> None:
    await unix.Disconnect(pb.DisconnectRequest(node_id=bytes(32), wait_ms=1000))


# -- link conditions


async def test_link_conditions_are_set_told_and_measured(control: Caller, node: LabNode) -> None:
    async with lab_node(2) as other:
        await connect(node, other)
        slow = pb.LinkConditions(node_id=other.enode.id, delay_s=0.1, loss=0.0)
        absent = pb.LinkConditions(node_id=bytes(32), blocked=True)
        links = (await control.SetLinkConditions(pb.SetLinkConditionsRequest(links=[slow, absent], seed=1))).links
        by_id = {link.conditions.node_id: link for link in links}
        assert (by_id[other.enode.id].conditions, by_id[other.enode.id].connected) == (slow, True)
        assert (by_id[bytes(32)].conditions, by_id[bytes(32)].connected) == (absent, False)
        probe = pb.SetLinkConditionsRequest(keep=True, probe_ms=3000)
        measured = {link.conditions.node_id: link for link in (await control.SetLinkConditions(probe)).links}
        assert measured[other.enode.id].round_trip_s == pytest.approx(0.1, rel=0.5)
        assert measured[other.enode.id].conditions == slow
        blocked = pb.LinkConditions(node_id=other.enode.id, blocked=True)
        request = pb.SetLinkConditionsRequest(links=[blocked], probe_ms=100)
        [link] = (await control.SetLinkConditions(request)).links
        assert (link.connected, link.round_trip_s) == (True, 0.0)
        # What was held back, the Ping among it, arrives when the way is free; the connection is still the same.
        [link] = (await control.SetLinkConditions(pb.SetLinkConditionsRequest(probe_ms=3000))).links
        assert link.connected
        assert 0 < link.round_trip_s < 0.1
        assert link.conditions == pb.LinkConditions(node_id=other.enode.id)


@pytest.mark.parametrize(
    ("conditions", "text"),
    [
        (pb.LinkConditions(node_id=b"short"), "node_id: want 32 bytes, got 5"),
        (pb.LinkConditions(node_id=bytes(32), delay_s=61), "delay_s: want 0 to 60"),
        (pb.LinkConditions(node_id=bytes(32), jitter_s=-1), "jitter_s: want 0 to 60"),
        (pb.LinkConditions(node_id=bytes(32), loss=1.1), "loss: want 0 to 1"),
        (pb.LinkConditions(node_id=bytes(32), rate_bps=float("inf")), "rate_bps: want 0 to"),
        (pb.LinkConditions(node_id=bytes(32), loss=float("nan")), "loss: want 0 to 1"),
    ],
)
async def test_link_conditions_that_make_no_sense(control: Caller, conditions: pb.LinkConditions, text: str) -> None:
    await refused(control.SetLinkConditions(pb.SetLinkConditionsRequest(links=[conditions])), INVALID, text)


# -- the overlay


async def test_the_table_and_its_health(control: Caller, node: LabNode) -> None:
    async with lab_node(2) as two, lab_node(3) as three:
        await connect(node, two)
        await connect(node, three)
        table = await control.GetKademlia(pb.GetKademliaRequest())
        assert table.self == node.address
        assert (table.depth, table.saturation) == (node.overlay.kademlia.neighbourhood_depth, 0)
        assert [bin_.po for bin_ in table.bins] == sorted({bin_.po for bin_ in table.bins})
        connected = sorted(overlay for bin_ in table.bins for overlay in bin_.connected)
        assert connected == sorted([two.address, three.address])
        assert connected == sorted(overlay for bin_ in table.bins for overlay in bin_.known)
        assert node.address.hex() in table.text

        pot = peer_pots([one.overlay.overlay for one in (node, two, three)])[node.overlay.overlay]
        request = pb.CheckHealthRequest(nn_set=pot.nn_set, peers_per_bin=pot.peers_per_bin)
        health = await control.CheckHealth(request)
        assert (health.healthy, health.know_nn, health.connect_nn, health.saturated) == (True,) * 4
        request.nn_set.append(bzz_key(9).public.overlay)
        health = await control.CheckHealth(request)
        assert not health.healthy
        assert list(health.missing_know_nn) == list(health.missing_connect_nn) == [bzz_key(9).public.overlay]


async def test_health_wants_whole_addresses(unix: Caller) -> None:
    request = pb.CheckHealthRequest(nn_set=[bytes(33)])
    await refused(unix.CheckHealth(request), INVALID, "nn_set: want addresses of 32 bytes, got 33")


# -- pss


async def test_all_three_kinds_of_message(control: Caller, node: LabNode) -> None:
    async with lab_node(2) as bob, asyncio.timeout(DEADLINE_S):
        await connect(node, bob)
        bob.listen(Topic(TOPIC), raw=True)
        peer = await control.SetPeerKey(pb.SetPeerKeyRequest(public_key=PUBLIC, topic=TOPIC, address=bob.address))
        assert peer.key_id == format_pubkey_id(bob.key.public)
        made = await control.SetSymmetricKey(pb.SetSymmetricKeyRequest(topic=TOPIC, address=bob.address))
        assert len(made.key) == 32
        bob.pss.keys.set_symmetric_key(made.key, Topic(TOPIC), b"", add_to_cache=True)
        given = await control.SetSymmetricKey(pb.SetSymmetricKeyRequest(key=made.key, topic=TOPIC, receive=True))
        assert (given.key, given.key_id != made.key_id) == (made.key, True)

        sends: list[dict[str, Any]] = [
            {"mode": pb.MODE_RAW, "address": bob.address},
            {"mode": pb.MODE_SYM, "key_id": made.key_id},
            {"mode": pb.MODE_ASYM, "key_id": peer.key_id},
        ]
        digests = [(await control.Send(pb.SendRequest(topic=TOPIC, payload=b"hi", **one))).digest for one in sends]
        await until(lambda: len(bob.inbox) == 3)
        assert [delivery.digest for delivery in bob.inbox] == digests
        assert [delivery.payload for delivery in bob.inbox] == [b"hi"] * 3


@pytest.mark.parametrize(
    ("method", "request_", "code", "text"),
    [
        ("Send", pb.SendRequest(topic=TOPIC, payload=b"x"), INVALID, "mode: want MODE_RAW, MODE_SYM or MODE_ASYM"),
        ("Send", pb.SendRequest(mode=7, topic=TOPIC), INVALID, "mode: want"),  # type: ignore[arg-type]
        ("Send", pb.SendRequest(mode=pb.MODE_RAW, topic=b"abc"), INVALID, "topic: want 4 bytes, got 3"),
        ("Send", pb.SendRequest(mode=pb.MODE_RAW), INVALID, "topic: want 4 bytes, got 0"),
        (
            "Send",
            pb.SendRequest(mode=pb.MODE_RAW, topic=TOPIC, address=bytes(33)),
            INVALID,
            "address: want 0 to 32 bytes, got 33",
        ),
        (
            "Send",
            pb.SendRequest(mode=pb.MODE_RAW, topic=TOPIC, payload=bytes(1_048_600)),
            INVALID,
            "message too long: 1048600 >",
        ),
        ("Send", pb.SendRequest(mode=pb.MODE_SYM, topic=TOPIC, key_id="x"), NOT_FOUND, "non-existent key ID"),
        ("Send", pb.SendRequest(mode=pb.MODE_ASYM, topic=TOPIC, key_id="x"), NOT_FOUND, "Cannot unmarshal pubkey"),
        (
            "Send",
            pb.SendRequest(mode=pb.MODE_ASYM, topic=TOPIC, key_id=format_pubkey_id(bzz_key(2).public)),
            NOT_FOUND,
            "invalid topic '0x2c26b46b' for pubkey",
        ),
        ("SetPeerKey", pb.SetPeerKeyRequest(topic=TOPIC), INVALID, "public_key: "),
        ("SetPeerKey", pb.SetPeerKeyRequest(public_key=b"\x04" + bytes(64), topic=TOPIC), INVALID, "public_key: "),
        ("SetPeerKey", pb.SetPeerKeyRequest(public_key=PUBLIC), INVALID, "topic: want 4 bytes, got 0"),
        (
            "SetPeerKey",
            pb.SetPeerKeyRequest(public_key=PUBLIC, topic=TOPIC, address=bytes(33)),
            INVALID,
            "address: want 0 to 32 bytes, got 33",
        ),
        ("SetSymmetricKey", pb.SetSymmetricKeyRequest(), INVALID, "topic: want 4 bytes, got 0"),
        (
            "SetSymmetricKey",
            pb.SetSymmetricKeyRequest(key=bytes(31), topic=TOPIC),
            INVALID,
            "key: want 32 bytes or none, got 31",
        ),
        (
            "SetSymmetricKey",
            pb.SetSymmetricKeyRequest(topic=TOPIC, address=bytes(40)),
            INVALID,
            "address: want 0 to 32 bytes, got 40",
        ),
    ],
)
async def test_what_is_refused(unix: Caller, method: str, request_: object, code: grpc.StatusCode, text: str) -> None:
    await refused(getattr(unix, method)(request_), code, text)


async def test_a_full_outbox(unix: Caller, node: LabNode) -> None:
    node.pss._outbox = Outbox(max_messages=0)
    request = pb.SendRequest(mode=pb.MODE_RAW, topic=TOPIC, payload=b"x")
    await refused(unix.Send(request), FULL, "outbox is full")


# -- JSON-RPC


async def test_any_method(control: Caller, node: LabNode) -> None:
    answer = await control.Call(pb.CallRequest(method="admin_nodeInfo"))
    assert (answer.error_code, json.loads(answer.result_json)["enode"]) == (0, node.enode.url)
    answer = await control.Call(pb.CallRequest(method="pss_stringToTopic", params_json='["foo"]'))
    assert answer.result_json == '"0x2c26b46b"'
    answer = await control.Call(pb.CallRequest(method="pss_getPeerTopics", params_json='["0x"]'))
    assert answer.result_json == "null"


@pytest.mark.parametrize(
    ("method", "params", "code", "text"),
    [
        ("pss_nonsense", "[]", -32601, "the method pss_nonsense does not exist/is not available"),
        ("pss_stringToTopic", "[]", -32602, "missing value for required argument 0"),
        ("pss_sendRaw", '["0x", "0x01", "0x"]', -32000, "invalid message length"),
        ("", "", -32600, ""),
    ],
)
async def test_errors_of_a_method_are_part_of_the_answer(
    unix: Caller, method: str, params: str, code: int, text: str
) -> None:
    answer = await unix.Call(pb.CallRequest(method=method, params_json=params))
    assert (answer.error_code, answer.result_json) == (code, "")
    assert text in answer.error_message


@pytest.mark.parametrize("params", ["{}", "1", "nonsense", '"foo"', "[", "[" * 100_000])
async def test_parameters_that_are_no_array(unix: Caller, params: str) -> None:
    await refused(unix.Call(pb.CallRequest(method="pss_baseAddr", params_json=params)), INVALID, "params_json: ")


async def test_a_node_that_stopped_is_not_ready(unix: Caller, node: LabNode) -> None:
    await node.node.stop()
    for call in (
        unix.GetInfo(pb.GetInfoRequest()),
        unix.ListPeers(pb.ListPeersRequest()),
        unix.Connect(pb.ConnectRequest(enode=f"enode://{make_key(2).public.raw.hex()}@127.0.0.1:1")),
        unix.Call(pb.CallRequest(method="admin_peers")),
    ):
        await refused(call, NOT_READY, "node not started")
