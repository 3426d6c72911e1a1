"""Many nodes in containers: how long until all are healthy, do messages arrive, what does a node cost, what fits.

``python -m bench.many`` starts 48 nodes linked as the overlay would link them, sends 1,000 asymmetric messages between
random pairs and takes the lab down. Healthy means: asked over control, every table is what the oracle says. Memory of a
node is told in three ways: resident, as the engine counts its container, and what the machine's available memory lost
for it.

``lab doctor``'s estimate is taken before the start and held against that. ``--ballast MB`` holds so much memory first,
so that memory is what is in the way; ``--nodes estimate`` starts as many nodes as the estimate says. Exit code 1 unless
every message arrived exactly once, nothing is left, and the reserve of memory stayed free.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.leftovers import leftovers
from bench.many_memory import FLOOR_MB, Ballast, available_mb, container_mb, total_mb
from bench.overlay import Steps
from node.control.client import ControlError
from orchestrator.cli.interrupts import Interrupts
from orchestrator.doctor.capacity import CONTAINER_COST_MB, MB, RESERVE_SHARE, container_cost_mb, estimate, memory_bound
from orchestrator.doctor.gather import gather
from orchestrator.errors import LabFileError, OrchestratorError, RuntimeUnavailable
from orchestrator.lab import Lab
from orchestrator.spec import LabSpec
from orchestrator.topology import Kind, make_spec

LAB_NAME = "bench-many"
NODES, MESSAGES, SEED = 48, 1000, 1
MIN_NODES, MAX_NODES = 3, 200
MAX_MESSAGES = 100_000
LINKS_PER_BIN = 1
"""Enough that no message strands, 205 links for 48 nodes; all that nodes want are 515, which fill the kernel's
neighbour table (docs/operations.md)."""
READY_TIMEOUT_S = 300.0
"""For the tables, on a machine with few cores."""
TOLERANCE = 0.25
"""How far the estimate may be from what fits."""
STARTING = "starting nodes"
"""The step of Lab.up that begins when networks and gateway are there."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What to do.

    Attributes:
        nodes: how many; None: as many as the estimate says.
        autoconnect: a ring, and the rest is up to hive.
        ballast_mb: memory to hold meanwhile.
    """

    nodes: int | None = NODES
    messages: int = MESSAGES
    seed: int = SEED
    autoconnect: bool = False
    ballast_mb: int = 0


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """What doctor says before the start."""

    nodes: int
    blocker: str
    memory_nodes: int
    """By memory alone."""
    node_mb: int
    """What it counts for a node."""
    reserve_mb: float
    """What it leaves alone."""
    files_mb: int = 0
    """What a node needs all the time of its image's files; available, as the kernel counts, and yet not to be had."""


