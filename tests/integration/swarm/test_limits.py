"""A stranger cannot fill a node's memory through the overlay protocols."""

from __future__ import annotations

import pytest

from node.devp2p.messages import BASE_LENGTH
from node.disconnect import DisconnectReason
from node.swarm.service import MAX_WIRE_BYTES
from tests.support.nodes import lab_node, overlay_peer, still_welcomes, told_why


@pytest.mark.parametrize("code", [0, 1, 2], ids=["bzz", "hive peers", "hive depth"])
async def test_what_no_overlay_message_can_be_is_refused(code: int) -> None:
    """Also before the bzz handshake, when hive does not read yet and everything would wait in its inbox."""
    async with lab_node(1) as node:
        async with overlay_peer(node, 2) as peer:
            peer.send(BASE_LENGTH + code, bytes(MAX_WIRE_BYTES + 1))
            assert await told_why(peer) == DisconnectReason.SUBPROTOCOL_ERROR
        await still_welcomes(node)
