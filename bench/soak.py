"""A lab under constant traffic while its nodes are killed and restarted: is anything lost, doubled or leaked?

``make soak`` runs ten minutes: eight nodes that know one bootnode and find the rest by hive; messages of all kinds
between random pairs at a steady rate; every quarter of a minute a node is killed (SIGKILL) or stopped (SIGTERM), stays
away for a moment, and comes back. Some nodes, by a seeded choice, are left alone: growth of memory shows on them.

Verdict, and exit code 0 only if all of it holds:

- every message whose path was up arrived exactly once and in time (:mod:`bench.soak_account` says when a path is up),
- no message arrived twice, or anywhere but at its receiver, path or not,
- no message is missing in the account because the soak failed to send it,
- after every return all tables were healthy again within HEAL_TIMEOUT_S,
- memory of the nodes that were left alone is flat, and a restart brings none along (:mod:`bench.soak_samples` has the
  bounds; a run too short for a slope says so and judges the rest),
- at the end, with all nodes back and nobody sending, each has the descriptors and tasks that it began with.
"""

from __future__ import annotations

import argparse
import random
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from bench.soak_account import DEADLINE_S, GUARD_S, Account, Timeline
from bench.soak_samples import (
    FD_SLACK,
    MAX_RSS_GROWTH_PER_RESTART_MB,
    MAX_RSS_SLOPE_MB_PER_MIN,
    TASK_SLACK,
    Sample,
    growth_over_restarts,
    rss_slope,
    take_sample,
)
from bench.soak_traffic import Traffic
from bench.traffic import bootnode_spec
from node.control.client import ControlError
from node.events import HISTORY_EVENTS
from orchestrator.cli.interrupts import Interrupts
from orchestrator.errors import LabNotReady, OrchestratorError
from orchestrator.lab import Lab

