"""Where the time of sender, relay and receiver goes: the course of :mod:`bench.run`, sampled by py-spy from outside.

Needs ``py-spy`` (``pip install py-spy``), and leave to look into one's own processes. Prints for each kind of message
and each role the functions that were running when a sample was taken, in percent of the node's busy time; what C code
takes counts for the Python function that calls it. Sampling costs a node a few percent and changes no proportions.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import tempfile
from collections import Counter
from pathlib import Path

from bench.run import COMMAND, COUNTS, Course, Node, link, running

SAMPLES_PER_S = 500
SECONDS = 4
"""Of each kind of message; the messages are as many as that takes."""
SHOWN = 12
MIN_PERCENT = 1.5
NO_FRAME = "(no Python frame)"
WARM_UP = 300
STOP_TIMEOUT_S = 20.0
ROLES = ("sender", "relay", "receiver")


def self_times(raw: str) -> Counter[str]:
    """Samples by innermost Python function, from py-spy's raw format: ``outer (file:line);inner (file:line) count``."""
    found: Counter[str] = Counter()
    for line in raw.splitlines():
        stack, _, count = line.rpartition(" ")
        function, _, place = stack.rpartition(";")[2].partition(" (")
        found[f"{short_path(place.rpartition(':')[0])} {function}" if function else NO_FRAME] += int(count)
    return found


def by_package(functions: Counter[str]) -> Counter[str]:
    """Samples by the directory of the function, or by module where it has none."""
    found: Counter[str] = Counter()
    for function, count in functions.items():
        found[function if function == NO_FRAME else function.partition(" ")[0].partition("/")[0]] += count
    return found


def short_path(path: str) -> str:
    """The last two parts: ``rlpx/frame.py``."""
    return "/".join(Path(path).parts[-2:])


def top(found: Counter[str]) -> list[str]:
    """The largest shares, as lines."""
    total = found.total()
    return [
        f"{100 * count / total:6.1f} %  {what}"
        for what, count in found.most_common(SHOWN)
        if 100 * count / total >= MIN_PERCENT
    ]


async def spy(py_spy: str, node: Node, output: Path) -> asyncio.subprocess.Process:
    """Begin to sample a node."""
    command = (py_spy, "record", "--format", "raw", "--nonblocking", "--rate", str(SAMPLES_PER_S))
    return await asyncio.create_subprocess_exec(
        *command, "--duration", str(SECONDS), "--pid", str(node.process.pid), "--output", str(output),
        stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip


async def main(py_spy: str, modes: list[str]) -> int:
    """Measure and print."""
    with tempfile.TemporaryDirectory(prefix="pss-bench-") as directory:
        path = Path(directory)
        async with running(COMMAND, path, 0) as a, running(COMMAND, path, 1) as relay, running(COMMAND, path, 2) as b:
            await link(a, relay)
            await link(relay, b)
            for mode in modes:
                async with Course(a, b, mode).open() as course:
                    await course.rate(WARM_UP)
                    outputs = [path / f"{mode}-{role}" for role in ROLES]
                    spies = [await spy(py_spy, node, file) for node, file in zip((a, relay, b), outputs, strict=True)]
                    try:
                        while any(one.returncode is None for one in spies):
                            await course.rate(WARM_UP)
                    finally:
                        for one in spies:
                            if one.returncode is None:
                                one.terminate()
                            await asyncio.wait_for(one.wait(), STOP_TIMEOUT_S)
                if any(one.returncode for one in spies):
                    print(f"{py_spy} could not look into the nodes; it says why when run by hand", file=sys.stderr)
                    return 1
                for role, file in zip(ROLES, outputs, strict=True):
                    functions = self_times(file.read_text())
                    print(f"\n{mode}, {role}, by package", *top(by_package(functions)), sep="\n")
                    print(f"{mode}, {role}, by function", *top(functions), sep="\n", flush=True)
    return 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--py-spy", default=os.environ.get("PY_SPY", "py-spy"), help="the command")
    parser.add_argument("--mode", choices=tuple(COUNTS), action="append", help="default: all")
    options = parser.parse_args()
    sys.exit(asyncio.run(main(options.py_spy, options.mode or list(COUNTS))))
