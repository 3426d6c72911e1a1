"""`traffic:` and `verify:` of a lab file: what is read, what is refused, what is sent when."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from orchestrator.errors import LabFileError
from orchestrator.labfile import load_checks, load_lab_file
from orchestrator.shot import NUMBER_BYTES, Result, Shot, Tally
from orchestrator.spec import LabSpec, Readiness
from orchestrator.state import SavedLab, StateDir
from orchestrator.traffic.model import Traffic, expand
from orchestrator.traffic.run import TrafficReport
from orchestrator.verify.model import Check, CheckResult, Expected, points_of

HEAD = "apiVersion: lab/v1\nname: x\n"
LINE = "topology: {kind: line, n: 4}\n"
EVERYTHING = f"""\
{HEAD}{LINE}ready: {{when: connected, timeout: 5s}}
faults: [{{at: 1s, for: 1s, cut: [alice, n01]}}]
traffic:
  - {{from: alice, to: bob}}
  - {{name: many, from: "n*", to: [bob, n01], mode: raw, at: 2s, every: 500ms, count: 3, bytes: 16,
     timeout: 1s, min: 90%}}
verify:
  - {{id: a, expect: {{healthy: "*"}}}}
  - {{id: b, within: 3s, points: 0, expect: {{connected: [alice, n01]}}, hint: look}}
  - {{id: c, expect: {{apart: [alice, [n02, bob]]}}}}
  - {{id: d, points: 5, expect: {{delivery: {{from: alice, to: bob, mode: sym, count: 7, bytes: 9, max: 0%,
     hops: 2}}}}}}
