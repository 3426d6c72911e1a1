"""Time per operation of the hot paths, with pyperf; at the end one table, and how much of a message's time each takes.

``make bench-micro`` takes about a minute. pyperf's own options go on from here: ``ARGS="--rigorous"`` for figures to
compare, ``ARGS="-o FILE"`` to keep them, ``ARGS="--only frame"`` for a few.
"""

from __future__ import annotations

import argparse
import sys

import pyperf  # type: ignore[import-untyped]

from bench.micro_cases import Case, all_cases

REFERENCE_PER_SECOND = {"raw": 4560, "asym": 1690, "sym": 2680}
"""What the reference delivers over one relay; see README.md. One over it is the time there is for a message."""
PROCESSES, VALUES, MIN_TIME_S = 2, 3, 0.03
"""Few and short: rough answers in a minute."""


def table(results: list[tuple[Case, pyperf.Benchmark]]) -> str:
    """Time per operation, its spread over runs, and its share of the time there is for a message at the aimed rate."""
    width = max(len(case.name) for case, _ in results)
    lines = [f"{'':{width}}{'mean':>12}{'std dev':>12}   share of the time per message"]
    for case, result in results:
        mean = result.mean()
        spread = result.stdev() if result.get_nvalue() > 1 else 0.0
        line = f"{case.name:{width}}{time_text(mean):>12}{time_text(spread):>12}"
        if case.course:
            budget_s = 1 / REFERENCE_PER_SECOND[case.course]
            line += f"   {mean / budget_s:6.1%} of {budget_s * 1e6:.0f} us ({case.course})"
        lines.append(line)
    return "\n".join(lines)


def time_text(seconds: float) -> str:
    return f"{seconds * 1e9:.0f} ns" if seconds < 1e-6 else f"{seconds * 1e6:.2f} us"


def pass_on(command: list[str], args: argparse.Namespace) -> None:
    """Tell pyperf's worker processes which operations were chosen: they find theirs by its number."""
    command += ["--only", args.only]


def main() -> int:
    """Measure, print; 0 unless nothing was chosen."""
    parser = argparse.ArgumentParser(formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", metavar="TEXT", default="", help="only operations with this in their name")
    runner = pyperf.Runner(
        processes=PROCESSES,
        values=VALUES,
        min_time=MIN_TIME_S,
        program_args=("-m", "bench.micro"),
        add_cmdline_args=pass_on,
        _argparser=parser,
    )
    args = runner.parse_args()
    # The table says how far figures spread; pyperf's advice about each one would bury it.
    args.quiet = True
    results = []
    for case in all_cases():
        if args.only not in case.name:
            continue
        result = runner.bench_time_func(case.name, case.run)
        if result is not None:  # None in the processes that pyperf starts
            results.append((case, result))
    if not args.worker:
        if not results:
            print(f"no operation has {args.only!r} in its name", file=sys.stderr)
            return 1
        print("\n" + table(results))
    return 0


if __name__ == "__main__":
    sys.exit(main())
