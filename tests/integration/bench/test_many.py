"""The parts of bench.many that need no containers."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import psutil
import pytest

from bench.many import Estimate, Memory, Plan, Report, make_lab, parse, table
from bench.many_memory import FLOOR_MB, Ballast, total_mb, used_bytes
from bench.split import stranded
from orchestrator.doctor.capacity import MB
from orchestrator.errors import LabFileError

BALLAST_MB = 64
NOISE_MB = 30
"""Other programs take and give memory meanwhile."""

SMOKE: dict[str, Any] = {
    "sent": 10,
    "delivered": 10,
    "reliability": 100.0,
    "duplicates": 0,
    "strays": 0,
    "seconds": 0.5,
    "latency_ms": {"p50": 1.0, "p95": 2.0},
    "failures": [],
}


def report(**changes: Any) -> Report:
    """Ten nodes for which 400 MB went; above the reserve of 1,000 MB there are 600 left."""
    good = Report(
        spec=make_lab(Plan(), 10),
        estimate=Estimate(nodes=22, blocker="memory", memory_nodes=22, node_mb=50, reserve_mb=1000.0),
        ballast_mb=0,
        memory=Memory(before_mb=2100.0, prepared_mb=2000.0, up_mb=1600.0, lowest_mb=1590.0, down_mb=2090.0),
        steps={"starting nodes": 1.0},
        up_s=2.0,
        smoke=SMOKE,
        messages_per_s=20.0,
        resident_mb=[50.0] * 10,
        container_mb=[30.0] * 10,
    )
    return dataclasses.replace(good, **changes)


def test_what_fits_is_what_was_lost_for_a_node_carried_on_to_the_reserve() -> None:
    good = report()
    assert good.memory.lost_per_node(10) == 40.0
    assert good.fits == 25
    told = json.loads(json.dumps(good.to_json()))["estimate"]
    assert (told["fits"], told["more_would_fit"], told["of_what_fits"], told["cost_ratio"]) == (25, 15, 0.88, 1.25)
    assert "25, so 15 more until the reserve" in table(good)
    assert "88 %, within 25 %" in table(good)


def test_files_that_a_node_needs_are_not_to_be_had_by_others() -> None:
    needy = report(estimate=dataclasses.replace(report().estimate, files_mb=10))
    assert needy.fits == 20
    assert "40.0 MB, and 10 of files it needs; doctor counts 50" in table(needy)


def test_an_estimate_that_is_too_small_and_one_that_cannot_be_judged() -> None:
    assert "72 %, not within 25 %" in table(report(estimate=dataclasses.replace(report().estimate, memory_nodes=18)))
    nothing_lost = report(memory=dataclasses.replace(report().memory, up_mb=2001.0))
    assert nothing_lost.fits is None
    assert "not known" in table(nothing_lost)
    assert nothing_lost.to_json()["estimate"]["of_what_fits"] is None


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"smoke": SMOKE | {"delivered": 9}}, "not every message"),
        ({"smoke": SMOKE | {"duplicates": 1}}, "not every message"),
        ({"smoke": SMOKE | {"strays": 1}}, "not every message"),
        ({"left": ["network x"]}, "left behind: network x"),
        ({"breached": True}, "the ballast was let go"),
        ({"memory": dataclasses.replace(report().memory, lowest_mb=999.0)}, "the reserve"),
    ],
)
def test_what_is_not_right(changes: dict[str, Any], complaint: str) -> None:
    assert report().complaints == []
    bad = report(**changes)
    assert complaint in bad.complaints[0]
    assert f"FAILED: {bad.complaints[0]}" in table(bad)
    assert bad.to_json()["right"] is False


def test_plans_and_their_labs() -> None:
    plan, as_json = parse([])
    assert (plan, as_json) == (Plan(), False)
    lab = make_lab(plan, 48)
    assert (len(lab.nodes), lab.auto_connect) == (48, False)
    assert not stranded({n.name: n.overlay for n in lab.nodes}, lab.node_names, lab.links)
    hive = make_lab(parse(["--autoconnect", "--nodes", "6"])[0], 6)
    assert (len(hive.links), hive.auto_connect) == (6, True)
    assert parse(["--nodes", "estimate", "--ballast", "100", "--json"]) == (Plan(nodes=None, ballast_mb=100), True)
    with pytest.raises(LabFileError, match="--ballast"):
        make_lab(plan, 0)  # as many as the estimate said


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--nodes", "many"], "want a number, or estimate"),
        (["--nodes", "2"], "expected 3 to 200"),
        (["--nodes", "201"], "expected 3 to 200"),
        (["--messages", "0"], "want 1 to"),
        (["--ballast", "-1"], "want 0 or more"),
    ],
)
def test_arguments_that_make_no_sense(arguments: list[str], told: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        parse(arguments)
    assert ended.value.code == 2
    assert told in capsys.readouterr().err


def test_ballast_is_held_and_given_back() -> None:
    # Of this process: what the machine has available, others change meanwhile.
    process = psutil.Process()
    before = process.memory_info().rss
    with Ballast(BALLAST_MB) as ballast:
        assert process.memory_info().rss > before + (BALLAST_MB - NOISE_MB) * MB
    assert process.memory_info().rss < before + NOISE_MB * MB
    assert 0 < ballast.lowest_mb < total_mb()
    assert not ballast.breached
    with pytest.raises(ValueError, match=f"so that {FLOOR_MB} stay free"):
        Ballast(int(total_mb()))


def test_what_a_container_uses() -> None:
    assert used_bytes({"usage": 100, "stats": {"inactive_file": 1, "total_inactive_file": 30}}) == 70
    assert used_bytes({"usage": 100, "stats": {"inactive_file": 20}}) == 80
    assert used_bytes({}) == 0
