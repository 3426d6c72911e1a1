"""Node objects to control messages and back."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from node.control.gen import control_pb2 as pb
from node.events import EventFilter, Kind, NodeEvent

if TYPE_CHECKING:  # callers load this module too, and have no use for what runs a node
    from node.p2p.peer import Peer
    from node.swarm.address import BzzAddr
    from node.swarm.kademlia import Kademlia


def peer_to_pb(peer: Peer, address: BzzAddr | None) -> pb.Peer:
    return pb.Peer(
        node_id=peer.id,
        enode=peer.node.url,
        client=peer.name,
        caps=[str(cap) for cap in peer.caps],
        inbound=peer.inbound,
        static=peer.static,
        trusted=peer.trusted,
        local=peer.link.local,
        remote=peer.link.remote,
        overlay=address.overlay if address else b"",
    )


def kademlia_to_pb(table: Kademlia[Peer], text: str) -> pb.Kademlia:
    bins: dict[int, pb.Bin] = {}
    for po, known in table.known_bins():
        bins.setdefault(po, pb.Bin(po=po)).known.extend(entry.address.overlay for entry in known)
    for po, connected in table.conn_bins():
        bins.setdefault(po, pb.Bin(po=po)).connected.extend(address.overlay for address in connected)
    return pb.Kademlia(
        self=table.base,
        depth=table.neighbourhood_depth,
        saturation=table.saturation_depth,
        bins=[bins[po] for po in sorted(bins)],
        text=text,
    )


def event_to_pb(event: NodeEvent, node: str) -> pb.Event:
    return pb.Event(
        seq=event.seq,
        wall_s=event.wall_s,
        mono_s=event.mono_s,
        node=node,
        kind=event.kind,
        peer=event.peer,
        protocol=event.protocol,
        code=event.code,
        size=event.size,
        digest=event.digest,
        reason=event.reason,
        control=event.control,
        local=event.local,
        remote=event.remote,
        data_json=json.dumps(event.data) if event.data else "",
    )


def filter_from_pb(request: pb.StreamEventsRequest) -> EventFilter:
    """What a request wants; filters of one protocol widen each other.

    Raises:
        ValueError: no such kind of event.
    """
    try:
        kinds = frozenset(Kind(kind) for kind in request.kinds)
    except ValueError as error:
        raise ValueError(f"kinds: {error}") from None
    protocols: dict[str, frozenset[int] | None] = {}
    for one in request.filters:
        known = protocols.get(one.protocol, frozenset())
        protocols[one.protocol] = known | frozenset(one.codes) if one.codes and known is not None else None
    return EventFilter(kinds=kinds, protocols=protocols, digest=request.digest)


def filter_to_pb(only: EventFilter) -> pb.StreamEventsRequest:
    """A request for events; whether for those that are remembered or those that happen is left open."""
    return pb.StreamEventsRequest(
        kinds=sorted(only.kinds),
        digest=only.digest,
        filters=[pb.EventFilter(protocol=name, codes=sorted(codes or ())) for name, codes in only.protocols.items()],
    )


def event_from_pb(message: pb.Event) -> NodeEvent:
    """The event of another node, for those who read them over control."""
    return NodeEvent(
        seq=message.seq,
        wall_s=message.wall_s,
        mono_s=message.mono_s,
        kind=Kind(message.kind),
        peer=message.peer,
        protocol=message.protocol,
        code=message.code if message.HasField("code") else None,
        size=message.size if message.HasField("size") else None,
        digest=message.digest,
        reason=message.reason,
        control=message.control,
        local=message.local,
        remote=message.remote,
        data=json.loads(message.data_json) if message.data_json else {},
    )