"""


def load(body: str) -> LabSpec:
    return load_lab_file(body, source="f.lab.yml")


def test_everything_is_read() -> None:
    spec = load(EVERYTHING)
    assert spec.ready_when is Readiness.CONNECTED
    assert spec.traffic == (
        Traffic(name="traffic-1", senders=("alice",), receivers=("bob",)),
        Traffic(
            name="many",
            senders=("n01", "n02"),
            receivers=("n01", "bob"),
            mode="raw",
            at_s=2.0,
            every_s=0.5,
            count=3,
            size=16,
            timeout_s=1.0,
            min_share=0.9,
        ),
    )
    assert spec.checks == (
        Check(id="a", kind="healthy", nodes=("alice", "n01", "n02", "bob")),
        Check(id="b", kind="connected", nodes=("alice",), peers=("n01",), within_s=3.0, points=0, hint="look"),
        Check(id="c", kind="apart", nodes=("alice",), peers=("n02", "bob")),
        Check(
            id="d",
            kind="delivery",
            nodes=("alice",),
            peers=("bob",),
            points=5,
            expected=Expected(mode="sym", count=7, size=9, min_share=0.0, max_share=0.0, max_hops=2),
        ),
    )


def test_a_saved_lab_has_them_too(tmp_path: Path) -> None:
    spec, state = load(EVERYTHING), StateDir("x", tmp_path)
    state.save(SavedLab(spec=spec, runtime="process", created="2026-01-01T00:00:00+00:00"))
    saved = state.load()
    assert saved is not None
    assert (saved.spec.traffic, saved.spec.checks) == (spec.traffic, spec.checks)
    assert (saved.spec.timeline, saved.spec.ready_when) == (spec.timeline, Readiness.CONNECTED)


@pytest.mark.parametrize(
    ("body", "where", "why"),
    [
        ("traffic: [{from: alice}]", "4:11", "the key 'to' is missing in traffic[0]"),
        ("traffic: [{from: alice, to: bbo}]", "4:29", "no node matches 'bbo'"),
        ("traffic: [{from: alice, to: alice}]", "4:11", "a node does not write to itself"),
        ("traffic: [{from: alice, to: bob, mode: smoke}]", "4:40", "mode: expected raw, sym or asym, got 'smoke'"),
        ("traffic: [{from: alice, to: bob, min: 9}]", "4:39", "min: expected a percentage from 0% to 100%"),
        ("traffic: [{from: alice, to: bob, min: 101%}]", "4:39", "min: expected a percentage from 0% to 100%"),
        ("traffic: [{from: alice, to: bob, bytes: 3}]", "4:41", "bytes: input should be greater than or equal to 4"),
        ("traffic: [{from: alice, to: bob, count: 0}]", "4:41", "count: input should be greater than or equal to 1"),
        ("traffic: [{from: alice, to: bob, coutn: 1}]", "4:34", "unknown key 'coutn'"),
        ('traffic: [{from: "*", to: "*", count: 10000}]', "4:11", "12 pairs make 120000 messages, more than 100000"),
        (
            "traffic: [{from: alice, to: bob, count: 100000, bytes: 65536}]",
            "4:11",
            "100000 messages of 65536 bytes are more than 67108864 bytes",
        ),
        (
            "traffic: [{name: a, from: alice, to: bob}, {name: a, from: bob, to: alice}]",
            "4:51",
            "there are two entries called 'a'",
        ),
        ("verify: [{id: a}]", "4:10", "the key 'expect' is missing in verify[0]"),
        ("verify: [{id: a, expect: {}}]", "4:26", "expect says nothing; expected exactly one of healthy, connected"),
        ('verify: [{id: a, expect: {healthy: "*", apart: [alice, bob]}}]', "4:26", "expect has healthy and apart"),
        ("verify: [{id: a, expect: {connected: [alice]}}]", "4:38", "connected: expected two nodes"),
        ("verify: [{id: a, expect: {apart: [alice, alice]}}]", "4:34", "a node does not write to itself"),
        ("verify: [{id: a, expect: {healty: x}}]", "4:27", "unknown key 'healty'"),
        ("verify: [{id: a, expect: {delivery: {from: alice, to: bob, hop: 1}}}]", "4:60", "unknown key 'hop'"),
        (
            "verify: [{id: a, expect: {delivery: {from: alice, to: bob, min: 50%, max: 10%}}}]",
            "4:60",
            "min is more than max",
        ),
        (
            "verify: [{id: a, expect: {healthy: bob}}, {id: a, expect: {healthy: bob}}]",
            "4:48",
            "there are two checks 'a'",
        ),
        ("verify: [{id: a, band: 3000, expect: {healthy: bob}}]", "4:18", "the key 'band' is not supported yet"),
    ],
)
def test_mistakes(body: str, where: str, why: str) -> None:
    with pytest.raises(LabFileError, match=re.escape(f"f.lab.yml:{where}: {why}")):
        load(HEAD + LINE + body)


def test_when_what_is_sent() -> None:
    traffic = Traffic(name="t", senders=("a", "b"), receivers=("b", "c"), at_s=2.0, every_s=0.5, count=2, size=8)
    timed = expand(traffic, seed=1)
    assert [(one.at_s, one.shot.sender, one.shot.receiver) for one in timed] == [
        (2.0, "a", "b"),
        (2.0, "a", "c"),
        (2.0, "b", "c"),
        (2.5, "a", "b"),
        (2.5, "a", "c"),
        (2.5, "b", "c"),
    ]
    assert [int.from_bytes(one.shot.payload[:NUMBER_BYTES], "big") for one in timed] == list(range(6))
    assert {len(one.shot.payload) for one in timed} == {8}
    assert timed == expand(traffic, seed=1) != expand(traffic, seed=2)


def results(delivered: int, sent: int) -> list[Result]:
    return [
        Result(Shot(number, "a", "b", bytes(8)), seconds=0.01 if number < delivered else None, arrivals=1)
        for number in range(sent)
    ]


@pytest.mark.parametrize(
    ("wanted", "delivered", "passed"),
    [(None, 0, True), (0.9, 9, True), (0.9, 8, False), (1.0, 9, False), (0.0, 0, True)],
)
def test_traffic_passes_with_what_has_to_arrive(wanted: float | None, delivered: int, passed: bool) -> None:
    traffic = Traffic(name="t", senders=("a",), receivers=("b",), min_share=wanted)
    report = TrafficReport(traffic=traffic, tally=Tally.of(results(delivered, 10)))
    assert report.passed is passed
    assert report.to_json()["delivered"] == delivered


def test_a_tally_is_never_rounded_up() -> None:
    tally = Tally.of(results(2999, 3000))
    assert (tally.sent, tally.delivered, tally.reliability) == (3000, 2999, 99.96)
    assert tally.failures == ("message 2999 from a to b: came too late",)


def test_points() -> None:
    checks = [Check(id=name, kind="healthy", nodes=("a",), points=points) for name, points in (("x", 2), ("y", 3))]
    done = [CheckResult(check=check, passed=check.id == "x", found="", seconds=0.1) for check in checks]
    assert points_of(done) == (2, 5)
    assert [one.to_json()["points"] for one in done] == [2, 0]


@pytest.mark.parametrize(
    ("check", "says"),
    [
        (Check(id="a", kind="healthy", nodes=("x",)), "healthy: x"),
        (Check(id="a", kind="healthy", nodes=tuple("abcdefghij")), "healthy: a, b, c, d, e, f, g, h and 2 more"),
        (Check(id="a", kind="connected", nodes=("a", "b"), peers=("c",)), "connected: a, b with c"),
        (
            Check(id="a", kind="delivery", nodes=("a",), peers=("b",), expected=Expected(max_hops=2)),
            "at least 100% of asym messages from a to b, in at most 2 hops",
        ),
        (
            Check(id="a", kind="delivery", nodes=("a",), peers=("b",), expected=Expected(min_share=0.0, max_share=0.0)),
            "no asym message from a to b",
        ),
        (
            Check(id="a", kind="delivery", nodes=("a",), peers=("b",), expected=Expected(min_share=0.1, max_share=0.5)),
            "10% to 50% of asym messages from a to b",
        ),
    ],
)
def test_a_check_in_words(check: Check, says: str) -> None:
    assert str(check) == says


def test_checks_of_a_teacher_are_about_the_lab_that_runs() -> None:
    """Nothing else of the file is read; what is about a node that is not there fails."""
    nodes = load(HEAD + LINE).nodes
    text = f"""{HEAD}nodes: {{other: }}
verify:
  - {{id: all, expect: {{healthy: "*"}}}}
  - {{id: gone, points: 3, hint: look, expect: {{connected: [alice, n09]}}}}
  - {{id: alone, expect: {{apart: ["a*", "a*"]}}}}
"""
    whole, gone, alone = load_checks(text, nodes)
    assert alone.impossible == "a node does not write to itself: no pair is left"
    assert whole.nodes == ("alice", "n01", "n02", "bob")
    assert (gone.impossible, gone.points, gone.hint) == ("no node matches 'n09'", 3, "look")
    assert str(gone) == "connected, of nodes that are not here"
    with pytest.raises(LabFileError, match="f:3:10: the key 'expect' is missing in verify"):
        load_checks(f"{HEAD}verify: [{{id: a}}]", nodes, source="f")
    with pytest.raises(LabFileError, match="expect says nothing"):
        load_checks(f"{HEAD}verify: [{{id: a, expect: {{}}}}]", nodes)
