"""partition, cut, heal, slow, flaky, slowmo, churn, node pause|unpause|restart, fault show|clear."""

from __future__ import annotations

import dataclasses
import json
import os
import signal
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from orchestrator import labels
from orchestrator.cli.faults import HELPER, INTERRUPTED
from orchestrator.docker_helper import remove
from orchestrator.errors import LabFileError
from orchestrator.faults.apply import HELPER_ROLE
from orchestrator.faults.control import ActiveFault
from orchestrator.faults.model import Conditions, Fault
from orchestrator.faults.show import EdgeReport, FaultReport
from orchestrator.faults.store import FaultState
from orchestrator.faults.timeline import Act
from orchestrator.names import select_nodes
from tests.unit.orchestrator_cli.conftest import Run
from tests.unit.orchestrator_cli.fakes import FakeLab, FakeLabs

CUT = Fault(name="cut-1", kind="cut", groups=(("alice",), ("n01",)))
BLOCKED, NOTHING = Conditions(blocked=True), Conditions()


class FakeFaults:
    """Says yes to everything and keeps what it was asked."""

    def __init__(self, lab: FakeLab) -> None:
        self._lab = lab
        self.calls: list[tuple[Any, ...]] = []
        self.known = FaultState(faults=[CUT])
        self.raises: Exception | None = None
        self.helpers: list[str] = []
        """That somebody left."""
        self.lines: list[str] | None = None
        """Of a rehearsal."""
        self.found = FaultReport(faults=[], edges=[], paused={}, how_paused="freezer")

    def _act(self, verb: str, *given: Any, **options: Any) -> ActiveFault:
        if self.raises:
            raise self.raises
        self.calls.append((verb, *given, {key: value for key, value in options.items() if value}))
        return ActiveFault(self, dataclasses.replace(CUT, name=f"{verb}-1"))  # type: ignore[arg-type]

    def partition(self, *groups: str, **options: Any) -> ActiveFault:
        return self._act("partition", *groups, **options)

    def random_partition(self, **options: Any) -> ActiveFault:
        return self._act("random_partition", **options)

    def rehearsal(self) -> FakeFaults:
        rehearsal = FakeFaults(self._lab)
        rehearsal.lines = ["alice: blackhole routes to n01"]
        rehearsal.calls, rehearsal.known = self.calls, self.known
        self.calls.append(("rehearsal", {}))
        return rehearsal

    def cut(self, a: str, b: str, **options: Any) -> ActiveFault:
        return self._act("cut", a, b, **options)

    def conditions(self, nodes: str, **options: Any) -> ActiveFault:
        return self._act("conditions", nodes, **options)

    def slow_motion(self, delay_s: float, **options: Any) -> ActiveFault:
        return self._act("slowmo", delay_s, **options)

    def full_speed(self) -> list[str]:
        return self.clear(["slowmo"])

    def paused(self, nodes: str) -> ActiveFault:
        return self._act("pause", nodes)

    def unpause(self, nodes: str) -> None:
        self._act("unpause", nodes)

    def note_down(self, nodes: tuple[str, ...], name: str, ours: set[str], *, numbered: bool) -> str:
        self._act("down", nodes, name, numbered=numbered)
        ours.add(noted := f"{name}-{len(self.calls)}")
        return noted

    def apply(self, fault: Fault) -> ActiveFault:
        return self._act("apply", fault.name)

    def clear(self, names: Any = None) -> list[str]:
        self._act("clear", names)
        return [fault.name for fault in self.known.faults if names is None or fault.name in names]

    def heal(self) -> list[str]:
        return self.clear() + self.helpers

    def state(self) -> FaultState:
        return self.known

    def select(self, selectors: str) -> tuple[str, ...]:
        return tuple(node.name for node in select_nodes(self._lab.spec.nodes, [selectors]))

    def report(self) -> FaultReport:
        return self.found


@pytest.fixture
def faults(labs: FakeLabs) -> FakeFaults:
    lab = labs.labs["default"]
    lab.faults = FakeFaults(lab)  # type: ignore[attr-defined]
    lab.rehearsal = lab.faults.rehearsal  # type: ignore[attr-defined]
    return lab.faults  # type: ignore[attr-defined, no-any-return]


