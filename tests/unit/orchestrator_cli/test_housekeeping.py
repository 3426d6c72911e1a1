"""`lab doctor`, `lab dump`, `lab smoke`, and when labs expire."""

from __future__ import annotations

import datetime
import json
from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator.gc import FoundLab
from orchestrator.smoke import SmokeReport
from tests.unit.orchestrator_cli.conftest import Run
from tests.unit.orchestrator_cli.fakes import FakeLabs

REPORT = SmokeReport(
    mode="raw",
    seed=1,
    sent=10,
    delivered=10,
    duplicates=0,
    strays=0,
    bytes=128,
    seconds=0.5,
    p50_ms=4.0,
    p95_ms=9.5,
    hops=24,
    ideal_hops=20,
    traced=10,
)


@pytest.fixture
def reports(labs: FakeLabs) -> dict[str, SmokeReport]:
    """What each mode comes to in the lab that runs."""
    labs.labs["default"].smoke_reports = {mode: replace(REPORT, mode=mode) for mode in ("raw", "sym", "asym")}
    return labs.labs["default"].smoke_reports


def test_smoke_tries_all_modes(run: Run, labs: FakeLabs, reports: dict[str, SmokeReport]) -> None:
    result = run("smoke", "--seed", "7", "--msgcount", "5", "--msgbytes", "64", "--msgtimeout", "2s")
    assert result.exit_code == 0
    rows = result.stdout.splitlines()
    assert [row.split()[0] for row in rows] == ["mode", "raw", "sym", "asym"]
    assert rows[1].split()[1:] == ["10/10", "100", "%", "4.0", "ms", "9.5", "ms", "0", "0", "2.40", "2.00", "0.5", "s"]
    calls = [call for call in labs.labs["default"].calls if call[0] == "smoke"]
    options = {"seed": 7, "count": 5, "size": 64, "timeout_s": 2.0}
    assert calls == [("smoke", mode, options) for mode in ("raw", "sym", "asym")]
    assert labs.labs["default"].calls[-1] == ("close",)


@pytest.mark.parametrize(("minimum", "code"), [("100", 1), ("95", 1), ("90", 0)])
def test_smoke_fails_below_the_minimum(run: Run, reports: dict[str, SmokeReport], minimum: str, code: int) -> None:
    reports["sym"] = replace(REPORT, delivered=9, failures=("message 3 from alice to bob: did not arrive",))
    result = run("smoke", "sym", "--min", minimum)
    assert result.exit_code == code
    assert "90 %" in result.stdout
    assert "message 3 from alice to bob: did not arrive" in result.stderr


def test_smoke_as_json(run: Run, reports: dict[str, SmokeReport]) -> None:
    result = run("smoke", "asym", "--json")
    document = json.loads(result.stdout)
    assert (document["lab"], document["passed"], len(document["modes"])) == ("default", True, 1)
    mode = document["modes"][0]
    assert (mode["mode"], mode["reliability"], mode["hops"]) == (
        "asym",
        100.0,
        {"traced": 10, "taken": 24, "ideal": 20},
    )


def test_smoke_wants_a_mode_there_is(run: Run) -> None:
    assert run("smoke", "pigeon").exit_code == 2
    assert run("smoke", "raw", "--msgcount", "0").exit_code == 2
    assert run("smoke", "raw", "--lab", "nobody").exit_code == 5


def test_dump_says_where(run: Run, labs: FakeLabs, tmp_path: Path) -> None:
    result = run("dump", "out")
    assert result.exit_code == 0
    assert "1 files, see README.txt" in result.stdout
    assert labs.labs["default"].calls[-1] == ("close",)
    document = json.loads(run("dump", "out2", "--json").stdout)
    assert document["lab"] == "default"
    assert document["files"] == ["README.txt"]


def test_doctor_is_content(run: Run, labs: FakeLabs) -> None:
    result = run("doctor", "--runtime", "process")
    assert result.exit_code == 0
    assert "more nodes fit here, as processes" in result.stdout
    assert labs.examined == [{"runtime": "process", "nodes": 0, "port": 0, "kernel": True}]


def test_doctor_refuses_with_4(run: Run, labs: FakeLabs) -> None:
    result = run("doctor", "--nodes", "100000", "--no-kernel", "--json")
    assert result.exit_code == 4
    document = json.loads(result.stdout)
    assert document["refused"] is True
    assert [one["topic"] for one in document["findings"] if one["level"] == "refuse"] == ["capacity"]
    assert labs.examined == [{"runtime": "auto", "nodes": 100000, "port": 0, "kernel": False}]
    labs.facts = replace(labs.facts, state_writable=False)
    assert run("doctor").exit_code == 4


def test_a_lab_is_started_with_its_expiry(run: Run, labs: FakeLabs) -> None:
    before = datetime.datetime.now(datetime.UTC)
    assert run("up", "ring8", "--name", "short", "--expires", "2h").exit_code == 0
    expires = datetime.datetime.fromisoformat(labs.up_calls[0]["spec"].expires)
    hours = (expires - before).total_seconds() / 3600
    assert hours == pytest.approx(2, abs=0.05)
    assert run("up", "ring8", "--name", "long").exit_code == 0
    assert labs.up_calls[1]["spec"].expires == ""


def test_an_expiry_for_a_lab_that_runs_already_changes_nothing(run: Run) -> None:
    result = run("up", "line3", "--name", "default", "--expires", "2h")
    assert result.exit_code == 0
    assert "--expires is for new labs; this one expires never" in result.stderr


def test_ls_shows_whose_and_until_when(run: Run, labs: FakeLabs) -> None:
    labs.elsewhere = [
        FoundLab(lab_id="x-bbbbbb", runtime="docker", running={"a"}, owner="eve", expires="2026-06-01T12:00:00Z")
    ]
    rows = {row["id"]: row for row in json.loads(run("ls", "--json").stdout)["labs"]}
    assert (rows["x-bbbbbb"]["owner"], rows["x-bbbbbb"]["expires"]) == ("eve", "2026-06-01T12:00:00Z")
    assert rows["default-aaaaaa"]["expires"] == ""
    text = run("ls").stdout
    assert "2026-06-01T12:00:00Z" in text
    assert "never" in text
