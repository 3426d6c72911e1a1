"""Nodes in containers are split into halves and joined again: does anything cross, does all else arrive, how long.

``python -m bench.split`` starts 16 nodes with random links, of which each half hangs together by its own. It sends a
message for every ordered pair of nodes while the halves are apart, and again after they were joined and every table is
what the oracle says. What counts is what receivers got. Exit code 1 if a message crossed, was lost, came twice or
astray.
"""

from __future__ import annotations

import argparse
import dataclasses
import itertools
import json
import random
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.leftovers import leftovers
from node.control.client import ControlError
from node.ids import OverlayAddress
from orchestrator.cli.interrupts import Interrupts
from orchestrator.errors import LabNotReady, OrchestratorError
from orchestrator.exchange import IN_FLIGHT, Exchange, Pair
from orchestrator.ideal import Network, next_hops
from orchestrator.identity import make_node, network_id_for
from orchestrator.lab import Lab
from orchestrator.shot import DEFAULT_BYTES, MODES, Result, Shot, payload_of
from orchestrator.spec import LabSpec, Link
from orchestrator.topology import Kind, generate

LAB_NAME = "bench-split"
NODES, SEED, MODE = 16, 1, "asym"
MIN_NODES, MAX_NODES = 4, 24
"""Halves of two at least. Links for 64 take minutes to find, and then nearly everybody knows everybody."""
DEGREE = 4.0
"""Links of a node to others of its half, on average."""
CROSS_SHARE = 1.0
"""Links between the halves, for each node of a half."""
READY_TIMEOUT_S = 120.0
HEAL_TIMEOUT_S = 60.0
HOLD_TIMEOUT_S = 30.0
"""Until no node has a peer of the other half."""
POLL_S = 0.02
"""Between two rounds of asking for peers."""
MESSAGE_TIMEOUT_S = 10.0


@dataclass(frozen=True, kw_only=True)
class Round:
    """What became of one message for each of some ordered pairs, as the receivers tell."""

    what: str
    sent: int
    arrived: int
    twice: int
    astray: int
    seconds: float
    wanted: int
    """How many should have arrived: all, or none."""

    @property
    def right(self) -> bool:
        return self.arrived == self.wanted and not self.twice and not self.astray


@dataclass(kw_only=True)
class Report:
    """Times in seconds."""

    nodes: int
    links: int
    cut_links: int
    seed: int
    mode: str
    up_s: float = 0.0
    told_s: float = 0.0
    """Until the partition was applied on every node."""
    holds_s: float = 0.0
    """From the same moment until no node had a peer of the other half."""
    applied: bool = False
    """Whether the lab, asked what is wanted against what is, says that the partition is applied."""
    heal_s: float = 0.0
    healthy_s: float = 0.0
    """From when heal was called until every table was what the oracle says."""
    down_s: float = 0.0
    rounds: list[Round] = dataclasses.field(default_factory=list)
    left: list[str] = dataclasses.field(default_factory=list)

    @property
    def right(self) -> bool:
        """Nothing crossed, all else arrived once and where it should, nothing is left."""
        return self.applied and all(one.right for one in self.rounds) and not self.left

    def to_json(self) -> dict[str, Any]:
        return {"right": self.right, **dataclasses.asdict(self)}


def split_spec(name: str, nodes: int, *, seed: int) -> tuple[LabSpec, list[str], list[str]]:
    """A lab with random links, and the names of its halves, each of which is connected by its own links.

    Links are added at random until no message can strand, in the halves or in the whole: pss knows distances and not
    the map, so that in a sparse network some pairs have no way although there is a path, split or not.

    Args:
        nodes: an even number from MIN_NODES on.
    """
    half = nodes // 2
    names = [f"n{number:02d}" for number in range(nodes)]
    left, right = names[:half], names[half:]
    links = []
    for number, side in enumerate((left, right)):
        shape = generate(Kind.RANDOM, half, name=name, seed=2 * seed + number, degree=min(DEGREE, half - 1))
        called = dict(zip(shape.names, side, strict=True))
        links += [Link(called[link.a], called[link.b]) for link in shape.links]
    chance = random.Random(f"split {seed}")
    links += [Link(*pair) for pair in chance.sample(list(itertools.product(left, right)), round(half * CROSS_SHARE))]
    nodes_ = tuple(make_node(seed, name, node) for node in names)
    addresses = {node.name: node.overlay for node in nodes_}
    while lost := [pair for group in (left, right, names) for pair in stranded(addresses, group, links)]:
        links.append(Link(*sorted(chance.choice(lost))))
    spec = LabSpec(
        name=name,
        seed=seed,
        nodes=nodes_,
        links=tuple(links),
        network_id=network_id_for(seed, name),
        ready_timeout_s=READY_TIMEOUT_S,
    )
    return spec, left, right