def test_partition(run: Run, faults: FakeFaults) -> None:
    result = run("partition", "alice,n0*", "bob", "--silent", "--name", "split")
    assert result.exit_code == 0
    assert faults.calls == [("partition", "alice,n0*", "bob", {"name": "split", "silent": True})]
    assert result.stderr == "partition-1: nothing passes between alice | n01\n"


def test_a_random_partition(run: Run, faults: FakeFaults) -> None:
    assert run("partition", "--random", "--seed", "7").exit_code == 0
    assert run("partition", "--random").exit_code == 0
    assert faults.calls == [("random_partition", {"seed": 7}), ("random_partition", {})]


@pytest.mark.parametrize(
    ("words", "error"),
    [
        ([], "give groups of nodes, or --random"),
        (["alice", "--random"], "not both"),
        (["alice", "--seed", "1"], "--seed is for --random"),
    ],
)
def test_groups_or_chance(run: Run, faults: FakeFaults, words: list[str], error: str) -> None:
    result = run("partition", *words)
    assert (result.exit_code, error in result.stderr) == (2, True)
    assert faults.calls == []


@pytest.mark.parametrize(
    ("words", "verb", "said"),
    [
        (["partition", "alice", "bob"], "partition", "partition-1: nothing passes between alice | n01"),
        (["partition", "--random"], "random_partition", "random_partition-1: nothing passes between alice | n01"),
        (["cut", "alice", "n01"], "cut", "cut-1: nothing passes between alice and n01"),
        (["slow", "n01", "--delay", "1s"], "conditions", "conditions-1: alice | n01"),
        (["flaky", "n01"], "conditions", "conditions-1: alice | n01"),
        (["slowmo", "1s"], "slowmo", "every node waits 1s before it sends; lab slowmo off ends it"),
        (["slowmo", "off"], "clear", "it was not in slow motion"),
        (["heal"], "clear", "healed: cut-1"),
    ],
    ids=lambda one: " ".join(one) if isinstance(one, list) else None,
)
def test_a_dry_run_says_what_and_does_nothing(
    run: Run, faults: FakeFaults, words: list[str], verb: str, said: str
) -> None:
    result = run(*words, "--dry-run")
    assert (result.exit_code, result.stdout) == (0, "alice: blackhole routes to n01\n")
    assert result.stderr == f"dry run: {said}\nnothing was done\n"
    assert [call[0] for call in faults.calls] == ["rehearsal", verb]


def test_cut(run: Run, faults: FakeFaults) -> None:
    assert run("cut", "alice", "n01").exit_code == 0
    assert faults.calls == [("cut", "alice", "n01", {})]
    assert run("cut", "alice", "alice").exit_code == 2
    assert run("cut", "alice", "nobody").exit_code == 2


def test_what_makes_no_sense(run: Run, faults: FakeFaults) -> None:
    faults.raises = LabFileError("a partition needs two groups")
    result = run("partition", "*")
    assert (result.exit_code, result.stderr) == (2, "error: a partition needs two groups\n")


def test_heal(run: Run, faults: FakeFaults) -> None:
    assert run("heal").stderr == "healed: cut-1\n"
    faults.known.faults.clear()
    assert run("heal").stderr == "there was nothing to heal\n"


def test_heal_counts_helpers(run: Run, faults: FakeFaults) -> None:
    faults.helpers = ["helper lab-x-fault-n04-e7cccd", "helper lab-x-fault-n05-a7cccd"]
    assert run("heal").stderr == "healed: cut-1 and 2 helpers\n"
    faults.known.faults.clear()
    del faults.helpers[1]
    assert run("heal").stderr == "healed: 1 helper\n"


def test_what_heal_counts_is_called_a_helper() -> None:
    left = SimpleNamespace(name="lab-x-fault-n04", labels={labels.ROLE: HELPER_ROLE})
    [name] = remove([left], HELPER_ROLE, only_look=True)  # type: ignore[list-item]
    assert name.startswith(HELPER)


