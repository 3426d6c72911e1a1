"""orchestrator.faults.control and show, on kernels that may not be this one: who is told, and what is said of it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from orchestrator.errors import LabFileError, PreflightError
from orchestrator.faults.model import SLOW_MOTION, Conditions
from orchestrator.faults.rehearsal import Rehearsal
from orchestrator.faults.show import EdgeReport
from orchestrator.faults.tc import NO_KERNEL, Kernel
from orchestrator.faults.wanted import NodeFaults
from orchestrator.labfile import load_lab_file
from tests.unit.orchestrator_faults.fakes import BOTH, HTB, LAB, FakeLab, faults

SLOW, NARROW = Conditions(delay_s=0.1), Conditions(rate_bps=1_234_567.0)
SLOW_AND_NARROW = Conditions(delay_s=0.1, rate_bps=1_234_567.0)


def said(edges: Sequence[EdgeReport]) -> dict[str, tuple[str, str, bool]]:
    return {f"{edge.a}>{edge.b}": (str(edge.actual), edge.how, edge.applied) for edge in edges}


def test_the_kernel_is_asked_when_something_is_shaped_and_once(lab: FakeLab) -> None:
    control, hands = faults(lab, BOTH)
    control.cut("alice", "n01")
    assert (hands.asked, control.state().kernel) == (0, None)
    control.conditions("alice", delay_s=0.1)
    assert (hands.asked, control.state().kernel) == (1, BOTH)
    control.conditions("bob", delay_s=0.1)
    assert hands.asked == 1
    again, hands = faults(lab, HTB)
    again.conditions("bob", peers="n01", rate_bps=1e6)
    assert hands.asked == 0


def test_with_netem_no_shaper_is_told(lab: FakeLab) -> None:
    control, hands = faults(lab, BOTH)
    with control.conditions("n01", delay_s=0.1), control.conditions("n01", peers="bob", rate_bps=1_234_567.0):
        assert hands.done == ["network n01", "network n01"]
        assert control.state().actual == {"n01": NodeFaults(traffic={"alice": SLOW, "bob": SLOW_AND_NARROW})}
        edges = control.report().edges
        assert [(edge.b, edge.connected, edge.measured) for edge in edges] == [
            ("alice", True, False),
            ("bob", False, False),
        ]
        assert said(edges) == {
            "n01>alice": ("delay 100ms", "tc", True),
            "n01>bob": ("delay 100ms, rate 1.23457mbit", "tc", True),
        }
    assert control.state().clean
    assert hands.network == {"n01": {}}


def test_without_it_what_is_more_than_a_rate_goes_to_the_shaper_as_a_whole(lab: FakeLab) -> None:
    control, hands = faults(lab, HTB)
    control.conditions("alice", rate_bps=1_234_567.0)
    control.conditions("alice", peers="bob", delay_s=0.1)
    assert hands.done == ["network alice", "network alice", "shape alice"]
    assert control.state().actual == {
        "alice": NodeFaults(shaped={"bob": SLOW_AND_NARROW}, traffic={"n01": NARROW}),
    }
    report = control.report()
    assert report.applied
    assert {where: how for where, (_, how, _) in said(report.edges).items()} == {
        "alice>n01": "tc",
        "alice>bob": "shaper",
    }


def test_what_is_made_twice_is_not_as_wanted(lab: FakeLab) -> None:
    control, hands = faults(lab, HTB)
    with control.conditions("alice", peers="bob", rate_bps=1_234_567.0):
        hands.shapers["alice"] = {"bob": NARROW}
        [edge] = control.report().edges
        assert (edge.wanted, edge.actual, edge.astray, edge.applied) == (NARROW, NARROW, NARROW, False)
    with control.conditions("alice", peers="bob", delay_s=0.1):
        hands.network["alice"] = {"bob": NARROW}
        [edge] = control.report().edges
        assert (edge.how, edge.actual, edge.astray, edge.applied) == ("shaper", SLOW, NARROW, False)


def test_what_is_cut_and_slow_is_both(lab: FakeLab) -> None:
    control, _ = faults(lab, BOTH)
    with control.conditions("alice", peers="bob", delay_s=0.1), control.cut("alice", "bob"):
        assert said(control.report().edges)["alice>bob"] == ("blocked", "route", True)


@pytest.mark.parametrize(
    ("kernel", "wanted", "refused"),
    [
        (BOTH, SLOW_AND_NARROW, ""),
        (HTB, NARROW, ""),
        (HTB, SLOW, "this kernel has no netem: what it sends to alice cannot have delay 100ms"),
        (NO_KERNEL, NARROW, "this kernel has no htb: what it sends to alice cannot have rate"),
    ],
)
def test_nodes_of_kind_reference_do_what_the_kernel_can(
    lab: FakeLab, kernel: Kernel, wanted: Conditions, refused: str
) -> None:
    control, hands = faults(lab, kernel)
    asked: dict[str, Any] = {"delay_s": wanted.delay_s, "rate_bps": wanted.rate_bps}
    if not refused:
        with control.conditions("n01", peers="alice", **asked):
            assert hands.network["n01"].keys() == {"alice"}
        return
    with pytest.raises(PreflightError, match=f"node n01 is of kind reference, .* {refused}") as caught:
        control.conditions("n01", peers="alice", **asked)
    assert ("--rate" in caught.value.hint) is (kernel == HTB)
    assert hands.done == []
    assert control.state().clean
    # What others send to it is theirs to hold back.
    control.conditions("n01", peers="alice", direction="ingress", **asked)


@pytest.mark.parametrize(("kernel", "nodes"), [(BOTH, ("alice", "n01", "bob")), (HTB, ("alice", "bob"))])
def test_slow_motion_is_of_all_who_can_and_another_one_is_one_change(
    lab: FakeLab, kernel: Kernel, nodes: tuple[str, ...]
) -> None:
    control, hands = faults(lab, kernel)
    control.slow_motion(0.5)
    before = len(hands.done)
    control.slow_motion(0.2, instead=True)
    [fault] = control.state().faults
    assert (fault.name, fault.nodes, fault.conditions.delay_s) == (SLOW_MOTION, nodes, 0.2)
    assert before == len(nodes) == len(hands.done) - before


def test_healing_asks_the_kernel_anew(lab: FakeLab) -> None:
    """The machine may have been started with another one."""
    control, hands = faults(lab, HTB)
    [net] = load_lab_file(LAB.replace("[alice-n01, n01-bob]", "[{endpoints: [alice, bob], net: {delay: 1s}}]")).net
    control.apply(net)
    assert (hands.asked, hands.done) == (1, ["shape alice", "shape bob"])
    hands.pretended = BOTH
    control.heal()
    assert (hands.asked, control.state().kernel) == (2, BOTH)
    assert {edge.how for edge in control.report().edges} == {"tc"}
    assert control.report().applied


def test_random_halves_of_a_lab(lab: FakeLab) -> None:
    control, _ = faults(lab, HTB)
    first = control.random_partition().fault.groups
    control.heal()
    assert control.random_partition(seed=lab.spec.seed).fault.groups == first
    assert sorted(name for half in first for name in half) == ["alice", "bob", "n01"]
    control.heal()
    lab.running = {"alice"}
    with pytest.raises(LabFileError, match="two nodes that run"):
        control.random_partition()


def test_a_rehearsal_says_what_each_node_would_do_and_does_nothing(lab: FakeLab, tmp_path: Path) -> None:
    """Of a lab of processes, where the shaper does it all."""
    control, hands = faults(lab, HTB)
    control.paused("bob")
    done, noted = list(hands.done), control.state()
    rehearsal = Rehearsal(lab)  # type: ignore[arg-type]
    rehearsal.cut("alice", "bob")
    assert rehearsal.lines == ["alice: shaper: blocked to bob", "bob: shaper: blocked to alice"]
    rehearsal = Rehearsal(lab)  # type: ignore[arg-type]
    assert rehearsal.heal() == ["pause-1"]
    assert rehearsal.lines == ["bob: goes on"]
    assert (hands.done, control.state()) == (done, noted)


@pytest.mark.parametrize(
    ("asked", "error"),
    [
        ({"delay_s": 100.0}, "delay_s: expected 0 to 60 seconds, got 100"),
        ({"delay_s": -1.0}, "delay_s: expected 0 to 60 seconds, got -1"),
        ({"jitter_s": float("nan")}, "jitter_s: expected 0 to 60 seconds, got nan"),
        ({"loss": 5.0}, "loss: expected 0 to 1, a probability, got 5"),
        ({"rate_bps": 7999.0}, r"rate_bps: expected 8000 to 1e\+18 bits per second, got 7999"),
        ({"rate_bps": float("inf")}, "got inf"),
        ({"delay_s": 1.0, "direction": "egres"}, "direction: expected egress, ingress, both, got 'egres'"),
    ],
)
def test_what_no_node_and_no_kernel_takes_is_refused_before_anything_is_done(
    lab: FakeLab, asked: dict[str, Any], error: str
) -> None:
    control, hands = faults(lab, BOTH)
    with pytest.raises(LabFileError, match=error):
        control.conditions("alice", **asked)
    with pytest.raises(LabFileError, match="delay_s: expected"):
        control.slow_motion(61)
    assert (hands.done, control.state().clean) == ([], True)


@pytest.mark.parametrize("name", ["slowmo", "slowmo-2", "net-alice-bob"])
def test_names_that_we_give_ourselves_are_not_for_others(lab: FakeLab, name: str) -> None:
    control, hands = faults(lab, BOTH)
    with pytest.raises(LabFileError, match=f"the name '{name}' is taken by others"):
        control.cut("alice", "bob", name=name)
    assert (hands.done, control.state().clean) == ([], True)


def test_slow_motion_inside_another_one(lab: FakeLab) -> None:
    control, hands = faults(lab, BOTH)
    outer = control.slow_motion(0.2)
    inner = control.slow_motion(0.1)
    assert (outer.name, inner.name, hands.network["bob"]["alice"].delay_s) == ("slowmo", "slowmo-1", 0.1)
    inner.end()
    assert hands.network["bob"]["alice"].delay_s == 0.2
    control.slow_motion(0.1)
    assert len(control.full_speed()) == 2
    assert control.full_speed() == []
    assert hands.network["bob"] == {}
