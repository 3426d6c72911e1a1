"""Sixty-four processes that know one bootnode become a healthy overlay by hive; no message is lost or doubled."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.traffic import BOOTNODE, bootnode_spec, send_between_random_pairs
from orchestrator.lab import Lab

SEED = 64
NODES = 64
MESSAGES = 2000
READY_TIMEOUT_S = 180.0
TIMEOUT_S = 400
"""For the whole test: half a minute on two cores that are free, and they may not be."""
MAX_RSS_MB = 100
"""Of one node; some 60 are usual."""


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    spec = bootnode_spec("overlay64", NODES, seed=SEED, ready_timeout_s=READY_TIMEOUT_S)
    with Lab.up(spec, runtime="process", state_root=tmp_path / "labs") as lab:
        yield lab


@pytest.mark.timeout(TIMEOUT_S)
def test_two_thousand_messages_between_random_pairs(lab: Lab) -> None:
    peers = {node.name: len(node.control.peers()) for node in lab.nodes}
    # Messages have to be relayed, or this would say nothing: only the bootnode knows everybody.
    assert peers.pop(BOOTNODE) == NODES - 1
    assert max(peers.values()) < NODES - 1
    outcome = send_between_random_pairs(lab, MESSAGES, seed=SEED)
    assert outcome.perfect, outcome
    assert max(node.info.rss_bytes for node in lab.nodes) < MAX_RSS_MB * 1e6