def test_slow(run: Run, faults: FakeFaults) -> None:
    words = ["--delay", "200ms", "--jitter", "10ms", "--rate", "5mbit", "--with", "bob", "--direction", "both"]
    assert run("slow", "n0*", *words).exit_code == 0
    [(verb, nodes, options)] = faults.calls
    assert (verb, nodes) == ("conditions", "n0*")
    assert options == {"delay_s": 0.2, "jitter_s": 0.01, "rate_bps": 5e6, "peers": "bob", "direction": "both"}


def test_flaky(run: Run, faults: FakeFaults) -> None:
    run("flaky", "n01")
    run("flaky", "n01", "--loss", "0.5%")
    assert [call[2]["loss"] for call in faults.calls] == [0.05, pytest.approx(0.005)]


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (["slow", "n01"], "give at least one of"),
        (["slow", "n01", "--delay", "5"], "unit is missing"),
        (["slow", "n01", "--rate", "fast"], "a rate such as"),
        (["flaky", "n01", "--loss", "2"], "a percentage"),
        (["slowmo", "x"], "a duration such as"),
        (["churn", "n01", "--rate", "6"], "how often"),
    ],
)
def test_quantities_that_are_none(run: Run, faults: FakeFaults, words: list[str], error: str) -> None:
    result = run(*words)
    assert result.exit_code == 2
    assert error in result.stderr
    assert faults.calls == []


def test_slow_motion(run: Run, faults: FakeFaults) -> None:
    assert run("slowmo", "500ms").exit_code == 0
    assert faults.calls == [("slowmo", 0.5, {"instead": True})]
    assert run("slowmo", "off").stderr == "it was not in slow motion\n"


def test_pause_and_unpause(run: Run, faults: FakeFaults) -> None:
    assert run("node", "pause", "n01").exit_code == 0
    assert run("node", "unpause", "n01,bob").stderr == "n01 and bob: going on\n"
    assert [call[:2] for call in faults.calls] == [("pause", "n01"), ("unpause", "n01,bob")]


def test_restart(run: Run, labs: FakeLabs) -> None:
    assert run("node", "restart", "n01").exit_code == 0
    assert labs.labs["default"].calls[:2] == [("stop", "n01"), ("start", "n01")]
    assert run("node", "restart", "nn").exit_code == 2


def test_churn_kills_and_starts_in_turn(run: Run, labs: FakeLabs, faults: FakeFaults) -> None:
    result = run("churn", "*", "--protect", "alice,bob", "--rate", "1000/s", "--down", "1ms", "--count", "2")
    assert result.exit_code == 0, result.stderr
    assert [line.split(maxsplit=2)[2] for line in result.stdout.splitlines()] == [
        "churn: kill n01",
        "churn: start n01",
        "churn: kill n01",
        "churn: start n01",
    ]
    done = [call for call in labs.labs["default"].calls if call != ("close",)]
    assert done == [("kill", "n01")] * 2
    # Each death is a fault of its own, and who takes that back starts the node.
    noted = ("down", ("n01",), "churn", {"numbered": True})
    assert faults.calls == [noted, ("clear", ["churn-1"], {}), noted, ("clear", ["churn-3"], {})]


def test_churn_says_when_the_first_one_dies(run: Run, labs: FakeLabs, faults: FakeFaults) -> None:
    result = run("churn", "n01", "--rate", "1000/s", "--down", "1ms", "--count", "1")
    assert result.stderr == "first death in 0.0 s; Ctrl-C ends it\n"


@pytest.mark.parametrize("deaths", [0, 1, 2])
def test_churn_claims_to_take_back_only_what_was_done(
    run: Run, faults: FakeFaults, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], deaths: int
) -> None:
    def play(lab: FakeLab, acts: list[Act], report: Callable[[float, str], None]) -> None:
        for act in acts[:deaths]:
            report(act.at_s, str(act))
        os.kill(os.getpid(), signal.SIGINT)
        pytest.fail("nobody was interrupted")

    monkeypatch.setattr("orchestrator.faults.play.play", play)
    result = run("churn", "n01")
    assert result.exit_code == 128 + signal.SIGINT
    assert result.stderr.startswith("first death in ")
    assert capfd.readouterr().err.count(INTERRUPTED) == (deaths > 0)


