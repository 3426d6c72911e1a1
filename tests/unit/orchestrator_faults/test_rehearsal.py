"""orchestrator.faults.rehearsal: what is said of a step."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.faults.model import Conditions, Fault
from orchestrator.faults.rehearsal import CopiedStore, describe
from orchestrator.faults.store import FaultState, FaultStore
from orchestrator.faults.wanted import Action, NodeFaults, Step

NOTHING = NodeFaults()
CUT = NodeFaults(frozenset({"n02", "bob"}))
RATE, DELAY = Conditions(rate_bps=5e5), Conditions(delay_s=0.2)
MIXED = NodeFaults(frozenset({"bob"}), {"n02": DELAY}, traffic={"alice": RATE, "n03": RATE})


@pytest.mark.parametrize(
    ("action", "was", "will", "lines"),
    [
        ("pause", NOTHING, NodeFaults(paused=True), ["is frozen"]),
        ("unpause", NodeFaults(paused=True), NOTHING, ["goes on"]),
        ("network", NOTHING, CUT, ["blackhole routes to bob, n02"]),
        ("network", CUT, NOTHING, ["blackhole routes to nobody"]),
        ("network", NOTHING, MIXED, ["blackhole routes to bob", "tc: rate 500kbit to alice, n03"]),
        ("network", MIXED, NodeFaults(frozenset({"bob"})), ["tc: nothing to anybody"]),
        ("network", NOTHING, NOTHING, ["blackhole routes to nobody", "tc: nothing to anybody"]),
        ("shape", NOTHING, MIXED, ["shaper: delay 200ms to n02"]),
        ("shape", MIXED, NOTHING, ["its shaper lets everything pass"]),
    ],
)
def test_a_step_in_words(action: Action, was: NodeFaults, will: NodeFaults, lines: list[str]) -> None:
    assert describe(Step("n01", action, will), was, blocking_shapes=False) == lines


def test_where_shapers_block_they_say_so() -> None:
    lines = describe(Step("n01", "shape", MIXED), NOTHING, blocking_shapes=True)
    assert lines == ["shaper: blocked to bob", "shaper: delay 200ms to n02"]


def test_a_copy_keeps_everything_to_itself(tmp_path: Path) -> None:
    store = FaultStore(tmp_path)
    state = FaultState(faults=[Fault(name="z", kind="pause", nodes=("a",))], unsure={"a"})
    store.save(state)
    copy = CopiedStore(store, store.load())
    assert copy.load() == state
    with copy.lock():
        copy.save(FaultState())
    assert (copy.exists(), copy.load()) == (False, FaultState())
    assert store.load() == state
    assert {path.name for path in tmp_path.iterdir()} == {"faults.json"}


def test_of_a_lab_without_faults(tmp_path: Path) -> None:
    copy = CopiedStore(FaultStore(tmp_path), FaultState())
    assert (copy.exists(), copy.load()) == (False, FaultState())
    copy.save(FaultState(unsure={"a"}))
    assert copy.exists()
    assert not list(tmp_path.iterdir())