def stranded(addresses: Mapping[str, OverlayAddress], group: Sequence[str], links: Iterable[Link]) -> list[Pair]:
    """Pairs (sender, receiver) of a group whose messages may come to no end by the rules of pss, whatever is chosen."""
    network = Network.of({name: addresses[name] for name in group}, [(link.a, link.b) for link in links])
    found: list[Pair] = []
    for receiver in group:
        onward = {name: next_hops(network, name, bytes(addresses[receiver])) for name in group if name != receiver}
        sure = {receiver}
        while more := {name for name, hops in onward.items() if name not in sure and hops and hops <= sure}:
            sure |= more
        found += [(name, receiver) for name in group if name not in sure]
    return found


def ordered_pairs(*groups: Sequence[str]) -> list[Pair]:
    """All (sender, receiver) within each of the groups."""
    return [pair for group in groups for pair in itertools.permutations(group, 2)]


def crossing_pairs(left: Sequence[str], right: Sequence[str]) -> list[Pair]:
    """All (sender, receiver) of which one is in each group."""
    return [*itertools.product(left, right), *itertools.product(right, left)]


def exchange(lab: Lab, wanted: Sequence[Pair], unwanted: Sequence[Pair], *, mode: str, what: str) -> list[Round]:
    """Send a message for each pair; wait for the wanted ones, and a moment more for what should not come.

    The unwanted ones go first, so that they have the time of all the others too.

    Raises:
        ControlError: a node does not let us listen, or introduce it to another one.
    """
    source = random.Random(f"split {what}")
    pairs = [*unwanted, *wanted]
    shots = [Shot(number, *pair, payload_of(number, DEFAULT_BYTES, source)) for number, pair in enumerate(pairs)]
    results = [Result(shot) for shot in shots]
    forbidden, allowed = results[: len(unwanted)], results[len(unwanted) :]
    with Exchange(lab, results, mode, listeners=lab.spec.node_names, ways=False) as messages:

        def deliver(result: Result) -> None:
            messages.send(result)
            messages.wait(result, MESSAGE_TIMEOUT_S)

        with ThreadPoolExecutor(IN_FLIGHT, thread_name_prefix="split") as pool:
            began = time.monotonic()
            list(pool.map(messages.send, forbidden))
            between = time.monotonic()
            list(pool.map(deliver, allowed))
            ended = time.monotonic()
        messages.wait_quiet()
        quiet = time.monotonic()

    def count(name: str, these: Sequence[Result], due: int, seconds: float, astray: int) -> Round:
        return Round(
            what=f"{what}, {name}" if unwanted else what,
            sent=len(these),
            arrived=sum(one.arrivals > 0 for one in these),
            twice=sum(max(one.arrivals - 1, 0) for one in these),
            astray=astray,
            seconds=seconds,
            wanted=due,
        )

    rounds = [count("inside", allowed, len(allowed), ended - between, messages.strays)]
    return rounds + ([count("across", forbidden, 0, quiet - began, 0)] if unwanted else [])


def wait_until_apart(lab: Lab, left: Sequence[str], right: Sequence[str]) -> None:
    """Wait until no node has a peer of the other half.

    Raises:
        LabNotReady: it does not come to that in time; says who still has whom.
    """
    side = {name: set(group) for group in (left, right) for name in group}
    called = {bytes(node.id): node.name for node in lab.spec.nodes}
    deadline = time.monotonic() + HOLD_TIMEOUT_S
    while True:
        peers = lab.ask(lambda node: [called.get(bytes(peer.node_id), "?") for peer in node.control.peers()])
        crossing = [f"{name}-{peer}" for name, found in peers.items() for peer in found if peer not in side[name]]
        if not crossing and len(peers) == len(side):
            return
        if time.monotonic() > deadline:
            missing = ", ".join(crossing) or f"only {len(peers)} of {len(side)} nodes answer"
            raise LabNotReady(f"the partition does not hold after {HOLD_TIMEOUT_S:g} s: {missing}")
        time.sleep(POLL_S)


