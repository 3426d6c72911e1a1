"""Nodes that know one bootnode become a healthy overlay by hive alone; then messages between random pairs.

``make bench-overlay`` prints one table. Healthy means: asked over control, every node has the neighbours and bins that
the addresses of all nodes say it should have. Exit code 1 unless every message arrived exactly once.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from bench.traffic import bootnode_spec, send_between_random_pairs
from orchestrator.cli.interrupts import Interrupts
from orchestrator.errors import OrchestratorError
from orchestrator.lab import Lab

LAB_NAME = "bench-overlay"
NODES, MESSAGES, SEED = 64, 2000, 1
READY_TIMEOUT_S = 180.0
"""For the tables, on a machine with few cores."""
MAX_NODES = 200
"""Some 50 MB and half a second of processor time each."""


class Steps:
    """When each step of bringing a lab up was done, in seconds since the first."""

    def __init__(self) -> None:
        self._started = time.monotonic()
        self.done_at: dict[str, float] = {}

    def __call__(self, step: str, done: int, of: int) -> None:
        self.done_at[step] = time.monotonic() - self._started

    def seconds(self) -> Iterator[tuple[str, float]]:
        """Each step and how long it took."""
        before = 0.0
        for step, at in self.done_at.items():
            yield step, at - before
            before = at


def row(what: str, value: str) -> None:
    print(f"{what:22}{value}", flush=True)


def main(nodes: int, messages: int, seed: int, runtime: str) -> int:
    """Measure and print; 0 if every message arrived exactly once."""
    steps = Steps()
    spec = bootnode_spec(LAB_NAME, nodes, seed=seed, ready_timeout_s=READY_TIMEOUT_S)
    with Interrupts(), tempfile.TemporaryDirectory(prefix="pss-bench-") as directory:
        with Lab.up(spec, runtime=runtime, state_root=Path(directory), report=print, progress=steps) as lab:
            for step, seconds in steps.seconds():
                row(step, f"{seconds:.1f} s")
            rss_mb = [node.info.rss_bytes / 1e6 for node in lab.nodes]
            peers = [len(node.control.peers()) for node in lab.nodes]
            outcome = send_between_random_pairs(lab, messages, seed=seed)
            after_mb = [node.info.rss_bytes / 1e6 for node in lab.nodes]
        row("peers of a node", f"{statistics.mean(peers):.1f} (most {max(peers)})")
        row("delivered", f"{outcome.delivered} of {outcome.sent}")
        row("twice, astray", f"{outcome.duplicates}, {outcome.strays}")
        row("time", f"{outcome.seconds:.1f} s ({outcome.delivered / outcome.seconds:.0f} per second)")
        row("resident of a node", f"{statistics.mean(rss_mb):.0f} MB (most {max(rss_mb):.0f})")
        row("after the messages", f"{statistics.mean(after_mb):.0f} MB (most {max(after_mb):.0f})")
    return 0 if outcome.perfect else 1


def node_count(text: str) -> int:
    count = int(text)
    if not 2 <= count <= MAX_NODES:
        raise argparse.ArgumentTypeError(f"want 2 to {MAX_NODES}")
    return count


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nodes", type=node_count, default=NODES)
    parser.add_argument("--messages", type=int, default=MESSAGES)
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--runtime", choices=("process", "docker"), default="process")
    arguments = parser.parse_args()
    try:
        sys.exit(main(arguments.nodes, arguments.messages, arguments.seed, arguments.runtime))
    except OrchestratorError as error:
        sys.exit(f"{error}")
    except KeyboardInterrupt:
        sys.exit(130)
