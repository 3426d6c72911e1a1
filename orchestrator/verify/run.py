"""Checks a running lab for what its lab file, or another one, expects of it."""

from __future__ import annotations

import dataclasses
import random
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from node.control.client import ControlError
from orchestrator import observe
from orchestrator.errors import OrchestratorError
from orchestrator.exchange import IN_FLIGHT, Exchange
from orchestrator.readiness import missing
from orchestrator.shot import Result, Shot, Tally, payload_of
from orchestrator.smoke import way_length
from orchestrator.spec import Readiness
from orchestrator.verify.model import Check, CheckResult

if TYPE_CHECKING:
    from orchestrator.lab import Lab

POLL_S = 0.1
"""Between two looks at something that is not yet as it should be."""
SHOWN = 3
"""Things that are named of many that are wrong."""


def verify(lab: Lab, checks: Sequence[Check] | None = None) -> Iterator[CheckResult]:
    """Check one after the other, in order; results as they come.

    A check that cannot be made, as its node is down, has failed.

    Args:
        checks: by default those of the lab file.
    """
    for check in lab.spec.checks if checks is None else checks:
        started = time.monotonic()
        try:
            passed, found = (False, check.impossible) if check.impossible else _LOOKS[check.kind](lab, check)
        except (ControlError, OrchestratorError) as error:
            passed, found = False, str(error)
        yield CheckResult(check=check, passed=passed, found=found, seconds=time.monotonic() - started)


def _healthy(lab: Lab, check: Check) -> tuple[bool, str]:
    spec = dataclasses.replace(lab.spec, ready_when=Readiness.HEALTHY)

    def lacks() -> list[str]:
        running = lab.running
        down = [f"{name} does not run" for name in check.nodes if name not in running]
        asked = lab.ask(lambda node: missing(spec, node), [name for name in check.nodes if name in running])
        silent = [f"{name} does not answer" for name in check.nodes if name in running and name not in asked]
        return down + silent + [reason for reasons in asked.values() for reason in reasons]

    wrong = _until_none(lacks, check.within_s)
    return not wrong, _some(wrong) if wrong else f"{_nodes(check.nodes)} healthy"


def _connected(lab: Lab, check: Check) -> tuple[bool, str]:
    def lacks() -> list[str]:
        try:
            there = _connections(lab, check)
        except ControlError as error:
            return [str(error)]
        return [f"{a} is not connected with {b}" for a, b in check.pairs if frozenset((a, b)) not in there]

    wrong = _until_none(lacks, check.within_s)
    return not wrong, _some(wrong) if wrong else "connected"


def _apart(lab: Lab, check: Check) -> tuple[bool, str]:
    def excess() -> list[str]:
        try:
            there = _connections(lab, check)
        except ControlError as error:
            return [str(error)]
        return [f"{a} is connected with {b}" for a, b in check.pairs if frozenset((a, b)) in there]

    wrong = _until_none(excess, check.within_s)
    return not wrong, _some(wrong) if wrong else "not connected"


def _delivery(lab: Lab, check: Check) -> tuple[bool, str]:
    expected = check.expected
    source = random.Random(f"pss-lab verify {lab.spec.seed}/{check.id}")  # noqa: S311 - to be repeated, not secret
    pairs = [pair for pair in check.pairs for _ in range(expected.count)]
    results = [
        Result(Shot(number, a, b, payload_of(number, expected.size, source))) for number, (a, b) in enumerate(pairs)
    ]
    receivers = sorted({b for _, b in pairs})
    running = lab.running
    if down := [name for name in sorted({*receivers, *check.nodes}) if name not in running]:
        return False, _some([f"{name} does not run" for name in down])
    ways = expected.max_hops is not None
    listeners = [name for name in lab.spec.node_names if name in running] if ways else receivers
    with Exchange(lab, results, expected.mode, listeners=listeners, ways=ways) as exchange:
        with ThreadPoolExecutor(IN_FLIGHT, thread_name_prefix="verify") as pool:
            for _ in pool.map(exchange.send, results):
                pass
        for result in results:
            exchange.wait(result, check.within_s)
        exchange.wait_quiet()
    tally = Tally.of(results)
    share = tally.delivered / tally.sent
    found = f"{tally.delivered} of {tally.sent} messages arrived"
    if expected.max_share < 1.0 and (unsent := [result for result in results if result.error]):
        return False, f"{found}, but not all could be sent: {unsent[0].failure}"
    if not expected.min_share <= share <= expected.max_share:
        return False, f"{found}; {tally.failures[0]}" if tally.failures and share < expected.min_share else found
    if expected.max_hops is None:
        return True, found
    arrived = [result for result in results if result.seconds is not None]
    lengths = [(way_length(exchange.parents.get(r.digest, {}), r.shot.sender, r.shot.receiver), r) for r in arrived]
    if unknown := [result for length, result in lengths if not length]:
        return False, f"{found}, but the way of {len(unknown)} is not known, as of digest {unknown[0].digest}"
    longest, worst = max(lengths, key=lambda one: one[0], default=(0, results[0]))
    if longest > expected.max_hops:
        ends = f"{worst.shot.sender} to {worst.shot.receiver}"
        return False, f"{found}, but one took {longest} hops: {ends}, digest {worst.digest}"
    return True, f"{found}, in {longest} hops at most"


_LOOKS: dict[str, Callable[[Lab, Check], tuple[bool, str]]] = {
    "healthy": _healthy,
    "connected": _connected,
    "apart": _apart,
    "delivery": _delivery,
}


def _connections(lab: Lab, check: Check) -> set[frozenset[str]]:
    """Who is connected with whom, as those say that the check is about.

    Raises:
        ControlError: one of them does not answer.
    """
    names = {bytes(node.id): node.name for node in lab.spec.nodes}
    found: set[frozenset[str]] = set()
    for name in dict.fromkeys((*check.nodes, *check.peers)):
        for peer in observe.patiently(lambda node: node.control.peers(), lab[name]):
            found.add(frozenset((name, names.get(bytes(peer.node_id), ""))))
    return found


def _until_none(look: Callable[[], list[str]], within_s: float) -> list[str]:
    """What is wrong when nothing is any more, or when the time is over."""
    deadline = time.monotonic() + within_s
    while (wrong := look()) and time.monotonic() < deadline:
        time.sleep(POLL_S)
    return wrong


def _some(sentences: Sequence[str]) -> str:
    more = len(sentences) - SHOWN
    return "; ".join(sentences[:SHOWN]) + (f" and {more} more" if more > 0 else "")


def _nodes(names: Sequence[str]) -> str:
    return f"{names[0]} is" if len(names) == 1 else f"{len(names)} nodes are"