def test_show(run: Run, faults: FakeFaults) -> None:
    edge = EdgeReport(a="alice", b="n01", wanted=BLOCKED, actual=BLOCKED, how="route", connected=False, before_s=0.0012)
    elsewhere = dataclasses.replace(edge, b="bob", before_s=None)
    faults.found = FaultReport(faults=[CUT], edges=[edge, elsewhere], paused={"bob": True}, how_paused="freezer")
    result = run("fault", "show")
    assert result.exit_code == 0
    lines = [" ".join(line.split()) for line in result.stdout.splitlines()]
    assert lines[1] == "cut-1 cut alice | n01"
    assert lines[4] == "alice > n01 blocked as wanted route 1.2 ms not connected"
    assert lines[5] == "and 1 directions between nodes that no link joins, all as wanted"
    assert lines[6] == "bob is frozen (freezer)"
    assert "alice > bob" in run("fault", "show", "--all").stdout


def test_show_what_is_not_as_wanted(run: Run, faults: FakeFaults) -> None:
    edge = EdgeReport(
        a="alice", b="n01", wanted=BLOCKED, actual=NOTHING, how="route", connected=True, before_s=0.001, now_s=0.001
    )
    faults.found = FaultReport(faults=[CUT], edges=[edge], paused={}, how_paused="freezer")
    result = run("fault", "show", "--json")
    assert result.exit_code == 6
    document = json.loads(result.stdout)
    assert document["applied"] is False
    assert document["faults"] == [{"name": "cut-1", "kind": "cut", "groups": [["alice"], ["n01"]]}]
    [row] = document["edges"]
    assert (row["from"], row["to"], row["wanted"], row["actual"], row["how"]) == (
        "alice",
        "n01",
        "blocked",
        "none",
        "route",
    )


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({}, "rate 1mbit, and delay 1s besides tc no answer"),
        ({"astray": Conditions(rate_bps=1e6)}, "rate 1mbit, and rate 1mbit twice tc no answer"),
        ({"astray": NOTHING, "measured": False}, "as wanted tc connected"),
        ({"asked": False, "astray": NOTHING, "connected": False}, "not asked tc not connected"),
    ],
)
def test_show_what_is_made_besides(run: Run, faults: FakeFaults, change: dict[str, Any], words: str) -> None:
    rate = Conditions(rate_bps=1e6)
    edge = EdgeReport(
        a="alice", b="n01", wanted=rate, actual=rate, astray=Conditions(delay_s=1.0), how="tc", connected=True
    )
    edge = dataclasses.replace(edge, **change)
    faults.found = FaultReport(faults=[CUT], edges=[edge], paused={}, how_paused="freezer")
    result = run("fault", "show")
    assert " ".join(result.stdout.splitlines()[-1].split()) == f"alice > n01 rate 1mbit {words}"
    assert result.exit_code == (0 if edge.applied else 6)


def test_show_who_is_frozen_on_purpose(run: Run, faults: FakeFaults) -> None:
    edge = EdgeReport(
        a="alice", b="n01", wanted=BLOCKED, actual=NOTHING, how="route", connected=False, asked=False, excused=True
    )
    faults.found = FaultReport(faults=[CUT], edges=[edge], paused={"alice": True}, how_paused="freezer")
    result = run("fault", "show")
    assert (result.exit_code, "not asked" in result.stdout) == (0, True)


def test_show_nothing(run: Run, faults: FakeFaults) -> None:
    result = run("fault", "show")
    assert (result.exit_code, result.stdout, result.stderr) == (0, "", "no fault\n")


def test_clear(run: Run, faults: FakeFaults) -> None:
    assert run("fault", "clear", "cut-1").stderr == "cleared: cut-1\n"
    assert run("fault", "clear").stderr == "cleared: cut-1\n"
    result = run("fault", "clear", "cut-2")
    assert result.exit_code == 5
    assert result.stderr == "error: no fault 'cut-2'\nhint: faults: cut-1\n"
