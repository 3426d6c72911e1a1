"""Halves of a lab that are apart hear nothing of each other; joined again, they are one lab as before."""

from __future__ import annotations

from bench.split import MODE, SEED, split, split_spec
from orchestrator.engine import Engine
from tests.e2e.conftest import Factory

NODES = 16


def test_sixteen_nodes_in_two_halves(docker_engine: Engine, lab_factory: Factory) -> None:
    spec, left, right = split_spec("split", NODES, seed=SEED)
    lab = lab_factory(spec, runtime="docker")
    said: list[str] = []
    report = split(lab, left, right, mode=MODE, say=said.append)
    inside, across, joined = report.rounds
    half = NODES // 2
    assert report.applied
    assert (across.sent, across.arrived) == (2 * half * half, 0), across
    assert (inside.sent, inside.arrived, inside.twice) == (2 * half * (half - 1), inside.sent, 0), inside
    # split() waits for every table to be what the oracle says before it sends these.
    assert (joined.sent, joined.arrived, joined.twice) == (NODES * (NODES - 1), joined.sent, 0), joined
    assert inside.astray == joined.astray == 0