@dataclass(frozen=True, kw_only=True)
class Memory:
    """Of the machine, in MB of available memory."""

    before_mb: float
    """The ballast is held already, the lab is not there."""
    prepared_mb: float
    """Networks and gateway are there, no node yet."""
    up_mb: float
    """All are healthy, and the messages were sent."""
    lowest_mb: float
    down_mb: float = 0.0

    def lost_per_node(self, nodes: int) -> float:
        return (self.prepared_mb - self.up_mb) / nodes

    def fits(self, nodes: int, reserve_mb: float, files_mb: int) -> int | None:
        """How many nodes fit until only the reserve is left; None if a node costs nothing that could be measured."""
        lost = self.lost_per_node(nodes)
        return None if lost <= 0 else int((self.prepared_mb - reserve_mb) // (lost + files_mb))


@dataclass(kw_only=True)
class Report:
    """Times in seconds."""

    spec: LabSpec
    estimate: Estimate
    ballast_mb: int
    memory: Memory
    steps: dict[str, float]
    up_s: float
    smoke: dict[str, Any]
    messages_per_s: float
    resident_mb: list[float]
    container_mb: list[float]
    down_s: float = 0.0
    left: list[str] = dataclasses.field(default_factory=list)
    breached: bool = False

    @property
    def nodes(self) -> int:
        return len(self.spec.nodes)

    @property
    def fits(self) -> int | None:
        return self.memory.fits(self.nodes, self.estimate.reserve_mb, self.estimate.files_mb)

    @property
    def complaints(self) -> list[str]:
        """What is not as it should be."""
        smoke, found = self.smoke, []
        if smoke["delivered"] != smoke["sent"] or smoke["duplicates"] or smoke["strays"]:
            found.append("not every message arrived exactly once, where it should")
            found += smoke["failures"]
        if self.left:
            found.append(f"left behind: {', '.join(self.left)}")
        if self.memory.lowest_mb < self.estimate.reserve_mb:
            found.append("the reserve of memory was used")
        if self.breached:
            found.append(f"less than {FLOOR_MB} MB were available: the ballast was let go, the memory means nothing")
        return found

    def to_json(self) -> dict[str, Any]:
        fits, lost = self.fits, self.memory.lost_per_node(self.nodes)
        return {
            "right": not self.complaints,
            "complaints": self.complaints,
            "nodes": self.nodes,
            "links": len(self.spec.links),
            "autoconnect": self.spec.auto_connect,
            "seed": self.spec.seed,
            "up_s": self.up_s,
            "steps_s": self.steps,
            "down_s": self.down_s,
            "messages": self.smoke | {"per_second": self.messages_per_s},
            "memory": {
                "ballast_mb": self.ballast_mb,
                "resident_mb": {"mean": statistics.mean(self.resident_mb), "most": max(self.resident_mb)},
                "container_mb": {"mean": statistics.mean(self.container_mb), "most": max(self.container_mb)},
                "available_mb": dataclasses.asdict(self.memory),
                "lost_per_node_mb": lost,
            },
            "estimate": dataclasses.asdict(self.estimate)
            | {
                "fits": fits,
                "more_would_fit": None if fits is None else fits - self.nodes,
                "of_what_fits": None if not fits else self.estimate.memory_nodes / fits,
                "cost_ratio": None if lost <= 0 else self.estimate.node_mb / lost,
            },
        }


def ask_doctor(state_root: Path) -> Estimate:
    """The estimate for containers on this machine, as it is now.

    Raises:
        RuntimeUnavailable: no engine answers, or not one of this machine.
    """
    facts = gather(root=state_root, probe_kernel=False, runtime="docker")
    if facts.engine is None:
        raise RuntimeUnavailable(facts.engine_error, hint=facts.engine_hint)
    if not facts.engine.local:
        raise RuntimeUnavailable("the engine is on another machine, whose memory cannot be measured from here")
    capacity, cost_mb = estimate(facts), container_cost_mb(facts.engine)
    bound = memory_bound(facts.memory_available_bytes, facts.memory_total_bytes, cost_mb)
    return Estimate(
        nodes=capacity.nodes,
        blocker=capacity.blocker.what,
        memory_nodes=bound.nodes,
        node_mb=cost_mb,
        reserve_mb=RESERVE_SHARE * facts.memory_total_bytes / MB,
        files_mb=cost_mb - CONTAINER_COST_MB,
    )


def make_lab(plan: Plan, nodes: int) -> LabSpec:
    """The lab of a plan.

    Raises:
        LabFileError: that many nodes, or links between them, cannot be.
    """
    if not MIN_NODES <= nodes <= MAX_NODES:
        raise LabFileError(f"{nodes} nodes: expected {MIN_NODES} to {MAX_NODES}; another --nodes or --ballast")
    if plan.autoconnect:
        spec = make_spec(LAB_NAME, kind=Kind.RING, n=nodes, seed=plan.seed, auto_connect=True)
    else:
        # Random links would not do: pss takes the peer nearest to the receiver, and strands where none is nearer.
        spec = make_spec(LAB_NAME, kind=Kind.KADEMLIA, n=nodes, seed=plan.seed, k=LINKS_PER_BIN)
    return dataclasses.replace(spec, ready_timeout_s=READY_TIMEOUT_S)


def measure(plan: Plan, state_root: Path, say: Callable[[str], None]) -> Report:
    """Hold the ballast, start, send, take down, look what is left.

    Raises:
        OrchestratorError: the lab does not come up.
        ValueError: there is no room for the ballast.
    """
    steps, prepared = Steps(), 0.0

    def progress(step: str, done: int, of: int) -> None:
        nonlocal prepared
        if step == STARTING and done == 0:
            prepared = available_mb()
        steps(step, done, of)

    with Ballast(plan.ballast_mb) as ballast:
        guess = ask_doctor(state_root)
        say(f"doctor: about {guess.nodes} more nodes fit; in the way of more: {guess.blocker}")
        spec = make_lab(plan, guess.nodes if plan.nodes is None else plan.nodes)
        before, began = available_mb(), time.monotonic()
        with Lab.up(spec, runtime="docker", state_root=state_root, report=say, progress=progress) as lab:
            up_s = time.monotonic() - began
            say(f"{len(spec.nodes)} nodes are healthy after {up_s:.1f} s")
            smoke = lab.smoke("asym", seed=plan.seed, count=plan.messages)
            up_mb = available_mb()
            resident = [node.info.rss_bytes / MB for node in lab.nodes]
            containers = container_mb(lab.state.lab_id)
            ending = time.monotonic()
        down_s = time.monotonic() - ending
        return Report(
            spec=spec,
            estimate=guess,
            ballast_mb=plan.ballast_mb,
            memory=Memory(
                before_mb=before,
                prepared_mb=prepared,
                up_mb=up_mb,
                lowest_mb=ballast.lowest_mb,
                down_mb=available_mb(),
            ),
            steps=dict(steps.seconds()),
            up_s=up_s,
            smoke=smoke.to_json(),
            messages_per_s=smoke.delivered / smoke.seconds,
            resident_mb=resident,
            container_mb=list(containers.values()),
            down_s=down_s,
            left=leftovers(spec.name, state_root),
            breached=ballast.breached,
        )


def table(report: Report) -> str:
    """For people."""
    nodes, memory, guess, smoke = report.nodes, report.memory, report.estimate, report.smoke
    lost, fits, latency = memory.lost_per_node(nodes), report.fits, smoke["latency_ms"]
    shape = (
        "a ring, the rest by hive"
        if report.spec.auto_connect
        else f"{len(report.spec.links)} links, as kademlia makes them"
    )
    rows = [
        ("nodes", f"{nodes}, {shape}, seed {report.spec.seed}"),
        ("up and healthy", f"{report.up_s:.1f} s"),
        *((f"  {step}", f"{seconds:.1f} s") for step, seconds in report.steps.items()),
        ("delivered", f"{smoke['delivered']} of {smoke['sent']} ({smoke['reliability']:g} %)"),
        ("twice, astray", f"{smoke['duplicates']}, {smoke['strays']}"),
        ("latency p50, p95", f"{latency['p50']}, {latency['p95']} ms"),
        ("rate", f"{report.messages_per_s:.0f} per second, {smoke['seconds']:.1f} s"),
        ("down", f"{report.down_s:.1f} s"),
        ("left behind", ", ".join(report.left) or "nothing"),
        ("resident of a node", f"{statistics.mean(report.resident_mb):.1f} MB (most {max(report.resident_mb):.1f})"),
        ("its container", f"{statistics.mean(report.container_mb):.1f} MB (most {max(report.container_mb):.1f})"),
        ("available memory", f"{memory.before_mb:.0f} MB before, {memory.up_mb:.0f} up, {memory.down_mb:.0f} after"),
        ("  lowest", f"{memory.lowest_mb:.0f} MB; {guess.reserve_mb:.0f} of {total_mb():.0f} are doctor's reserve"),
        ("  ballast", f"{report.ballast_mb} MB"),
        ("  lost for a node", f"{lost:.1f} MB, and {guess.files_mb} of files it needs; doctor counts {guess.node_mb}"),
        ("doctor's estimate", f"{guess.nodes} nodes, by memory {guess.memory_nodes}"),
        ("  in the way of more", guess.blocker),
    ]
    if fits:
        ratio = guess.memory_nodes / fits
        verdict = "within" if abs(ratio - 1) <= TOLERANCE else "not within"
        rows += [
            ("fits by memory", f"{fits}, so {fits - nodes} more until the reserve"),
            ("  estimate of that", f"{100 * ratio:.0f} %, {verdict} {100 * TOLERANCE:.0f} %"),
        ]
    else:
        rows.append(("fits by memory", "not known: what the nodes took could not be told from the noise"))
    lines = [f"{what:22}{value}" for what, value in rows]
    return "\n".join([*lines, *(f"FAILED: {complaint}" for complaint in report.complaints)])


def main(plan: Plan, *, as_json: bool) -> int:
    """Measure and print; 0 if all is as it should be."""

    def say(line: str) -> None:
        print(line, file=sys.stderr, flush=True)

    with Interrupts(), tempfile.TemporaryDirectory(prefix="pss-bench-") as directory:
        report = measure(plan, Path(directory), say)
    print(json.dumps(report.to_json(), indent=2) if as_json else table(report))
    return 1 if report.complaints else 0


def parse(argv: Sequence[str]) -> tuple[Plan, bool]:
    """The plan that the arguments ask for, and whether the report is for programs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nodes", default=str(NODES), help="a number, or `estimate`: as many as lab doctor says")
    parser.add_argument("--messages", type=int, default=MESSAGES)
    parser.add_argument("--seed", type=int, default=SEED, help="of keys, links and pairs")
    parser.add_argument("--autoconnect", action="store_true", help="a ring instead, and hive finds the rest")
    parser.add_argument("--ballast", type=int, default=0, metavar="MB", help="memory to hold meanwhile")
    parser.add_argument("--json", action="store_true", help="for programs")
    options = parser.parse_args(argv)
    if options.nodes != "estimate" and not options.nodes.isdecimal():
        parser.error(f"--nodes {options.nodes}: want a number, or estimate")
    if not 1 <= options.messages <= MAX_MESSAGES:
        parser.error(f"--messages {options.messages}: want 1 to {MAX_MESSAGES}")
    if options.ballast < 0:
        parser.error(f"--ballast {options.ballast}: want 0 or more")
    plan = Plan(
        nodes=None if options.nodes == "estimate" else int(options.nodes),
        messages=options.messages,
        seed=options.seed,
        autoconnect=options.autoconnect,
        ballast_mb=options.ballast,
    )
    if plan.nodes is not None:
        try:
            make_lab(plan, plan.nodes)
        except LabFileError as error:
            parser.error(str(error))
    return plan, options.json


if __name__ == "__main__":
    wanted, for_programs = parse(sys.argv[1:])
    try:
        sys.exit(main(wanted, as_json=for_programs))
    except (OrchestratorError, ControlError, ValueError) as error:
        sys.exit(f"{error}")
    except KeyboardInterrupt:
        sys.exit(130)
