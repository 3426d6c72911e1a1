"""Churn and timelines: what happens when, the same every time."""

from __future__ import annotations

import json

import pytest

from orchestrator.errors import LabFileError
from orchestrator.faults.churn import Churn, schedule, without
from orchestrator.faults.model import Fault
from orchestrator.faults.timeline import TimedFault, expand, timed_from_json, timed_to_json

CHURN = Churn(nodes=("a", "b", "c"), rate_per_s=2.0, down_s=1.0, count=200)


def test_churn_is_the_same_with_the_same_seed() -> None:
    assert schedule(CHURN, seed=1) == schedule(CHURN, seed=1)
    assert schedule(CHURN, seed=1) != schedule(CHURN, seed=2)


def test_churn_has_its_rate_and_kills_nobody_twice() -> None:
    steps = schedule(CHURN, seed=5)
    assert len(steps) == 200
    assert steps == sorted(steps)
    assert {step.node for step in steps} == set(CHURN.nodes)
    assert steps[-1].at_s == pytest.approx(100, rel=0.25)
    back = dict.fromkeys(CHURN.nodes, 0.0)
    for step in steps:
        assert step.at_s >= back[step.node]
        assert step.until_s == pytest.approx(step.at_s + 1.0)
        back[step.node] = step.until_s


def test_with_one_node_the_next_death_waits_until_it_is_back() -> None:
    one = Churn(nodes=("a",), rate_per_s=100.0, down_s=2.0, count=3)
    steps = schedule(one, seed=1)
    assert steps[1].at_s >= steps[0].until_s
    assert steps[2].at_s >= steps[1].until_s


def test_churn_of_nobody() -> None:
    assert without(["a", "b"], ["a", "b"]) == ()
    with pytest.raises(LabFileError, match="no node is left"):
        schedule(Churn(nodes=(), rate_per_s=1.0, down_s=1.0, count=1), seed=1)


SPLIT = Fault(name="split", kind="partition", groups=(("a",), ("b", "c")))
TIMELINE = (
    TimedFault(name="split", at_s=20.0, for_s=10.0, fault=SPLIT),
    TimedFault(name="dead", at_s=5.0, for_s=15.0, kill=("c",)),
    TimedFault(name="again", at_s=1.0, restart=("a",)),
    TimedFault(name="churn", at_s=40.0, churn=Churn(nodes=("a",), rate_per_s=1.0, down_s=1.0, count=1)),
    TimedFault(name="rest", at_s=50.0, fault=Fault(name="rest", kind="pause", nodes=("b",))),
)


def test_a_timeline_in_order() -> None:
    acts = expand(TIMELINE, seed=1)
    assert [(act.verb, act.name) for act in acts] == [
        ("restart", "again"),
        ("kill", "dead"),
        ("start", "dead"),  # at the same time as the next: what ends comes first
        ("set", "split"),
        ("clear", "split"),
        ("kill", "churn"),
        ("start", "churn"),
        ("set", "rest"),
    ]
    assert [act.at_s for act in acts][:5] == [1, 5, 20, 20, 30]
    assert str(acts[3]) == "split: partition a | b, c"
    assert str(acts[1]) == "dead: kill c"
    assert expand(TIMELINE, seed=1) == acts != expand(TIMELINE, seed=2)


def test_json_and_back() -> None:
    for entry in TIMELINE:
        assert timed_from_json(json.loads(json.dumps(timed_to_json(entry)))) == entry
