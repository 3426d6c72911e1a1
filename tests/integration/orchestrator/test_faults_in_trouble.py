"""Faults of labs in which something else goes wrong: nodes die, start, are frozen, are removed with their lab."""

from __future__ import annotations

import dataclasses
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator.errors import LabFileError, LabNotFound, LabNotReady, OrchestratorError
from orchestrator.faults.churn import Churn
from orchestrator.faults.model import Conditions, Fault
from orchestrator.faults.play import play
from orchestrator.faults.timeline import Act, TimedFault, churn_acts, expand
from orchestrator.lab import Lab
from orchestrator.process_runtime import find_lab_processes
from orchestrator.runtime import NodeState
from orchestrator.spec import LabSpec, NodeSpec
from orchestrator.topology import make_spec

READY_TIMEOUT_S = 20.0
PROBE_S = 30.0
"""For a link that does not answer, where somebody waits for it."""
AT_ONCE_S = 10.0
"""For what does not, on a busy machine."""
TOO_SLOW_S = 4.0
"""A delay with which two nodes do not shake hands in time."""


@pytest.fixture(scope="module")
def shared_lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """alice - n01 - n02 - bob; each test leaves it healed."""
    root = tmp_path_factory.mktemp("labs")
    with Lab.up(make_spec("trouble4", kind="line", n=4, seed=11), runtime="process", state_root=root) as lab:
        yield lab


@pytest.fixture
def lab(shared_lab: Lab) -> Iterator[Lab]:
    yield shared_lab
    shared_lab.heal()
    shared_lab.wait_ready(timeout_s=READY_TIMEOUT_S)
    assert shared_lab.faults.state().clean


def peers(lab: Lab, name: str) -> set[str]:
    names = {bytes(node.id): node.name for node in lab.spec.nodes}
    return {names[peer.node_id] for peer in lab[name].control.peers()}


def with_net(name: str, n: int) -> LabSpec:
    """A line in which every link has conditions."""
    spec = make_spec(name, kind="line", n=n, seed=4)
    return dataclasses.replace(
        spec,
        net=tuple(
            Fault(
                name=f"net-{link}",
                kind="shape",
                nodes=(link.a,),
                peers=(link.b,),
                conditions=Conditions(delay_s=0.01),
                direction="both",
                from_file=True,
            )
            for link in spec.links
        ),
    )


def test_up_mends_a_lab_with_conditions_of_links(tmp_path: Path) -> None:
    """Nodes that are started together come up one after the other, and each is told its own."""
    spec = with_net("mended5", 5)
    with Lab.up(spec, runtime="process", state_root=tmp_path) as lab:
        for name in ("n01", "n02", "n03"):
            lab.kill(name)
        again = Lab.up(spec, runtime="process", state_root=tmp_path)
        assert again.faults.report().applied
        assert again.send("alice", "bob", b"x").payload == b"x"
        again.close()


def test_what_is_changed_while_somebody_else_starts_a_node(lab: Lab) -> None:
    with lab.conditions("n02", delay_s=0.01):
        lab.kill("n02")
        with lab.cut("alice", "n01"):
            # As `lab start` in another command begins: the process is there, and does not answer yet.
            lab.runtime.start_node(lab.spec.node("n02"))
        lab.wait_until_up([lab.spec.node("n02")])
        lab.start("n02")
        assert lab.faults.report().applied


def test_a_handle_that_is_older_than_down_brings_nothing_back(tmp_path: Path) -> None:
    root, spec = tmp_path / "labs", make_spec("gone3", kind="line", n=3, seed=4)
    with Lab.up(spec, runtime="process", state_root=root) as lab:
        old = Lab.open("gone3", state_root=root)
        fault = old.paused("bob")
        lab.down()
        for late in (lambda: old.cut("alice", "n01"), old.heal, lambda: old.start("n01")):
            with pytest.raises(LabNotFound, match="gone3"):
                late()
        fault.end()
        old.close()
        assert not root.exists()
    (root / "gone3").mkdir(parents=True)
    (root / "gone3" / "faults.json").write_text("what a command left that was at it while the lab went")
    with Lab.up(spec, runtime="process", state_root=root) as lab:
        assert lab.faults.state().clean


