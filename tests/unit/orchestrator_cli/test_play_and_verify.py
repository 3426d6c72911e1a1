"""lab play, lab verify."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from orchestrator.faults.model import Fault
from orchestrator.faults.timeline import TimedFault
from orchestrator.shot import Tally
from orchestrator.traffic.model import Traffic
from orchestrator.traffic.run import TrafficReport
from orchestrator.verify.model import Check, CheckResult
from tests.unit.orchestrator_cli.conftest import Run
from tests.unit.orchestrator_cli.fakes import FakeLab, FakeLabs

CUT = Fault(name="cut-1", kind="cut", groups=(("alice",), ("n01",)))
TRAFFIC = Traffic(name="calm", senders=("alice",), receivers=("bob",), min_share=0.9)
HEALTHY = Check(id="healthy", kind="healthy", nodes=("alice", "bob"), points=2, hint="look at lab status")
APART = Check(id="apart", kind="apart", nodes=("alice",), peers=("bob",))


@pytest.fixture
def lab(labs: FakeLabs) -> FakeLab:
    lab = labs.labs["default"]
    entry = TimedFault(name="cut-1", at_s=0.0, for_s=0.01, fault=CUT)
    lab.spec = dataclasses.replace(lab.spec, timeline=(entry,), traffic=(TRAFFIC,), checks=(HEALTHY, APART))
    return lab


@pytest.fixture
def delivered(lab: FakeLab) -> list[int]:
    """How many of ten messages arrive in the next play."""
    wanted = [10]

    def play(report: Callable[[float, str], None]) -> list[TrafficReport]:
        report(0.5, "cut-1: cut alice | n01")
        failures = tuple(f"message {n} from alice to bob: did not arrive" for n in range(10 - wanted[0]))
        tally = Tally(sent=10, delivered=wanted[0], duplicates=1, p50_ms=4.0, p95_ms=9.5, failures=failures)
        return [TrafficReport(traffic=TRAFFIC, tally=tally)]

    lab.play = play  # type: ignore[attr-defined]
    return wanted


@pytest.fixture
def failing(lab: FakeLab) -> set[str]:
    """Ids of checks that fail."""
    wanted: set[str] = set()

    def verify(checks: Sequence[Check]) -> Iterator[CheckResult]:
        for check in checks:
            passed = check.id not in wanted
            yield CheckResult(check=check, passed=passed, found="so it is" if passed else "it is not", seconds=0.25)

    lab.verify = verify  # type: ignore[attr-defined]
    return wanted


def test_play_shows_what_happens_and_what_arrived(run: Run, delivered: list[int]) -> None:
    result = run("play")
    assert (result.exit_code, result.stderr) == (0, "")
    happened, head, row = result.stdout.splitlines()
    assert happened == "   0.50 s  cut-1: cut alice | n01"
    assert head.split() == ["traffic", "mode", "arrived", "reliability", "wanted", "p50", "p95", "duplicates"]
    assert " ".join(row.split()) == "calm asym 10/10 100 % 90 % 4.0 ms 9.5 ms 1"


def test_play_fails_when_too_little_arrives(run: Run, delivered: list[int]) -> None:
    delivered[0] = 5
    result = run("play")
    assert result.exit_code == 1
    assert result.stderr.splitlines()[0] == "calm: message 0 from alice to bob: did not arrive"
    assert result.stderr.splitlines()[-1] == "calm: and 2 more"


def test_play_as_json(run: Run, delivered: list[int]) -> None:
    delivered[0] = 9
    result = run("play", "--json")
    document = json.loads(result.stdout)
    assert (document["lab"], document["passed"]) == ("default", True)
    assert document["events"] == [{"at_s": 0.5, "what": "cut-1: cut alice | n01"}]
    assert (document["traffic"][0]["delivered"], document["traffic"][0]["reliability"]) == (9, 90.0)


def test_nothing_to_play(run: Run) -> None:
    result = run("play")
    assert result.exit_code == 5
    assert result.stderr.startswith("error: lab default has no faults and no traffic to play\nhint: ")


def test_verify(run: Run, failing: set[str]) -> None:
    result = run("verify")
    assert result.exit_code == 0
    assert result.stdout == "ok     healthy: so it is\nok     apart: so it is\n"
    assert result.stderr == "lab default: 2 of 2 checks passed, 3 of 3 points\n"


def test_verify_says_what_failed_and_what_to_do(run: Run, failing: set[str]) -> None:
    failing.add("healthy")
    result = run("verify", "--error-only")
    assert result.exit_code == 1
    assert result.stdout == (
        "FAILED healthy: it is not\n       expected healthy: alice, bob, within 10 s\n       hint: look at lab status\n"
    )
    assert result.stderr == "lab default: 1 of 2 checks passed, 1 of 3 points\n"


def test_verify_as_json(run: Run, failing: set[str]) -> None:
    failing.add("apart")
    result = run("verify", "--json")
    document = json.loads(result.stdout)
    assert (result.exit_code, document["passed"], document["points"], document["of"]) == (1, False, 2, 3)
    assert [(one["id"], one["passed"], one["points"]) for one in document["checks"]] == [
        ("healthy", True, 2),
        ("apart", False, 0),
    ]


def test_some_checks_only(run: Run, failing: set[str]) -> None:
    failing.add("healthy")
    assert run("verify", "apart").stdout == "ok     apart: so it is\n"
    result = run("verify", "helthy")
    assert result.exit_code == 5
    assert result.stderr == "error: lab default has no check 'helthy'\nhint: did you mean 'healthy'?\n"


def test_what_would_be_checked(run: Run, lab: FakeLab) -> None:
    rows = [line.split("   ")[0] for line in run("verify", "--list").stdout.splitlines()]
    assert rows == ["check", "healthy", "apart"]
    assert [one["of"] for one in json.loads(run("verify", "--list", "--json").stdout)["checks"]] == [2, 1]


def test_the_checks_of_another_file(run: Run, failing: set[str]) -> None:
    text = "apiVersion: lab/v1\nname: x\nverify: [{id: mine, expect: {healthy: bob}}]\n"
    Path("mine.lab.yml").write_text(text)
    assert run("verify", "--tests", "mine.lab.yml").stdout == "ok     mine: so it is\n"
    assert run("verify", "--tests", "none.lab.yml").exit_code == 2
    Path("mine.lab.yml").write_text(text.partition("verify")[0])
    assert run("verify", "--tests", "mine.lab.yml").exit_code == 5


def test_nothing_to_verify(run: Run) -> None:
    result = run("verify")
    assert result.exit_code == 5
    assert result.stderr.startswith("error: lab default has nothing to verify\nhint: ")
