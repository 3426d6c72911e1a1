"""The bzz handshake on real sockets, and what happens to peers that get it wrong (spec 05 section 5)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from node.disconnect import DisconnectReason
from node.errors import RPCError
from node.events import Kind
from node.swarm import handshake
from node.swarm.capability import FULL_CAPABILITIES, LIGHT_CAPABILITIES, Capabilities, parse_capabilities
from node.swarm.messages import SubPeersMsg
from tests.support.nodes import (
    BZZ,
    BZZ_CODE,
    HIVE,
    HIVE_CODE,
    PSS,
    LabNode,
    bzz_key,
    connect,
    greet,
    greeted_peer,
    handshake_of,
    lab_node,
    overlay_peer,
    receive_handshake,
    receive_hive,
    still_welcomes,
    told_why,
)
from tests.support.waiting import until

ILLEGAL = "0:1111111111111111"


@pytest.fixture
async def node() -> AsyncIterator[LabNode]:
    async with lab_node(1) as running:
        yield running


# -- welcome


async def test_the_node_speaks_first(node: LabNode) -> None:
    """Either order is right for a dialer; our listener does not wait (spec 05 section 5.2)."""
    async with overlay_peer(node, 2) as peer:
        said = await receive_handshake(peer)
    assert (said.version, said.network_id) == (14, 4)
    assert said.address.overlay == bzz_key(1).public.overlay
    assert said.address.underlay_text == node.enode.url
    assert said.address.capabilities == FULL_CAPABILITIES


async def test_a_light_node_says_so() -> None:
    async with lab_node(1, light=True) as node, overlay_peer(node, 2) as peer:
        assert (await receive_handshake(peer)).address.capabilities == LIGHT_CAPABILITIES


@pytest.mark.parametrize(
    "capabilities",
    [
        FULL_CAPABILITIES,
        LIGHT_CAPABILITIES,
        parse_capabilities("0:1100110000000001"),
        parse_capabilities("7:11,0:1100000000000000,1:00000000"),
    ],
    ids=str,
)
async def test_legal_capabilities_get_into_the_table(node: LabNode, capabilities: Capabilities) -> None:
    async with overlay_peer(node, 2) as peer:
        await greet(peer, 2, capabilities=capabilities)
        assert await receive_hive(peer) == SubPeersMsg(depth=0)
        event = await node.events.wait(Kind.KAD_ON)
        assert event.data["overlay"] == bzz_key(2).public.overlay.hex()
        assert event.data.keys() == {"overlay", "po", "depth"}
        known = node.overlay.kademlia.get_conn(bzz_key(2).public.overlay)
        assert known is not None
        assert known.address.capabilities == capabilities
    assert (await node.events.wait(Kind.KAD_OFF)).data["overlay"] == bzz_key(2).public.overlay.hex()


async def test_a_capability_that_is_registered_is_announced_from_then_on(node: LabNode) -> None:
    async with greeted_peer(node, 2), await node.node.attach() as client:
        assert await client.call("bzz_registerCapability", {"Id": 9, "Cap": [True, False]}) is None
        assert await client.call("bzz_string") == f"{FULL_CAPABILITIES},9:10"
        assert await client.call("bzz_get", 9) == {"Id": 9, "Cap": [True, False]}
        assert await client.call("bzz_isRegisteredCapability", 9) is True
        assert [await client.call("bzz_matchCapability", 9, index) for index in (0, 1)] == [True, False]
        async with overlay_peer(node, 3) as peer:
            said = await greet(peer, 3)
            assert str(said.address.capabilities) == f"{FULL_CAPABILITIES},9:10"
        # Who is connected is not told again: a second bzz message is an offence.
        assert node.node.server.peer_count >= 1
        for taken in (0, 1, 9):
            with pytest.raises(RPCError, match=f"Capability id {taken} already registered"):
                await client.call("bzz_registerCapability", {"Id": taken, "Cap": []})


async def test_no_more_capabilities_than_others_take(node: LabNode) -> None:
    async with await node.node.attach() as client:
        with pytest.raises(RPCError, match=r"Capabilities too long: \d+ > 1024 bytes"):
            await client.call("bzz_registerCapability", {"Id": 9, "Cap": [True] * 1000})
        assert await client.call("bzz_string") == str(FULL_CAPABILITIES)
        await client.call("bzz_registerCapability", {"Id": 9, "Cap": [True] * 900})
    await still_welcomes(node)
    async with lab_node(2) as other:
        await connect(other, node)


async def test_the_settings_show_what_is_public(node: LabNode) -> None:
    async with await node.node.attach() as client:
        info = await client.call("bzz_info")
    assert info == {
        "NetworkID": 4,
        "BzzKey": "0x" + node.address.hex(),
        "PublicKey": "0x" + bzz_key(1).public.uncompressed.hex(),
        "Enode": node.enode.url,
        "Pss": info["Pss"],
    }
    for key in (bzz_key(1), node.node.server.key):
        assert key.secret.hex() not in str(info)


# -- refused


@pytest.mark.parametrize(
    ("payload", "text"),
    [
        (handshake_of(2, network_id=3), "network id mismatch 3 (!= 4)"),
        (handshake_of(2, version=13), "version mismatch 13 (!= 14)"),
        (handshake_of(2, network_id=3, version=13), "network id mismatch 3 (!= 4)"),
        (handshake_of(2, capabilities=parse_capabilities(ILLEGAL)), f"invalid capabilities setting: {ILLEGAL}"),
        (handshake_of(2, capabilities=parse_capabilities("0:11001100")), "invalid capabilities setting: 0:11001100"),
        (handshake_of(2, capabilities=Capabilities()), "invalid capabilities setting: "),
        (handshake_of(2)[:-1], ""),
        (handshake_of(2) + b"\x00", ""),
        (b"\xc0", ""),
        (b"", ""),
    ],
)
async def test_a_wrong_handshake_ends_the_connection(node: LabNode, payload: bytes, text: str) -> None:
    async with overlay_peer(node, 2) as peer:
        peer.send(BZZ_CODE, payload)
        assert await told_why(peer) == DisconnectReason.SUBPROTOCOL_ERROR
        assert text in (await node.events.wait(Kind.DROP)).reason
    assert not node.events.of(Kind.KAD_ON)
    assert not node.overlay._handshakes
    await still_welcomes(node)


async def test_a_second_bzz_message_is_an_offence(node: LabNode) -> None:
    async with greeted_peer(node, 2) as peer:
        peer.send(BZZ_CODE, handshake_of(2))
        assert await told_why(peer) == DisconnectReason.SUBPROTOCOL_ERROR
        assert "expected no bzz message after the handshake" in (await node.events.wait(Kind.DROP)).reason
    assert [event.kind for event in node.events.events][-2:] == [Kind.KAD_OFF, Kind.DROP]


async def test_two_handshakes_in_one_write_end_at_once(node: LabNode, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both are there before any protocol runs; nobody waits out a time limit."""
    async with overlay_peer(node, 2) as peer:
        peer.write(peer.frame(BZZ_CODE, handshake_of(2)) + peer.frame(BZZ_CODE, handshake_of(2)))
        assert await told_why(peer) == DisconnectReason.SUBPROTOCOL_ERROR
        await node.events.wait(Kind.DROP)
    assert not node.overlay._handshakes


