"""Traffic, faults and checks of lab files, on labs of local processes."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Iterator

import pytest

from orchestrator.errors import LabFileError
from orchestrator.exchange import Exchange
from orchestrator.faults.model import Fault
from orchestrator.faults.timeline import TimedFault
from orchestrator.lab import Lab
from orchestrator.labfile import load_lab_file
from orchestrator.shot import Result, Shot
from orchestrator.traffic.model import Traffic
from orchestrator.traffic.run import TrafficRun
from orchestrator.verify.model import Check, Expected

LAB = """\
apiVersion: lab/v1
name: played
nodes: {alice: {role: edge}, mid: {}, bob: {role: edge}}
links: [alice-mid, mid-bob]
traffic:
  - {name: through, from: alice, to: bob, mode: sym, every: 50ms, count: 4, timeout: 5s, min: 100%}
  - {name: both, from: role=edge, to: role=edge, mode: raw, every: 50ms, count: 3, timeout: 5s}
verify:
  - {id: tables, points: 2, expect: {healthy: "*"}}
  - {id: linked, expect: {connected: [mid, role=edge]}}
  - {id: apart, expect: {apart: [alice, bob]}}
  - {id: through, expect: {delivery: {from: alice, to: bob, hops: 2}}}
"""


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    spec = load_lab_file(LAB, source="played.lab.yml")
    with Lab.up(spec, runtime="process", state_root=tmp_path_factory.mktemp("labs")) as lab:
        yield lab


@pytest.fixture
def playing(lab: Lab) -> Iterator[Lab]:
    """The lab, whose file may be changed and whose nodes may be killed."""
    spec = lab.spec
    yield lab
    lab.spec = spec
    lab.heal()
    for name in set(spec.node_names) - lab.running:
        lab.start(name)
    lab.wait_ready()


def test_traffic_arrives(lab: Lab) -> None:
    through, both = lab.play()
    assert (through.tally.sent, through.tally.delivered, through.tally.duplicates, through.passed) == (4, 4, 0, True)
    assert (both.tally.sent, both.tally.delivered, both.passed) == (6, 6, True)
    assert through.tally.p50_ms is not None


def test_traffic_and_faults_are_played_together(playing: Lab) -> None:
    """What is sent while the only relay is cut off is lost; what is sent afterwards arrives."""
    cut = Fault(name="cut", kind="cut", groups=(("mid",), ("bob",)))
    told: list[str] = []
    playing.spec = dataclasses.replace(
        playing.spec,
        timeline=(TimedFault(name="cut", at_s=0.0, for_s=1.5, fault=cut),),
        traffic=(
            Traffic(
                name="lost", senders=("alice",), receivers=("bob",), at_s=1.0, count=2, every_s=0.05, timeout_s=0.4
            ),
            Traffic(
                name="later", senders=("alice",), receivers=("bob",), at_s=4.0, count=2, every_s=0.05, min_share=1.0
            ),
        ),
    )
    lost, later = playing.play(lambda at_s, line: told.append(line))
    assert told[:2] == ["cut: cut mid | bob", "cut: clear"]
    assert (lost.tally.sent, lost.tally.delivered) == (2, 0)
    assert "message 0 from alice to bob: did not arrive" in lost.tally.failures[0]
    assert (later.tally.delivered, later.passed) == (2, True)
    assert playing.faults.state().faults == []


def test_a_fault_without_an_end_lasts_until_the_traffic_is_through(playing: Lab) -> None:
    cut = Fault(name="cut", kind="cut", groups=(("mid",), ("bob",)))
    playing.spec = dataclasses.replace(
        playing.spec,
        timeline=(TimedFault(name="cut", at_s=0.0, fault=cut),),
        traffic=(Traffic(name="t", senders=("alice",), receivers=("bob",), at_s=1.0, count=2, timeout_s=0.4),),
    )
    (report,) = playing.play()
    assert (report.tally.sent, report.tally.delivered) == (2, 0)
    assert playing.faults.state().faults == []


@pytest.mark.parametrize("mode", ["sym", "asym"])
def test_a_sender_that_comes_back_is_introduced_again(playing: Lab, mode: str) -> None:
    results = [Result(Shot(number, "alice", "bob", number.to_bytes(4, "big"))) for number in range(2)]
    with Exchange(playing, results, mode, listeners=["bob"], ways=False) as exchange:
        playing.kill("alice")
        exchange.send(results[0])
        assert results[0].error
        playing.start("alice")
        playing.wait_ready()
        exchange.send(results[1])
        exchange.wait(results[1], 10.0)
    assert (results[1].error, results[1].arrivals) == ("", 1)


def test_a_play_that_fails_takes_its_faults_back_and_ends_its_traffic(playing: Lab) -> None:
    cut = Fault(name="cut", kind="cut", groups=(("mid",), ("bob",)))
    playing.spec = dataclasses.replace(
        playing.spec,
        timeline=(TimedFault(name="cut", at_s=0.0, fault=cut),),
        traffic=(Traffic(name="long", senders=("alice",), receivers=("bob",), count=1000, every_s=60.0),),
    )

    def interrupt(at_s: float, line: str) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        playing.play(interrupt)
    assert playing.faults.state().faults == []
    assert not [thread.name for thread in threading.enumerate() if thread.name.startswith(("traffic", "stream of"))]


def test_a_receiver_that_comes_back_is_listened_to_again(playing: Lab) -> None:
    """It has forgotten its keys and subscriptions; the traffic goes on."""
    results = [Result(Shot(number, "alice", "bob", number.to_bytes(4, "big"))) for number in range(2)]
    with Exchange(playing, results, "sym", listeners=["bob"], ways=False) as exchange:
        exchange.send(results[0])
        exchange.wait(results[0], 10.0)
        assert results[0].arrivals == 1
        playing.kill("bob")
        playing.start("bob")
        exchange.wait_listening("bob", 10.0)
        exchange.send(results[1])
        exchange.wait(results[1], 10.0)
    assert (results[1].error, results[1].arrivals) == ("", 1)


def test_traffic_to_a_node_that_is_down_says_so(playing: Lab) -> None:
    playing.spec = dataclasses.replace(
        playing.spec, traffic=(Traffic(name="t", senders=("alice",), receivers=("mid",), at_s=1.0, count=1),)
    )
    with TrafficRun(playing, playing.spec.traffic) as traffic:
        playing.kill("alice")
        (report,) = traffic.finish()
    assert (report.tally.sent, report.tally.delivered) == (1, 0)
    assert "message 0 from alice to mid: alice:" in report.tally.failures[0]


def test_a_running_lab_takes_over_what_its_file_now_says(playing: Lab) -> None:
    edited = load_lab_file(
        LAB.replace("min: 100%", "min: 10%").replace("points: 2", "points: 9"), source="played.lab.yml"
    )
    told: list[str] = []
    again = Lab.up(edited, runtime="process", state_root=playing.state.root, report=told.append)
    again.close()
    assert told == ["took over what the lab file says of faults, traffic and checks"]
    reopened = Lab.open("played", state_root=playing.state.root)
    reopened.close()
    assert (reopened.spec.traffic[0].min_share, reopened.spec.checks[0].points) == (0.1, 9)
    moved = load_lab_file(LAB.replace("mid: {}", "mid: {overlay: 0b01010101}"), source="played.lab.yml")
    with pytest.raises(LabFileError, match="other nodes, keys or links"):
        Lab.up(moved, runtime="process", state_root=playing.state.root)


def test_a_lab_that_is_as_expected(lab: Lab) -> None:
    results = list(lab.verify())
    assert [(one.check.id, one.passed) for one in results] == [
        ("tables", True),
        ("linked", True),
        ("apart", True),
        ("through", True),
    ]
    assert [one.found for one in results] == [
        "3 nodes are healthy",
        "connected",
        "not connected",
        "3 of 3 messages arrived, in 2 hops at most",
    ]


@pytest.mark.parametrize(
    ("check", "found"),
    [
        (
            Check(id="x", kind="connected", nodes=("alice",), peers=("bob",), within_s=0.2),
            "alice is not connected with bob",
        ),
        (Check(id="x", kind="apart", nodes=("alice",), peers=("mid",), within_s=0.2), "alice is connected with mid"),
        (
            Check(id="x", kind="delivery", nodes=("alice",), peers=("bob",), expected=Expected(max_hops=1)),
            "3 of 3 messages arrived, but one took 2 hops: alice to bob, digest ",
        ),
        (
            Check(
                id="x",
                kind="delivery",
                nodes=("alice",),
                peers=("bob",),
                expected=Expected(count=1, min_share=0.0, max_share=0.0),
            ),
            "1 of 1 messages arrived",
        ),
    ],
)
def test_what_is_not_as_expected_is_named(lab: Lab, check: Check, found: str) -> None:
    (result,) = lab.verify([check])
    assert not result.passed
    assert result.found.startswith(found)


def test_a_check_of_a_node_that_is_not_here_fails(lab: Lab) -> None:
    (result,) = lab.verify([Check(id="x", kind="healthy", nodes=(), impossible="no node matches 'n09'")])
    assert (result.passed, result.found) == (False, "no node matches 'n09'")


def test_checks_of_nodes_that_are_down_fail(playing: Lab) -> None:
    playing.kill("bob")
    checks = [
        Check(id="a", kind="healthy", nodes=("bob", "alice"), within_s=0.1),
        Check(id="b", kind="delivery", nodes=("alice",), peers=("bob",), within_s=0.1),
        Check(id="c", kind="delivery", nodes=("alice",), peers=("nobody",), within_s=0.1),
    ]
    a, b, c = playing.verify(checks)
    assert (a.passed, b.passed, c.passed) == (False, False, False)
    assert a.found.startswith("bob does not run")
    assert b.found == "bob does not run"
    assert c.found == "nobody does not run"


def test_no_message_is_to_arrive_and_none_does(playing: Lab) -> None:
    nothing = Expected(count=1, min_share=0.0, max_share=0.0)
    with playing.partition(["alice", "mid"], ["bob"]):
        check = Check(id="x", kind="delivery", nodes=("alice",), peers=("bob",), expected=nothing, within_s=0.5)
        (result,) = playing.verify([check])
    assert (result.passed, result.found) == (True, "0 of 1 messages arrived")