def test_a_node_that_starts_while_its_lab_goes_does_not_stay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root, spec = tmp_path / "labs", make_spec("gone3", kind="line", n=3, seed=4)
    with Lab.up(spec, runtime="process", state_root=root) as lab:
        late = Lab.open("gone3", state_root=root)
        late.kill("n01")
        start = late.runtime.start_node

        def start_in_what_goes(node: NodeSpec) -> None:
            start(node)
            lab.state.remove()

        monkeypatch.setattr(late.runtime, "start_node", start_in_what_goes)
        with pytest.raises(LabNotFound, match="gone3"):
            late.start("n01")
        late.close()
        assert find_lab_processes(lab.state.lab_id) == {}


def test_a_churn_whose_lab_is_taken_down_says_so(tmp_path: Path) -> None:
    root, spec = tmp_path / "labs", make_spec("gone3", kind="line", n=3, seed=4)
    with Lab.up(spec, runtime="process", state_root=root) as lab:
        churning = Lab.open("gone3", state_root=root)

        def tell(at_s: float, line: str) -> None:
            if line.startswith("churn: start"):
                lab.down()

        churn = Churn(nodes=("n01",), rate_per_s=50.0, down_s=0.05, count=3)
        with pytest.raises(LabNotFound, match="gone3"):
            play(churning, churn_acts(churn, name="churn", at_s=0.0, seed=1), tell)
        churning.close()
        assert not root.exists()


def test_two_churns_at_once_start_their_own_dead_only(lab: Lab) -> None:
    """One ends while a node of the other is dead, and clears what it left."""
    killed, ended = threading.Event(), threading.Event()
    seen: list[NodeState | None] = []

    def first(at_s: float, line: str) -> None:
        if line == "churn: start n01":
            killed.set()
            assert ended.wait(READY_TIMEOUT_S)
            seen.append(lab.runtime.node_states().get("n01"))

    def second(at_s: float, line: str) -> None:
        if line == "churn: start n02":
            raise KeyboardInterrupt

    def acts(node: str) -> list[Act]:
        churn = Churn(nodes=(node,), rate_per_s=50.0, down_s=0.05, count=1)
        return churn_acts(churn, name="churn", at_s=0.0, seed=1)

    thread = threading.Thread(target=play, args=(lab, acts("n01"), first))
    thread.start()
    try:
        assert killed.wait(READY_TIMEOUT_S)
        with pytest.raises(KeyboardInterrupt):
            play(lab, acts("n02"), second)
        assert lab.runtime.node_states()["n02"] is NodeState.RUNNING
    finally:
        ended.set()
        thread.join()
    assert seen == [NodeState.STOPPED]
    assert lab.runtime.node_states()["n01"] is NodeState.RUNNING
    lab.wait_ready(timeout_s=READY_TIMEOUT_S)


def test_the_second_of_two_plays_clears_nothing_of_the_first(lab: Lab) -> None:
    cut = Fault(name="gap", kind="cut", groups=(("alice",), ("n01",)))
    acts = expand((TimedFault(name="gap", at_s=0.0, fault=cut),), seed=1)
    with lab.cut("alice", "n01", name="gap"):
        with pytest.raises(LabFileError, match="there is a fault 'gap' already"):
            play(lab, acts)
        assert [fault.name for fault in lab.faults.state().faults] == ["gap"]
    lab.faults.note_down(["bob"], "dead", set())
    with pytest.raises(LabFileError, match="there is a fault 'dead' already"):
        play(lab, expand((TimedFault(name="dead", at_s=0.0, kill=("n02",)),), seed=1))
    assert [(fault.name, fault.nodes) for fault in lab.faults.state().faults] == [("dead", ("bob",))]
    assert lab.runtime.node_states()["n02"] is NodeState.RUNNING


def test_who_is_killed_for_longer_is_not_started_by_a_churn(lab: Lab) -> None:
    """Faults are layers, also those that kill."""
    churn = Churn(nodes=("n02",), rate_per_s=50.0, down_s=0.05, count=1)
    timeline = (
        TimedFault(name="dead", at_s=0.0, for_s=1.0, kill=("n02",)),
        TimedFault(name="churn", at_s=0.1, churn=churn),
    )
    states: dict[str, NodeState | None] = {}

    def tell(at_s: float, line: str) -> None:
        states[line] = lab.runtime.node_states().get("n02")

    play(lab, expand(timeline, seed=1), tell)
    assert states["dead: start n02"] is NodeState.STOPPED
    assert lab.runtime.node_states()["n02"] is NodeState.RUNNING


