"""Sends what :mod:`orchestrator.smoke` planned, and listens at every node."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from orchestrator import observe
from orchestrator.exchange import IN_FLIGHT, Exchange
from orchestrator.shot import DEFAULT_BYTES, DEFAULT_TIMEOUT_S, Result
from orchestrator.smoke import DEFAULT_MESSAGES, DEFAULT_SEED, SmokeReport, plan, score

if TYPE_CHECKING:
    from orchestrator.lab import Lab


def run_smoke(
    lab: Lab,
    mode: str,
    *,
    seed: int = DEFAULT_SEED,
    count: int = DEFAULT_MESSAGES,
    size: int = DEFAULT_BYTES,
    timeout_s: float = DEFAULT_TIMEOUT_S,
    progress: Callable[[int], None] = lambda done: None,
) -> SmokeReport:
    """Send messages between random pairs of the nodes that run, and count what arrives.

    Args:
        mode: "raw", "sym" or "asym".
        timeout_s: for each message; its sender's thread waits for it before it sends the next one.
        progress: gets how many are through.

    Raises:
        LabFileError: there are not two nodes, or the numbers make no sense.
        ControlError: a node does not let us listen or introduce it to another one.
    """
    running = lab.running
    names = [name for name in lab.spec.node_names if name in running]
    results = [Result(shot) for shot in plan(names, seed=seed, count=count, size=size)]
    with Exchange(lab, results, mode, listeners=names, ways=True) as exchange:

        def deliver(result: Result) -> None:
            exchange.send(result)
            exchange.wait(result, timeout_s)

        with ThreadPoolExecutor(IN_FLIGHT, thread_name_prefix="smoke") as pool:
            started = time.monotonic()
            for done, _ in enumerate(pool.map(deliver, results), 1):
                progress(done)
            seconds = time.monotonic() - started
        exchange.wait_quiet()
    return score(
        results,
        mode=mode,
        seed=seed,
        seconds=seconds,
        strays=exchange.strays,
        parents=exchange.parents,
        network=observe.network(lab),
    )