LAB_NAME = "soak"
READY_TIMEOUT_S = 120.0
HEAL_TIMEOUT_S = 30.0
"""From a node's return until every table is healthy again. Ours; it takes 2 to 4 s. Less than node.p2p.dialer.REDIAL_S
(35 s) on purpose: labs are local networks, where a node that the overlay suggests is dialled again at once. To wait
for that pause to end, as nodes do elsewhere, is a fault that a soak has to show."""
KILL_SHARE = 0.7
"""Of the nodes that go, so many are killed; the others are stopped."""
MAX_AWAY_S = 5.0
SAMPLE_S = 10.0
JUDGE_S = 1.0
EVENTS_PER_MESSAGE = 4
"""Sent and forwarded, received and delivered: what two nodes remember of a message between them."""
SETTLE_S = 60.0
"""From the warm-up on memory still counts as settling: the duplicates of the warm-up are remembered for 30 s."""
QUIET_TIMEOUT_S = 30.0
"""For descriptors to be what they were once nobody sends: a connection that ends takes seconds to be gone."""
FAILURES_TRACED = 5
LOG_LINES = 30


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What to do.

    Attributes:
        rate: messages per second, of the whole lab.
        every_s: from one kill or stop to the next, on average.
        alone: nodes that are never ended.
        warm_up: fill what fills up (remembered events) before measuring memory.
    """

    seconds: float = 600.0
    nodes: int = 8
    seed: int = 1
    runtime: str = "process"
    rate: float = 20.0
    every_s: float = 15.0
    alone: int = 2
    warm_up: bool = True

    def __post_init__(self) -> None:
        if not 2 <= self.alone < self.nodes:
            raise ValueError(f"want 2 to {self.nodes - 1} nodes that are left alone, got {self.alone}")


@dataclass(kw_only=True)
class Report:
    """What came of it; nothing in `complaints` means that all is well."""

    account: Account
    alone: list[str]
    kills: dict[str, int]
    stops: dict[str, int]
    samples: dict[str, list[Sample]]
    baseline: dict[str, Sample] = field(default_factory=dict)
    final: dict[str, Sample] = field(default_factory=dict)
    settled_at: float = 0.0
    heal_s: list[float] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)

    def slope(self, name: str) -> float | None:
        """MB per minute of a node that was left alone; None if the run was too short."""
        return rss_slope([sample for sample in self.samples[name] if sample.at >= self.settled_at])


class Soak:
    """One run on a lab that is up."""

    def __init__(self, lab: Lab, plan: Plan, say: Callable[[str], None]) -> None:
        self._lab, self._plan, self._say = lab, plan, say
        self._random = random.Random(f"soak {plan.seed}")
        self._timeline = Timeline({node.name: node.spec.overlay for node in lab.nodes})
        self._account = Account(self._timeline)
        self._traffic = Traffic(lab, self._timeline, self._account, seed=plan.seed)
        self._stop = threading.Event()
        names = lab.spec.node_names
        alone = sorted(self._random.sample(names, plan.alone))
        self._mortal = [name for name in names if name not in alone]
        self.report = Report(
            account=self._account,
            alone=alone,
            kills=dict.fromkeys(names, 0),
            stops=dict.fromkeys(names, 0),
            samples={name: [] for name in names},
        )

    def run(self) -> Report:
        """Introduce the nodes, send, kill, measure, judge."""
        report, plan = self.report, self._plan
        with ExitStack() as ending:
            ending.callback(self._traffic.close)
            for name in self._lab.spec.node_names:
                self._traffic.introduce(name)
            time.sleep(GUARD_S)
            # Before the first message: a descriptor that the warm-up leaves open is one too many as well.
            report.baseline = {name: self._sample(name) for name in self._lab.spec.node_names}
            if plan.warm_up:
                self._say("warming up")
                self._traffic.burst(report.alone, HISTORY_EVENTS * len(report.alone) // EVENTS_PER_MESSAGE)
            report.settled_at = time.monotonic() + SETTLE_S
            with ThreadPoolExecutor(3) as threads:
                ending.callback(self._stop.set)
                jobs = [
                    threads.submit(self._guarded, job)
                    for job in (
                        lambda: self._traffic.run(plan.rate, self._stop),
                        self._keep_sampling,
                        self._keep_judging,
                    )
                ]
                try:
                    self._disturb(time.monotonic() + plan.seconds)
                finally:
                    self._stop.set()
                for job in jobs:
                    job.result()
            self._traffic.drain()
            time.sleep(DEADLINE_S + 2 * GUARD_S)  # the windows of the last messages
            self._judge()
            report.final = self._quiet_samples()
        report.complaints += self._complaints()
        return report

    def _guarded(self, job: Callable[[], None]) -> None:
        """A job that ends ends the run, or nobody would notice its error for ten minutes."""
        try:
            job()
        finally:
            self._stop.set()

    # -- kill and restart

    def _disturb(self, until: float) -> None:
        while True:
            pause_s = self._random.uniform(0.5, 1.5) * self._plan.every_s
            if time.monotonic() + pause_s + MAX_AWAY_S > until:
                self._stop.wait(max(0.0, until - time.monotonic()))
                return
            if self._stop.wait(pause_s):
                return
            name, hard = self._random.choice(self._mortal), self._random.random() < KILL_SHARE
            away_s = self._random.uniform(0.0, MAX_AWAY_S)
            self._traffic.retire(name)
            self._timeline.down(name, time.time())
            (self._lab.kill if hard else self._lab.stop)(name)
            (self.report.kills if hard else self.report.stops)[name] += 1
            self._traffic.forget(name)
            self._stop.wait(away_s)
            self._bring_back(name, f"{'killed' if hard else 'stopped'} {name}, away for {away_s:.1f} s")

    def _bring_back(self, name: str, what: str) -> None:
        started = time.monotonic()
        try:
            self._lab.start(name)
            self._traffic.introduce(name)
            self._lab.wait_ready(timeout_s=HEAL_TIMEOUT_S)
        except (LabNotReady, ControlError) as error:
            self.report.complaints.append(f"{what}: {error}")
            self._say(self.report.complaints[-1])
            return
        self.report.heal_s.append(time.monotonic() - started)
        self._say(f"{what}, healthy {self.report.heal_s[-1]:.1f} s after its return began")

    # -- measuring

    def _sample(self, name: str) -> Sample:
        incarnation = self._timeline.incarnation(name)
        return take_sample(self._lab, self._lab[name], at=time.monotonic(), incarnation=incarnation)

    def _keep_sampling(self) -> None:
        while not self._stop.wait(SAMPLE_S):
            for name, samples in self.report.samples.items():
                # One that is down just now is looked at the next time.
                with suppress(ControlError, psutil.Error, OrchestratorError):
                    samples.append(self._sample(name))

    def _quiet_samples(self) -> dict[str, Sample]:
        """All nodes once their descriptors are what they were, or when that has taken too long."""
        deadline = time.monotonic() + QUIET_TIMEOUT_S
        while True:
            final = {name: self._sample(name) for name in self.report.samples}
            if time.monotonic() > deadline or not any(self._leaks(name, now) for name, now in final.items()):
                return final
            time.sleep(JUDGE_S)

    def _leaks(self, name: str, now: Sample) -> list[str]:
        """What a node has more of than at first, but for its peers."""
        first = self.report.baseline[name]
        found = []
        if now.fds_beyond_peers - first.fds_beyond_peers > FD_SLACK:
            found.append(f"{now.fds} descriptors with {now.peers} peers, at first {first.fds} with {first.peers}")
        if now.tasks_beyond_peers - first.tasks_beyond_peers > TASK_SLACK:
            found.append(f"{now.tasks} tasks with {now.peers} peers, at first {first.tasks} with {first.peers}")
        return found

    # -- judging

    def _keep_judging(self) -> None:
        while not self._stop.wait(JUDGE_S):
            self._judge()

    def _judge(self) -> None:
        for message in self._account.judge(time.time()):
            if len(self.report.complaints) < FAILURES_TRACED:
                # At once: nodes remember a limited number of events.
                story = self._lab.trace(message.digest) if message.digest else "not taken"
                self.report.complaints.append(f"{message}; {story}")
                self._say(self.report.complaints[-1])

    def _complaints(self) -> list[str]:
        """What else is not as it should be, at the end."""
        report, account = self.report, self._account
        found = [f"{len(account.failures)} of {account.deliverable} messages whose path was up did not arrive in time"]
        found = found if account.failures else []
        if not account.deliverable:
            found.append("no message had its path up: nothing was proved")
        found += [f"arrived twice: {message}" for message in account.duplicates[:FAILURES_TRACED]]
        found += [f"astray: {stray}" for stray in account.strays[:FAILURES_TRACED]]
        if account.broken:
            found.append(f"{len(account.broken)} messages that the soak failed to send are not accounted for")
            found += [f"not sent: {broken}" for broken in account.broken[:FAILURES_TRACED]]
        for name in report.alone:
            slope = report.slope(name)
            if slope is not None and slope > MAX_RSS_SLOPE_MB_PER_MIN:
                found.append(f"memory of {name} grows by {slope:.2f} MB per minute")
        for name in self._mortal:
            growth = growth_over_restarts(report.samples[name])
            if growth is not None and growth > MAX_RSS_GROWTH_PER_RESTART_MB:
                found.append(f"memory of {name} is {growth:.1f} MB more than after its first start")
        for name, now in report.final.items():
            found += [f"{name} has {leak}" for leak in self._leaks(name, now)]
        return found


def table(report: Report) -> str:
    """What happened, for people."""
    account = report.account
    lines = [
        f"{'node':8}{'killed':>8}{'stopped':>8}{'MB first':>10}{'last':>6}{'MB/min':>8}{'restart':>9}"
        f"{'fds-peers':>11}{'last':>6}{'tasks':>7}{'last':>6}{'sockets':>9}{'threads':>9}"
    ]
    for name, first in report.baseline.items():
        last, samples = report.final[name], report.samples[name]
        slope = report.slope(name) if name in report.alone else None
        growth = growth_over_restarts(samples)
        lines.append(
            f"{name:8}{report.kills[name]:8}{report.stops[name]:8}{first.rss_mb:10.1f}{last.rss_mb:6.1f}"
            f"{'' if slope is None else f'{slope:.3f}':>8}{'' if growth is None else f'{growth:+.1f}':>9}"
            f"{first.fds_beyond_peers:11}{last.fds_beyond_peers:6}{first.tasks_beyond_peers:7}"
            f"{last.tasks_beyond_peers:6}{last.sockets:9}{last.threads:9}"
        )
    lines.append(f"sent {account.sent}; path up: {account.deliverable}, {account.relayed} of these over relays")
    lines.append(f"path up, but not there in time: {len(account.failures)}")
    lines += [f"counted apart, {why}: {sent}, arrived {there}" for why, (sent, there) in sorted(account.apart.items())]
    lines.append(f"twice: {len(account.duplicates)}; astray: {len(account.strays)}")
    waits = sorted(account.latencies_s)
    if waits:
        lines.append(f"hand-over to arrival ms: p50 {waits[len(waits) // 2] * 1e3:.1f}, most {waits[-1] * 1e3:.0f}")
    if report.heal_s:
        lines.append(f"healthy again s: median {statistics.median(report.heal_s):.1f}, most {max(report.heal_s):.1f}")
    if all(report.slope(name) is None for name in report.alone):
        lines.append("too short for a slope of memory: not judged")
    return "\n".join(lines)


def soak(plan: Plan, *, state_root: Path, say: Callable[[str], None] = print) -> Report:
    """Start a lab, run, and leave nothing behind.

    Raises:
        OrchestratorError: the lab does not come up, or cannot be handled.
    """
    spec = bootnode_spec(LAB_NAME, plan.nodes, seed=plan.seed, ready_timeout_s=READY_TIMEOUT_S)
    with Lab.up(spec, runtime=plan.runtime, state_root=state_root, report=say) as lab:
        report = Soak(lab, plan, say).run()
        for node in lab.spec.nodes if report.complaints else ():
            lines = "\n".join(lab.runtime.logs(node, tail=LOG_LINES))
            say(f"-- {node.name} last said\n{lines}")
    return report


def main(plan: Plan) -> int:
    """Run and print; 0 if all is well."""
    with Interrupts(), tempfile.TemporaryDirectory(prefix="pss-soak-") as directory:
        report = soak(plan, state_root=Path(directory), say=lambda line: print(line, flush=True))
    print(table(report))
    for complaint in report.complaints:
        print(f"FAILED: {complaint}")
    return 1 if report.complaints else 0


def parse(argv: list[str]) -> Plan:
    """The plan that the arguments ask for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=Plan.seconds / 60)
    parser.add_argument("--nodes", type=int, default=Plan.nodes)
    parser.add_argument("--alone", type=int, default=Plan.alone, help="nodes that are never ended")
    parser.add_argument("--seed", type=int, default=Plan.seed)
    parser.add_argument("--runtime", choices=("process", "docker"), default=Plan.runtime)
    parser.add_argument("--rate", type=float, default=Plan.rate, help="messages per second")
    parser.add_argument("--every", type=float, default=Plan.every_s, help="seconds from one kill or stop to the next")
    options = parser.parse_args(argv)
    try:
        return Plan(
            seconds=options.minutes * 60,
            nodes=options.nodes,
            alone=options.alone,
            seed=options.seed,
            runtime=options.runtime,
            rate=options.rate,
            every_s=options.every,
        )
    except ValueError as error:
        parser.error(str(error))


if __name__ == "__main__":
    wanted = parse(sys.argv[1:])
    try:
        sys.exit(main(wanted))
    except OrchestratorError as error:
        sys.exit(f"{error}")
    except KeyboardInterrupt:
        sys.exit(130)
