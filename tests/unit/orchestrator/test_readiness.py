"""How far a lab has to have come: up, connected, healthy."""

from __future__ import annotations

import dataclasses
from types import SimpleNamespace
from typing import Any, cast

import pytest

from node.control.gen import control_pb2 as pb
from orchestrator.node_handle import NodeHandle
from orchestrator.readiness import missing
from orchestrator.spec import Readiness
from orchestrator.topology import make_spec

SPEC = make_spec("x", kind="line", n=3, seed=1)


def node(*, peers: list[str], table: list[str]) -> NodeHandle:
    """n01, connected with some, and with some in its kademlia table."""
    bins: dict[int, list[bytes]] = {}
    own = SPEC.node("n01").overlay
    for name in table:
        overlay = SPEC.node(name).overlay
        order = 256 - (int.from_bytes(own, "big") ^ int.from_bytes(overlay, "big")).bit_length()
        bins.setdefault(order, []).append(bytes(overlay))
    control = SimpleNamespace(
        peers=lambda: [pb.Peer(node_id=SPEC.node(name).id) for name in peers],
        kademlia=lambda: pb.Kademlia(bins=[pb.Bin(po=order, connected=found) for order, found in bins.items()]),
    )
    return cast(NodeHandle, SimpleNamespace(name="n01", control=cast(Any, control)))


@pytest.mark.parametrize(
    ("peers", "table", "ready"),
    [
        ([], [], {"up"}),
        (["alice"], ["alice"], {"up"}),
        (["alice", "bob"], [], {"up", "connected"}),
        (["alice", "bob"], ["alice", "bob"], {"up", "connected", "healthy"}),
    ],
)
def test_ready_when(peers: list[str], table: list[str], ready: set[str]) -> None:
    asked = node(peers=peers, table=table)
    found = {when.value for when in Readiness if not missing(dataclasses.replace(SPEC, ready_when=when), asked)}
    assert found == ready
