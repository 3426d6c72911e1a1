"""The call that puts conditions on links, between its messages and :mod:`node.p2p.shaper`."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Iterable

from node.control.gen import control_pb2 as pb
from node.errors import LabError, PeerDisconnected
from node.ids import NODE_ID_BYTES, NodeId
from node.p2p.peer import Peer
from node.p2p.server import Server
from node.p2p.shaper import NONE, Conditions

MAX_DELAY_S = 60.0
"""Of delay and jitter; ours. A connection that is silent for 30 s ends anyway."""


class InvalidField(LabError):
    """A request field that makes no sense; the text names it."""


def conditions_from_pb(links: Iterable[pb.LinkConditions]) -> dict[NodeId, Conditions]:
    """By peer.

    Raises:
        InvalidField: an identifier or a quantity that makes no sense.
    """
    found = {}
    for link in links:
        if len(link.node_id) != NODE_ID_BYTES:
            raise InvalidField(f"node_id: want {NODE_ID_BYTES} bytes, got {len(link.node_id)}")
        for name, value, most in (
            ("delay_s", link.delay_s, MAX_DELAY_S),
            ("jitter_s", link.jitter_s, MAX_DELAY_S),
            ("loss", link.loss, 1.0),
            ("rate_bps", link.rate_bps, math.inf),
        ):
            if not 0 <= value <= most or math.isinf(value):
                raise InvalidField(f"{name}: want 0 to {most:g}, got {value:g}")
        found[NodeId(link.node_id)] = Conditions(
            delay_s=link.delay_s,
            jitter_s=link.jitter_s,
            loss=link.loss,
            rate_bps=link.rate_bps,
            blocked=link.blocked,
        )
    return found


async def tell_links(server: Server, *, probe_s: float) -> pb.SetLinkConditionsResponse:
    """How the links are; with `probe_s`, the round trips, all measured at once."""
    peers = {peer.id: peer for peer in server.peers}
    times: dict[NodeId, float] = {}
    if probe_s:
        measured = await asyncio.gather(*(_round_trip_s(peer, probe_s) for peer in peers.values()))
        times = dict(zip(peers, measured, strict=True))
    return pb.SetLinkConditionsResponse(
        links=[
            pb.LinkState(
                conditions=_to_pb(peer_id, server.shaping.conditions.get(peer_id, NONE)),
                connected=peer_id in peers,
                round_trip_s=times.get(peer_id, 0.0),
            )
            for peer_id in sorted(peers.keys() | server.shaping.conditions.keys())
        ]
    )


async def _round_trip_s(peer: Peer, timeout_s: float) -> float:
    """Seconds; 0 if no answer came in time."""
    try:
        async with asyncio.timeout(timeout_s):
            return await peer.link.measure()
    except (TimeoutError, PeerDisconnected):
        return 0.0


def _to_pb(peer_id: NodeId, one: Conditions) -> pb.LinkConditions:
    return pb.LinkConditions(
        node_id=peer_id,
        delay_s=one.delay_s,
        jitter_s=one.jitter_s,
        loss=one.loss,
        rate_bps=one.rate_bps,
        blocked=one.blocked,
    )
