"""orchestrator.faults.play and orchestrator.play: what is refused before it begins."""

from __future__ import annotations

import dataclasses

import pytest

from orchestrator.errors import LabFileError
from orchestrator.faults.churn import Churn
from orchestrator.faults.model import Fault
from orchestrator.faults.play import play
from orchestrator.faults.timeline import TimedFault, churn_acts, expand
from orchestrator.play import play as play_all
from tests.unit.orchestrator_faults.fakes import BOTH, FakeLab, faults

TIMELINE = (
    TimedFault(name="first", at_s=0.0, fault=Fault(name="first", kind="cut", groups=(("n01",), ("bob",)))),
    TimedFault(name="split", at_s=60.0, fault=Fault(name="split", kind="cut", groups=(("alice",), ("bob",)))),
    TimedFault(name="dead", at_s=90.0, kill=("bob",)),
)


def no_sleep(seconds: float) -> None:
    pytest.fail(f"it began, and waits {seconds} s")


def test_names_that_are_taken_are_all_told_before_anything_is_done(lab: FakeLab) -> None:
    control, hands = faults(lab, BOTH)
    control.cut("alice", "bob", name="split")
    control.note_down(["bob"], "dead", set())
    control.cut("alice", "n01", name="other")
    before, told = list(hands.done), []
    with pytest.raises(LabFileError, match="there are faults 'split', 'dead' already") as caught:
        play(lab, expand(TIMELINE, seed=1), lambda at_s, line: told.append(line), sleep=no_sleep)  # type: ignore[arg-type]
    assert (caught.value.hint, told, hands.done) == ("lab heal", [], before)
    assert [fault.name for fault in control.state().faults] == ["split", "dead", "other"]


def test_no_traffic_begins_either(lab: FakeLab, monkeypatch: pytest.MonkeyPatch) -> None:
    control, _ = faults(lab, BOTH)
    control.cut("alice", "bob", name="split")
    lab.spec = dataclasses.replace(lab.spec, timeline=TIMELINE)
    monkeypatch.setattr("orchestrator.play.TrafficRun", lambda *_: pytest.fail("traffic began"))
    with pytest.raises(LabFileError, match="there is a fault 'split' already"):
        play_all(lab)  # type: ignore[arg-type]


def test_deaths_of_churn_take_names_that_are_free(lab: FakeLab) -> None:
    control, hands = faults(lab, BOTH)
    control.cut("alice", "n01", name="churn")
    killed: list[str] = []
    lab.kill = killed.append
    churn = Churn(nodes=("bob",), rate_per_s=1.0, down_s=1.0, count=1)
    play(lab, churn_acts(churn, name="churn", at_s=0.0, seed=1), sleep=lambda _: None)  # type: ignore[arg-type]
    assert (killed, hands.started) == (["bob"], ["bob"])
