"""Keys from the seed: always the same, and different wherever they should be."""

from __future__ import annotations

import hashlib

import pytest

from orchestrator import identity
from orchestrator.identity import MIN_NETWORK_ID, derive_key, make_node, network_id_for


def test_key_is_the_digest_of_what_it_is_for() -> None:
    expected = hashlib.sha256(b"pss-lab key v1\x0042\0line3\0alice\0bzz\x000").digest()
    assert derive_key(42, "line3", "alice", "bzz").secret == expected


def test_every_part_counts() -> None:
    keys = {
        derive_key(seed, lab, node, purpose).secret
        for seed in (1, 2)
        for lab in ("a", "b")
        for node in ("a", "b")
        for purpose in ("node", "bzz")
    }
    assert len(keys) == 16


def test_the_next_digest_is_taken_when_one_is_no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    third = hashlib.sha256(b"third").digest()
    digests = iter([bytes(32), b"\xff" * 32, third])
    monkeypatch.setattr(identity, "_digest", lambda *parts: next(digests))
    assert derive_key(1, "a", "b", "node").secret == third


def test_network_ids() -> None:
    ids = {network_id_for(seed, name) for seed in range(100) for name in ("a", "b")}
    assert len(ids) == 200
    assert all(MIN_NETWORK_ID <= network_id < 2**32 for network_id in ids)


def test_make_node() -> None:
    node = make_node(7, "lab", "n01", role="relay")
    assert (node.name, node.role) == ("n01", "relay")
    assert node.node_key.secret == derive_key(7, "lab", "n01", "node").secret
    assert node.overlay == derive_key(7, "lab", "n01", "bzz").public.overlay
    assert node.node_key.secret.hex() not in repr(node)