def split(lab: Lab, left: Sequence[str], right: Sequence[str], *, mode: str, say: Callable[[str], None]) -> Report:
    """Measure on a lab that is up; it is whole again afterwards.

    Raises:
        LabNotReady: the partition does not hold, or tables do not become healthy.
    """
    cut = sum((link.a in left) != (link.b in left) for link in lab.spec.links)
    report = Report(nodes=len(lab.spec.nodes), links=len(lab.spec.links), cut_links=cut, seed=lab.spec.seed, mode=mode)
    say(f"partition of {len(left)} and {len(right)}")
    began = time.monotonic()
    with lab.partition(left, right):
        report.told_s = time.monotonic() - began
        wait_until_apart(lab, left, right)
        report.holds_s = time.monotonic() - began
        report.applied = lab.faults.report().applied
        report.rounds += exchange(lab, ordered_pairs(left, right), crossing_pairs(left, right), mode=mode, what="apart")
        say("heal")
        began = time.monotonic()
    report.heal_s = time.monotonic() - began
    lab.wait_ready(timeout_s=HEAL_TIMEOUT_S)
    report.healthy_s = time.monotonic() - began
    report.rounds += exchange(lab, ordered_pairs([*left, *right]), [], mode=mode, what="joined again")
    return report


def table(report: Report) -> str:
    """For people."""
    half = report.nodes // 2
    lines = [
        f"{report.nodes} nodes, {report.links} links, {report.cut_links} of them between the halves of {half}; "
        f"{report.mode}, seed {report.seed}",
        f"{'up and healthy':28}{report.up_s:8.1f} s",
        f"{'partition applied':28}{report.told_s:8.1f} s",
        f"{'no peer across':28}{report.holds_s:8.1f} s",
        f"{'heal':28}{report.heal_s:8.1f} s",
        f"{'tables healthy, from heal on':28}{report.healthy_s:8.1f} s",
        f"{'down':28}{report.down_s:8.1f} s",
        f"{'messages':20}{'sent':>8}{'wanted':>8}{'arrived':>8}{'twice':>8}{'astray':>8}{'took':>10}",
    ]
    lines += [
        f"{one.what:20}{one.sent:8}{one.wanted:8}{one.arrived:8}{one.twice:8}{one.astray:8}{one.seconds:8.1f} s"
        for one in report.rounds
    ]
    if not report.applied:
        lines.append("FAILED: lab fault show says that the partition is not applied")
    lines += [f"FAILED: {one.what}: {one.arrived} arrived, not {one.wanted}" for one in report.rounds if not one.right]
    lines.append("left behind: " + (", ".join(report.left) or "nothing"))
    return "\n".join(lines)


def main(nodes: int, *, mode: str, seed: int, as_json: bool) -> int:
    """Measure and print; 0 if nothing crossed and all else arrived."""

    def say(line: str) -> None:
        print(line, file=sys.stderr, flush=True)

    spec, left, right = split_spec(LAB_NAME, nodes, seed=seed)
    with Interrupts(), tempfile.TemporaryDirectory(prefix="pss-bench-") as directory:
        root = Path(directory)
        began = time.monotonic()
        with Lab.up(spec, runtime="docker", state_root=root, report=say) as lab:
            up_s = time.monotonic() - began
            report = split(lab, left, right, mode=mode, say=say)
            ending = time.monotonic()
        report.up_s, report.down_s = up_s, time.monotonic() - ending
        report.left = leftovers(spec.name, root)
    print(json.dumps(report.to_json(), indent=2) if as_json else table(report))
    return 0 if report.right else 1


def node_count(text: str) -> int:
    """An even number of nodes, from text."""
    count = int(text)
    if not MIN_NODES <= count <= MAX_NODES or count % 2:
        raise argparse.ArgumentTypeError(f"want an even number from {MIN_NODES} to {MAX_NODES}")
    return count


def parse(argv: Sequence[str]) -> argparse.Namespace:
    """What the arguments ask for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nodes", type=node_count, default=NODES)
    parser.add_argument("--mode", choices=MODES, default=MODE, help="how messages are encrypted")
    parser.add_argument("--seed", type=int, default=SEED, help="of keys and links")
    parser.add_argument("--json", action="store_true", help="for programs")
    return parser.parse_args(argv)


if __name__ == "__main__":
    arguments = parse(sys.argv[1:])
    try:
        sys.exit(main(arguments.nodes, mode=arguments.mode, seed=arguments.seed, as_json=arguments.json))
    except (OrchestratorError, ControlError) as error:
        sys.exit(f"{error}")
    except KeyboardInterrupt:
        sys.exit(130)