def test_a_link_that_cannot_be_made_again_keeps_nobody_dead_and_no_other_apart(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("orchestrator.lab.CONNECT_TIMEOUT_S", 1.0)
    cut = lab.partition(["alice"], ["n01"], name="c")
    lab.faults.note_down(["bob"], "churn", set())
    lab.kill("bob")
    lab.cut("n01", "n02", name="d")
    slow = lab.conditions("alice", peers="n01", delay_s=TOO_SLOW_S, name="slow")
    with pytest.raises(LabNotReady, match=r"connecting alice to n01|connecting n01 to alice") as caught:
        lab.faults.clear([cut.name, "churn", "d"])
    assert caught.value.hint == "too slow to shake hands: lab fault clear slow"
    assert lab.runtime.node_states()["bob"] is NodeState.RUNNING
    assert peers(lab, "n02") == {"n01", "bob"}
    assert {frozenset(pair) for pair in lab.faults.state().severed} == {frozenset(("alice", "n01"))}
    assert [fault.name for fault in lab.faults.state().faults] == ["slow"]
    slow.end()
    assert peers(lab, "alice") == {"n01"}


def test_one_node_that_cannot_be_told_keeps_no_others_apart(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    lab.cut("alice", "n01")
    lab.cut("n02", "bob")
    do = lab.faults.hands.do

    def fail(step: object) -> None:
        if step.node == "bob":  # type: ignore[attr-defined]
            raise OSError("the engine went")
        do(step)  # type: ignore[arg-type]

    with monkeypatch.context() as broken, pytest.raises(OrchestratorError, match="bob could not be told its faults"):
        broken.setattr(lab.faults.hands, "do", fail)
        lab.faults.clear()
    assert peers(lab, "alice") == {"n01"}
    assert (lab.faults.state().unsure, {*map(frozenset, lab.faults.state().severed)}) == (
        {"bob"},
        {frozenset(("n02", "bob"))},
    )


@pytest.mark.parametrize("frozen", [["n02"], ["n01", "n02"]])
def test_who_is_frozen_during_a_partition_is_apart_afterwards(lab: Lab, frozen: list[str]) -> None:
    paused = lab.paused(frozen)
    with lab.partition(["alice", "n01"], ["n02", "bob"]):
        if "n01" not in frozen:
            assert peers(lab, "n01") == {"alice"}
        paused.end()
        assert (peers(lab, "n01"), peers(lab, "n02")) == ({"alice"}, {"bob"})
    assert (peers(lab, "n01"), peers(lab, "n02")) == ({"alice", "n02"}, {"n01", "bob"})


def test_a_silent_cut_stays_silent_for_who_is_frozen(lab: Lab) -> None:
    with lab.paused("n02") as paused, lab.cut("n01", "n02", silent=True):
        paused.end()
        assert peers(lab, "n02") == {"n01", "bob"}


def test_what_is_known_not_to_answer_is_not_waited_for(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("orchestrator.faults.apply.PROBE_S", PROBE_S)
    monkeypatch.setattr("orchestrator.faults.show.PROBE_S", PROBE_S)
    with lab.cut("n01", "n02", silent=True), lab.paused("bob"):
        assert peers(lab, "n01") == {"alice", "n02"}
        started = time.monotonic()
        report = lab.faults.report()
        assert time.monotonic() - started < AT_ONCE_S
        assert report.applied
        started = time.monotonic()
        with lab.conditions("n01", peers="alice", delay_s=0.1):
            assert time.monotonic() - started < AT_ONCE_S
            [edge] = [edge for edge in lab.faults.report().edges if (edge.a, edge.b) == ("n01", "alice")]
            assert edge.before_s is not None
            assert edge.now_s == pytest.approx(0.1, rel=0.3)


def test_slow_motions_nest(lab: Lab) -> None:
    def delay_s() -> float:
        return next(link.conditions.delay_s for link in lab["alice"].control.link_conditions())

    with lab.slow_motion(0.2):
        with lab.slow_motion(0.1) as inner:
            assert delay_s() == pytest.approx(0.1)
        assert delay_s() == pytest.approx(0.2)
        outer = lab.slow_motion(0.3)
        inner.end()
        assert delay_s() == pytest.approx(0.3)
    assert delay_s() == pytest.approx(0.3)
    outer.end()
    assert delay_s() == 0


def test_connecting_with_who_does_not_answer_is_not_ready(lab: Lab) -> None:
    lab.kill("bob")
    with pytest.raises(LabNotReady, match="connecting n02 to bob"):
        lab.connect("n02", "bob")
    lab.start("bob")
