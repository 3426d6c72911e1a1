"""Faults of labs whose nodes are processes: everything by the nodes' own shapers, and SIGSTOP."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from node.control.gen import control_pb2 as pb
from node.events import Kind
from orchestrator.errors import DeliveryFailed, LabFileError, UnknownNode
from orchestrator.faults.churn import Churn
from orchestrator.faults.model import Conditions, Fault
from orchestrator.faults.play import play
from orchestrator.faults.timeline import TimedFault, churn_acts, expand
from orchestrator.lab import Lab
from orchestrator.labfile import load_lab_file
from orchestrator.runtime import NodeState
from orchestrator.topology import make_spec

LOST_TIMEOUT_S = 0.7
"""A message takes milliseconds."""


@pytest.fixture(scope="module")
def shared_lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """alice - n01 - n02 - n03 - bob; each test leaves it healed."""
    root = tmp_path_factory.mktemp("labs")
    with Lab.up(make_spec("faults5", kind="line", n=5, seed=11), runtime="process", state_root=root) as lab:
        yield lab


@pytest.fixture
def lab(shared_lab: Lab) -> Iterator[Lab]:
    yield shared_lab
    shared_lab.heal()
    shared_lab.wait_ready(timeout_s=20)
    assert not shared_lab.faults.state().faults
    assert not (shared_lab.state.directory / "faults.json").exists()


def rtt_ms(lab: Lab, a: str, b: str) -> float:
    links = lab[a].control.link_conditions(probe_s=5.0)
    return next(link.round_trip_s for link in links if link.conditions.node_id == lab[b].id) * 1000


def peers(lab: Lab, name: str) -> set[str]:
    names = {node.id: node.name for node in lab.spec.nodes}
    return {names[peer.node_id] for peer in lab[name].control.peers()}  # type: ignore[index]


def test_nothing_crosses_a_partition_and_everything_arrives_afterwards(lab: Lab) -> None:
    with lab.partition(["alice", "n0[12]"], ["n03", "bob"]) as split:
        assert split.fault.groups == (("alice", "n01", "n02"), ("n03", "bob"))
        assert lab.send("alice", "n02", b"inside").payload == b"inside"
        assert lab.send("bob", "n03", b"inside too").payload == b"inside too"
        with pytest.raises(DeliveryFailed):
            lab.send("alice", "bob", b"across", timeout_s=LOST_TIMEOUT_S)
        report = lab.faults.report()
        assert report.applied
        assert {(edge.a, edge.b) for edge in report.edges} >= {("n02", "n03"), ("n03", "n02")}
        assert not any(edge.connected for edge in report.edges)
        assert {edge.how for edge in report.edges} == {"shaper"}
        assert next(edge.before_s for edge in report.edges if (edge.a, edge.b) == ("n02", "n03"))
    lab.wait_ready(timeout_s=20)
    assert lab.send("alice", "bob", b"after").payload == b"after"


def test_a_dial_does_not_get_through_a_cut(lab: Lab) -> None:
    with lab.cut("alice", "n01"):
        alice = lab["alice"].control
        with alice.events(Kind.DIAL_FAILED) as events:
            alice.connect(lab["n01"].info.enode)
            assert next(events).peer == lab["n01"].id.hex()
        assert peers(lab, "alice") == set()


def test_a_silent_cut_is_not_noticed_at_once_and_what_was_sent_arrives_late(lab: Lab) -> None:
    bob = lab["bob"]
    topic = bob.topic("late")
    key_id = lab["n03"].control.set_peer_key(bob.spec.public_key, topic, bob.overlay)
    with bob.control.subscribe(topic) as messages:
        with lab.cut("n03", "bob", silent=True):
            assert peers(lab, "bob") == {"n03"}
            digest = lab["n03"].control.send(pb.MODE_ASYM, topic, b"late", key_id=key_id)
            assert bob.control.history(digest=digest.hex()) == []
            with pytest.raises(DeliveryFailed):
                lab.send("n03", "bob", b"nor this", timeout_s=LOST_TIMEOUT_S)
        assert next(messages).payload == b"late"


def test_conditions_are_merged_and_come_back_in_any_order(lab: Lab) -> None:
    def told(name: str, peer: str) -> Conditions:
        for link in lab[name].control.link_conditions():
            if link.conditions.node_id == lab[peer].id:
                c = link.conditions
                return Conditions(delay_s=c.delay_s or None, loss=c.loss or None, rate_bps=c.rate_bps or None)
        raise AssertionError(peer)

    outer = lab.conditions("n01", delay_s=0.2)
    assert told("n01", "n02") == Conditions(delay_s=0.2)
    with lab.conditions("n01", peers="n02", delay_s=0.05, loss=0.01):
        assert told("n01", "n02") == Conditions(delay_s=0.05, loss=0.01)
        assert told("n01", "alice") == Conditions(delay_s=0.2)
    assert told("n01", "n02") == Conditions(delay_s=0.2)
    with pytest.raises(RuntimeError, match="oops"), lab.conditions("n02", direction="ingress", rate_bps=5e6):
        assert told("n01", "n02") == Conditions(delay_s=0.2, rate_bps=5e6)
        outer.end()
        assert told("n01", "n02") == Conditions(rate_bps=5e6)
        raise RuntimeError("oops")
    assert told("n01", "n02") == Conditions()
    outer.end()


def test_a_delay_is_measured(lab: Lab) -> None:
    with lab.conditions("n01", peers="n02", delay_s=0.15):
        assert rtt_ms(lab, "n01", "n02") == pytest.approx(150, rel=0.2)
        assert rtt_ms(lab, "n02", "n01") == pytest.approx(150, rel=0.2)
        assert rtt_ms(lab, "n02", "n03") < 100
        [edge] = lab.faults.report().edges
        assert edge.now_s == pytest.approx(0.15, rel=0.2)
        assert edge.before_s is not None
        assert edge.before_s < 0.1
    assert rtt_ms(lab, "n01", "n02") < 100


def test_slow_motion_spaces_the_hops(lab: Lab) -> None:
    with lab.slow_motion(0.1), lab.slow_motion(0.2):
        hops = lab.send("alice", "bob", b"slow").journey.path_to("bob")
        assert [hop.took_ms for hop in hops] == [pytest.approx(200, rel=0.2)] * 4
    hops = lab.send("alice", "bob", b"fast").journey.path_to("bob")
    assert sum(hop.took_ms or 0 for hop in hops) < 200


def test_a_rate_narrows(lab: Lab) -> None:
    with lab.conditions("n03", peers="bob", rate_bps=80_000):  # ten bytes a millisecond
        assert lab.send("alice", "bob", bytes(3000)).seconds > 0.3


def test_a_paused_node_keeps_its_connections_and_does_nothing(lab: Lab) -> None:
    with lab.paused("n02"):
        assert lab.runtime.node_states()["n02"] is NodeState.PAUSED
        assert peers(lab, "n01") == {"alice", "n02"}
        with pytest.raises(DeliveryFailed):
            lab.send("alice", "bob", b"x", timeout_s=LOST_TIMEOUT_S)
        # What is wanted of it meanwhile reaches it when it goes on.
        slow = lab.conditions("n02", peers="n03", delay_s=0.15)
        # Frozen on purpose, it cannot be asked; that is no fault of the fault.
        (edge,) = [edge for edge in lab.faults.report().edges if edge.a == "n02"]
        assert (edge.asked, edge.excused) == (False, True)
    assert rtt_ms(lab, "n02", "n03") == pytest.approx(150, rel=0.2)
    slow.end()
    assert rtt_ms(lab, "n02", "n03") < 100


def test_a_node_that_is_started_again_gets_its_faults(lab: Lab) -> None:
    with lab.cut("n01", "n02"), lab.conditions("n01", peers="alice", delay_s=0.1):
        lab.kill("n01")
        lab.start("n01")
        assert peers(lab, "n01") == {"alice"}
        assert lab.faults.report().applied
        assert rtt_ms(lab, "n01", "alice") == pytest.approx(100, rel=0.2)
    assert peers(lab, "n01") == {"alice", "n02"}


def test_churn_kills_and_brings_back(lab: Lab) -> None:
    before = {name: lab[name].info.pid for name in lab.spec.node_names}
    lines: list[str] = []
    churn = Churn(nodes=("n01", "n02"), rate_per_s=20.0, down_s=0.1, count=2)
    play(lab, churn_acts(churn, name="churn", at_s=0.0, seed=1), lambda at_s, line: lines.append(line))
    assert [line.split()[1] for line in lines].count("kill") == 2
    lab.wait_ready(timeout_s=20)
    changed = {name for name in lab.spec.node_names if lab[name].info.pid != before[name]}
    assert changed == {line.split()[2] for line in lines if line.startswith("churn: kill")}


def test_a_timeline_that_is_interrupted_takes_everything_back(lab: Lab) -> None:
    def stop(at_s: float, line: str) -> None:
        if line == "dead: kill n02":
            raise KeyboardInterrupt

    cut = Fault(name="gap", kind="cut", groups=(("alice",), ("n01",)))
    timeline = (
        TimedFault(name="gap", at_s=0.0, for_s=60.0, fault=cut),
        TimedFault(name="dead", at_s=0.1, kill=("n02",)),
    )
    with pytest.raises(KeyboardInterrupt):
        play(lab, expand(timeline, seed=1), stop)
    assert lab.faults.state().faults == []
    assert peers(lab, "alice") == {"n01"}


@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        (lambda lab: lab.partition("*"), "needs two groups"),
        (lambda lab: lab.partition("alice", "nobody"), "no node matches 'nobody'"),
        (lambda lab: lab.cut("alice", "alice"), "nothing to cut"),
        (lambda lab: lab.conditions("alice"), "say a delay"),
        (lambda lab: lab.paused([]), "no node is named"),
    ],
)
def test_mistakes_change_nothing(lab: Lab, wrong: Callable[[Lab], object], error: str) -> None:
    with pytest.raises((LabFileError, UnknownNode), match=error):
        wrong(lab)
    assert lab.faults.state().clean


def test_a_name_is_given_once(lab: Lab) -> None:
    with lab.cut("alice", "n01", name="gap"):
        with pytest.raises(LabFileError, match="there is a fault 'gap' already"):
            lab.cut("n02", "n03", name="gap")
        assert [fault.name for fault in lab.faults.state().faults] == ["gap"]


def test_a_second_up_heals_and_the_files_own_conditions_stay(tmp_path: Path) -> None:
    net = Fault(
        name="net-alice-n01",
        kind="shape",
        nodes=("alice",),
        peers=("n01",),
        conditions=Conditions(delay_s=0.1),
        direction="both",
        from_file=True,
    )
    spec = dataclasses.replace(make_spec("net3", kind="line", n=3, seed=4), net=(net,))
    with Lab.up(spec, runtime="process", state_root=tmp_path) as lab:
        assert rtt_ms(lab, "alice", "n01") == pytest.approx(200, rel=0.2)
        lab.cut("n01", "bob")
        lab.paused("alice")
        lines: list[str] = []
        again = Lab.up(spec, runtime="process", state_root=tmp_path, report=lines.append)
        assert lines == ["faults taken back: cut-1, pause-2"]
        assert [fault.name for fault in again.faults.state().faults] == ["net-alice-n01"]
        assert again.send("alice", "bob", b"x").payload == b"x"
        assert rtt_ms(again, "alice", "n01") == pytest.approx(200, rel=0.2)
        again.close()


def test_the_lab_file_of_the_page_plays_to_its_end(tmp_path: Path) -> None:
    page = (Path(__file__).parents[3] / "docs" / "faults.md").read_text()
    [text] = re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)
    spec = load_lab_file(text)
    lines: list[str] = []
    with Lab.up(spec, runtime="process", state_root=tmp_path) as lab:
        assert rtt_ms(lab, "n02", "n03") > 60
        play(lab, expand(lab.spec.timeline, seed=lab.spec.seed), lambda at_s, line: lines.append(line))
        assert lines[0] == "split: partition alice, n01, n02 | n03, bob"
        assert "churn-at-2s: kill n03" in lines
        assert lines[-1].startswith("churn-at-2s: start n03")
        lab.wait_ready(timeout_s=20)
        assert [fault.name for fault in lab.faults.state().faults] == ["net-n02-n03"]
        assert lab.send("alice", "bob", b"after").payload == b"after"
