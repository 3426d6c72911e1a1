"""bench.soak for half a minute instead of ten: kills, restarts, an account of every message, nothing left behind."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from bench.soak import LAB_NAME, Plan, Soak, parse, soak, table
from bench.soak_samples import Sample, growth_over_restarts, parse_proc, rss_slope
from node.ids import OverlayAddress
from orchestrator.process_runtime import find_lab_processes
from orchestrator.state import StateDir

PLAN = Plan(seconds=20.0, nodes=4, seed=5, every_s=6.0, alone=2, warm_up=False)


@pytest.mark.timeout(240)
def test_nodes_that_are_killed_cost_no_message_that_had_a_way(tmp_path: Path) -> None:
    said: list[str] = []
    report = soak(PLAN, state_root=tmp_path / "labs", say=said.append)
    assert report.complaints == [], said
    account = report.account
    assert sum(report.kills.values()) + sum(report.stops.values()) == len(report.heal_s) >= 1
    assert not any(report.kills[name] or report.stops[name] for name in report.alone)
    # Of four nodes at most one was away at a time: by far the most messages had a path.
    assert account.deliverable > account.sent / 2
    assert account.sent == account.deliverable + sum(sent for sent, _ in account.apart.values())
    assert account.sent > PLAN.rate * PLAN.seconds / 2
    assert "too short for a slope of memory: not judged" in table(report)
    assert not (tmp_path / "labs").exists()
    assert find_lab_processes(StateDir(LAB_NAME, tmp_path / "labs").lab_id) == {}


def test_plans_that_make_no_sense(capsys: pytest.CaptureFixture[str]) -> None:
    assert parse(["--minutes", "0.5", "--nodes", "4"]) == Plan(seconds=30.0, nodes=4)
    with pytest.raises(SystemExit):
        parse(["--nodes", "2"])
    assert "left alone" in capsys.readouterr().err


def sample(minutes: float, rss_mb: float, *, incarnation: int = 0, age_s: float = 60.0) -> Sample:
    return Sample(
        at=minutes * 60,
        incarnation=incarnation,
        age_s=age_s,
        rss_mb=rss_mb,
        fds=20,
        sockets=10,
        tasks=20,
        threads=8,
        peers=3,
    )


def test_growth_of_memory() -> None:
    assert rss_slope([sample(minute, 60.0) for minute in range(5)]) is None
    assert rss_slope([sample(minute, 60.0 + 0.5 * minute) for minute in range(20)]) == pytest.approx(0.5)
    restarted = [sample(0, 50.0, age_s=1), sample(1, 60.0), sample(2, 10.0, incarnation=1, age_s=2)]
    assert growth_over_restarts(restarted) is None
    assert growth_over_restarts([*restarted, sample(3, 63.0, incarnation=1)]) == pytest.approx(3.0)


def test_reading_proc() -> None:
    said = (
        "VmRSS:\t   60000 kB\nThreads:\t8\ntotal 0\n"
        "lrwx------ 1 10001 10001 64 Jan  1 00:00 0 -> /dev/null\n"
        "lrwx------ 1 10001 10001 64 Jan  1 00:00 3 -> socket:[123]\n"
    )
    assert parse_proc(said) == (61.44, 2, 1, 8)


def test_a_message_that_the_soak_fails_to_send_fails_the_run() -> None:
    class Node:
        def __init__(self, number: int) -> None:
            self.name = f"n{number}"
            self.spec = SimpleNamespace(overlay=OverlayAddress(bytes([number]) * 32))

        def topic(self, name: str) -> bytes:
            return b"topi"

    class BrokenLab:
        def __init__(self) -> None:
            self.nodes = [Node(number) for number in range(4)]
            self.spec = SimpleNamespace(node_names=[node.name for node in self.nodes])

        def __getitem__(self, name: str) -> Node:
            raise LookupError(f"nobody is called {name}")

    lab: Any = BrokenLab()
    run = Soak(lab, Plan(nodes=4), say=lambda line: None)
    before = run._complaints()
    run._traffic.burst(["n1", "n2"], 3)
    run._traffic.close()
    assert run.report.account.sent == 0
    new = [complaint for complaint in run._complaints() if complaint not in before]
    assert [new[0], *sorted(new[1:])] == [  # they are sent at the same time
        "3 messages that the soak failed to send are not accounted for",
        "not sent: message 0 n1 -> n2: LookupError: nobody is called n2",
        "not sent: message 1 n2 -> n1: LookupError: nobody is called n1",
        "not sent: message 2 n1 -> n2: LookupError: nobody is called n2",
    ]
