"""orchestrator.faults.change: whom a change concerns, and what becomes of those that fail."""

from __future__ import annotations

import pytest

from orchestrator.errors import LabFileError, OrchestratorError
from orchestrator.faults.store import FaultStore
from orchestrator.labfile import load_lab_file
from tests.unit.orchestrator_faults.fakes import BOTH, HTB, LAB, FakeLab, faults


def test_a_node_that_is_started_is_told_alone(lab: FakeLab) -> None:
    """Others of which nobody knows how they are may be starting just now; they are told when they are up."""
    control, hands = faults(lab, BOTH)
    control.slow_motion(0.1)
    hands.done.clear()
    hands.unreachable.add("n01")
    for name in ("n01", "bob"):
        state = control.state()
        state.actual.pop(name)
        state.unsure.add(name)
        FaultStore(lab.state.directory).save(state)
    control.node_started("bob")
    assert (hands.done, control.state().unsure) == (["unpause bob", "network bob", "shape bob"], {"n01"})
    with pytest.raises(OrchestratorError, match="n01 could not be told"):
        control.node_started("n01")
    with control.cut("alice", "bob"):  # n01 is no concern of this
        assert control.state().unsure == {"n01"}
    with pytest.raises(OrchestratorError, match="n01 could not be told"):
        control.heal()
    assert (control.state().faults, control.state().unsure) == ([], {"n01"})
    hands.unreachable.clear()
    control.heal()
    assert control.state().clean


def test_a_node_that_somebody_is_starting_is_told_by_them(lab: FakeLab) -> None:
    """It runs, was told nothing yet, and does not answer yet."""
    control, hands = faults(lab, HTB)
    [net] = load_lab_file(LAB.replace("[alice-n01, n01-bob]", "[{endpoints: [alice, bob], net: {delay: 1s}}]")).net
    control.apply(net)
    control.paused("alice")
    state = control.state()
    del state.actual["bob"]
    FaultStore(lab.state.directory).save(state)
    hands.unreachable.add("bob")
    assert control.heal() == ["pause-1"]
    assert control.state().unsure == {"bob"}
    hands.unreachable.clear()
    control.node_started("bob")
    assert control.state().unsure == set()
    assert hands.shapers["bob"]["alice"].delay_s == 1.0


def test_what_cannot_be_applied_is_taken_back(lab: FakeLab) -> None:
    control, hands = faults(lab, BOTH)
    hands.unreachable.add("bob")
    with pytest.raises(OrchestratorError, match="bob could not be told its faults: it is gone"):
        control.cut("alice", "bob")
    assert (control.state().faults, control.state().unsure, hands.network["alice"]) == ([], {"bob"}, {})


def test_a_node_that_two_faults_killed_is_started_with_the_last_one(lab: FakeLab) -> None:
    control, hands = faults(lab, BOTH)
    ours: set[str] = set()
    control.note_down(["bob", "n01"], "dead", ours)
    assert control.note_down(["bob"], "churn", ours, numbered=True) == "churn-1"
    assert ours == {"dead", "churn-1"}
    with pytest.raises(LabFileError, match="there is a fault 'dead' already"):
        control.note_down(["alice"], "dead", ours)
    assert control.clear(["churn-1"]) == ["churn-1"]
    assert hands.started == []
    control.clear(["dead"])
    assert hands.started == ["bob", "n01"]
    # As nobody said that they run, they are still noted.
    assert [fault.nodes for fault in control.state().faults] == [("bob", "n01")]
    control.node_started("bob")
    control.node_started("n01")
    assert control.state().clean
