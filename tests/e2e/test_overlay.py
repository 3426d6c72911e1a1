"""Nodes that know one bootnode find their places by hive alone, and messages between any two arrive."""

from __future__ import annotations

from bench.traffic import bootnode_spec, send_between_random_pairs
from tests.e2e.conftest import Factory

SEED = 11
NODES = 16
MESSAGES = 1000
READY_TIMEOUT_S = 60.0


def test_sixteen_nodes_and_a_thousand_messages(lab_factory: Factory) -> None:
    """Ready means healthy here: every node has the neighbours and bins that all addresses say it should have."""
    lab = lab_factory(bootnode_spec("hive", NODES, seed=SEED, ready_timeout_s=READY_TIMEOUT_S))
    outcome = send_between_random_pairs(lab, MESSAGES, seed=SEED)
    assert outcome.perfect, outcome
