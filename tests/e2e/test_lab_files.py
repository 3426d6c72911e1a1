"""Every lab file of the repository: up, played, verified, down, in containers where there is an engine."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.labfile import load_lab_file
from orchestrator.stock import STOCK_DIRECTORY
from tests.e2e.conftest import Factory

ROOT = Path(__file__).parents[2]
FILES = [*sorted((ROOT / "examples").rglob("*.lab.yml")), *sorted(STOCK_DIRECTORY.glob("*.lab.yml"))]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name.removesuffix(".lab.yml"))
def test_a_lab_file_does_what_it_says(path: Path, lab_factory: Factory) -> None:
    spec = load_lab_file(path.read_text(), source=str(path))
    lab = lab_factory(spec)
    assert lab.running == set(spec.node_names)
    played = lab.play()
    assert [report.traffic.name for report in played if not report.passed] == []
    lab.wait_ready()
    results = list(lab.verify())
    assert len(results) == len(spec.checks)
    assert [(one.check.id, one.found) for one in results if not one.passed] == []
    last = spec.node_names[-1]
    assert lab.send(spec.node_names[0], last, path.name.encode()).payload == path.name.encode()
    assert lab.faults.state().faults == list(spec.net)


def test_placed_addresses_route_as_they_were_placed(lab_factory: Factory) -> None:
    """Each hop is nearer to bob's address; the decoy, who is linked with him, is not asked."""
    lab = lab_factory(ROOT / "examples" / "labs" / "placed.lab.yml")
    addresses = {node.name: node.overlay for node in lab.spec.nodes}
    assert addresses["alice"][0] >> 5 == 0
    assert addresses["bob"][0] >> 5 == 0b111
    journey = lab.send("alice", "bob", b"nearer", mode="raw").journey
    assert [hop.receiver for hop in journey.path_to("bob")] == ["mid", "near", "bob"]


def test_across_a_partition_nothing_arrives_while_it_lasts(lab_factory: Factory) -> None:
    """Of what is sent across every half second, what falls into the two seconds of the partition is lost."""
    lab = lab_factory(ROOT / "examples" / "labs" / "split.lab.yml")
    across, inside = lab.play()
    assert (inside.tally.sent, inside.tally.delivered) == (20, 20)
    assert across.tally.sent == 10
    assert 1 <= across.tally.delivered <= 8
