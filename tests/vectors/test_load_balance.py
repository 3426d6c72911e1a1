"""Use counts of newly connected peers against the recorded ones."""

from __future__ import annotations

import pytest

from node.swarm.load_balance import LoadBalancer
from node.swarm.proximity import proximity_order
from tests.vectors.loader import Case, unhex

pytestmark = pytest.mark.vectors("pss_forward.json")


def test_use_counts(case_use_count: Case) -> None:
    base, peers = unhex(case_use_count["base"]), [unhex(peer) for peer in case_use_count["peers"]]
    balancer: LoadBalancer[bytes] = LoadBalancer()
    for op in case_use_count["ops"]:
        peer = peers[op["peer"]]
        match op["op"]:
            case "on":
                balancer.on(peer, proximity_order(base, peer))
            case "off":
                balancer.off(peer)
            case "use":
                balancer.used(peer)
        assert [balancer.count(peer) for peer in peers] == op["use_counts_after"]
