"""A stranger cannot fill a node's memory through the overlay protocols."""

from __future__ import annotations

import pytest

from node.devp2p.messages import BASE_LENGTH
from node.disconnect import DisconnectReason
from node.enode import parse_enode
from node.swarm import service
from node.swarm.address import BzzAddr
from node.swarm.capability import FULL_CAPABILITIES
from node.swarm.service import MAX_WIRE_BYTES
from tests.support.keys import make_key
from tests.support.nodes import LabNode, bzz_key, lab_node, line, overlay_peer, still_welcomes, told_why


@pytest.mark.parametrize("code", [0, 1, 2], ids=["bzz", "hive peers", "hive depth"])
async def test_what_no_overlay_message_can_be_is_refused(code: int) -> None:
    """Also before the bzz handshake, when hive does not read yet and everything would wait in its inbox."""
    async with lab_node(1) as node:
        async with overlay_peer(node, 2) as peer:
            peer.send(BASE_LENGTH + code, bytes(MAX_WIRE_BYTES + 1))
            assert await told_why(peer) == DisconnectReason.SUBPROTOCOL_ERROR
        await still_welcomes(node)


def suggest(node: LabNode, number: int) -> bytes:
    """Have a node dial a suggested peer that nobody runs; the ID it would have."""
    nobody = make_key(number).public
    url = f"enode://{nobody.raw.hex()}@127.0.0.1:1"
    suggest_to(node, BzzAddr.of(bzz_key(number).public.overlay, url, FULL_CAPABILITIES))
    return nobody.node_id


def suggest_to(node: LabNode, address: BzzAddr) -> None:
    node.overlay._dial(node.node.server, address)


def wanted(node: LabNode) -> list[bytes]:
    """Whom the server tries to stay connected with."""
    return [static.id for static in node.node.server._dialer.nodes]


async def test_suggestions_do_not_pile_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "MAX_SUGGESTED", 2)
    async with lab_node(1) as node:
        first, second = suggest(node, 11), suggest(node, 12)
        suggest(node, 11)  # the latest again
        third = suggest(node, 13)
        assert sorted(wanted(node)) == sorted([first, third])
        assert second not in wanted(node)


async def test_a_connected_node_is_not_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "MAX_SUGGESTED", 1)
    async with line(2, 1) as (other, node):  # the other one dialed, so nobody asked us to
        suggest_to(node, BzzAddr.of(other.overlay.overlay, other.enode.url, FULL_CAPABILITIES))
        assert suggest(node, 11) not in wanted(node), "there is no room, and nobody to give way"
        assert node.node.server.peer(other.enode.id) is not None
        assert wanted(node) == [other.enode.id]


async def test_bootnodes_are_not_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "MAX_SUGGESTED", 1)
    key = make_key(11).public
    async with lab_node(1, bootnodes=[parse_enode(f"enode://{key.raw.hex()}@127.0.0.1:1")]) as node:
        suggest(node, 11)
        suggest(node, 12)
        last = suggest(node, 13)
        assert wanted(node) == [key.node_id, last]