# -- silence


def test_the_time_limit_is_that_of_the_specification() -> None:
    assert handshake.HANDSHAKE_TIMEOUT_S == 3.0


@pytest.mark.parametrize("caps", [[BZZ, HIVE, PSS], [BZZ], [HIVE, PSS], [BZZ, PSS]], ids=lambda caps: str(len(caps)))
async def test_silence_ends_with_the_time_limit(
    node: LabNode, caps: list[object], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where bzz is not spoken at all: hive then waits for a handshake that cannot come."""
    monkeypatch.setattr(handshake, "HANDSHAKE_TIMEOUT_S", 0.1)
    async with overlay_peer(node, 2, caps) as peer:  # type: ignore[arg-type]
        assert await told_why(peer) == DisconnectReason.SUBPROTOCOL_ERROR
        assert "no bzz handshake within 0.1 s" in (await node.events.wait(Kind.DROP)).reason
    assert not node.events.of(Kind.KAD_ON)
    assert not node.overlay._handshakes
    await still_welcomes(node)


async def test_the_clock_stops_with_the_handshake(node: LabNode, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(handshake, "HANDSHAKE_TIMEOUT_S", 0.1)
    async with greeted_peer(node, 2) as peer:
        with pytest.raises(TimeoutError):
            await peer.receive(timeout_s=0.3)
        assert node.node.server.peer_count == 1


# -- subsets of the protocols


@pytest.mark.parametrize("caps", [[BZZ], [BZZ, PSS]], ids=["bzz", "bzz and pss"])
async def test_who_does_not_speak_hive_is_never_in_the_table(node: LabNode, caps: list[object]) -> None:
    async with overlay_peer(node, 2, caps) as peer:  # type: ignore[arg-type]
        peer.send(BZZ_CODE, handshake_of(2))
        await receive_handshake(peer)
        async with greeted_peer(node, 3):
            assert node.node.server.peer_count == 2
            assert node.overlay.kademlia.conn_count == 1
    assert [event.peer for event in node.events.of(Kind.KAD_ON)] != [node.events.of(Kind.ADD)[0].peer]


async def test_who_speaks_only_pss_stays_connected(node: LabNode) -> None:
    async with overlay_peer(node, 2, [PSS]):
        await until(lambda: node.node.server.peer_count)
        async with greeted_peer(node, 3):
            assert node.node.server.peer_count == 2
        assert node.overlay.address_of(node.node.server.peers[0]) is None


async def test_hive_messages_wait_for_the_handshake(node: LabNode) -> None:
    """A message that is ahead of the handshake is not lost and not an offence."""
    async with greeted_peer(node, 3), overlay_peer(node, 2) as peer:
        await receive_handshake(peer)
        peer.send(HIVE_CODE + 1, b"\xc1\x80")
        peer.send(BZZ_CODE, handshake_of(2))
        first, second = await receive_hive(peer), await receive_hive(peer)
        assert first == SubPeersMsg(depth=0)
        assert [record.overlay for record in second.peers] == [bzz_key(3).public.overlay]  # type: ignore[union-attr]


async def test_a_peer_that_leaves_during_the_handshake_leaves_nothing_behind(node: LabNode) -> None:
    async with asyncio.timeout(5):
        async with overlay_peer(node, 2) as peer:
            await receive_handshake(peer)
        await node.events.wait(Kind.DROP)
        async with overlay_peer(node, 3, [HIVE]):
            await node.events.wait(Kind.ADD, count=2)
        await node.events.wait(Kind.DROP, count=2)
    assert not node.overlay._handshakes
