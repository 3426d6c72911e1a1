"""What the end-to-end tests count as left in the engine: all of this run, and nothing of other people's labs."""

from __future__ import annotations

import datetime
from pathlib import Path

from orchestrator import labels
from orchestrator.topology import make_spec
from tests.e2e.conftest import left_behind

BASE = Path("/tmp/pytest-of-me/pytest-7")
SPEC = make_spec("line3", kind="line", n=3, seed=1)
NOW = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)


def of_lab(place: Path) -> dict[str, dict[str, str]]:
    """Of each kind one thing of a lab, with the labels that the runtime gives it."""
    made = {
        "node": labels.for_node(SPEC, "id", SPEC.nodes[0], created=NOW),
        "gateway": labels.for_gateway(SPEC, "id", created=NOW),
        "helper": labels.for_helper(SPEC, "id", "cut", created=NOW),
        "network": labels.for_network(SPEC, "id", "data", created=NOW),
    }
    return {f"{place.name}-{name}": carried | {labels.STATE_DIR: str(place)} for name, carried in made.items()}


def test_labs_of_this_run_and_of_nobody_else() -> None:
    ours = of_lab(BASE / "test_one0" / ".lab" / "ours")
    theirs = of_lab(Path("/home/you/.lab/theirs")) | of_lab(BASE.with_name("pytest-70") / "labs0" / "other")
    left = left_behind(ours | theirs, set(), BASE)
    assert left == (sorted(ours), [])
    assert left_behind(ours | theirs, {*ours}, BASE) == ([], [])


def test_what_belongs_to_no_lab_counts_unless_it_was_there() -> None:
    doctor = {labels.KIND: labels.KIND_HELPER, labels.ROLE: "doctor"}
    compose = {labels.KIND: labels.KIND_NET, labels.LAB: "line3"}
    things = {"lab-doctor-1": doctor, "lab-doctor-2": doctor, "test-line3_data": compose}
    assert left_behind(things, {"lab-doctor-1"}, BASE) == ([], ["lab-doctor-2", "test-line3_data"])
