"""Sends a lab's traffic in real time, beside whatever else happens to the lab."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from orchestrator.exchange import Exchange
from orchestrator.shot import Result, Tally
from orchestrator.traffic.model import Traffic, expand

if TYPE_CHECKING:
    from orchestrator.lab import Lab

SENDERS = 16
"""Messages that are being handed to their senders at the same time; a node that is down holds one up for a moment."""


@dataclass(frozen=True, kw_only=True)
class TrafficReport:
    """What became of one entry."""

    traffic: Traffic
    tally: Tally

    @property
    def passed(self) -> bool:
        """Whether as much arrived as has to."""
        wanted = self.traffic.min_share
        return wanted is None or self.tally.delivered >= wanted * self.tally.sent

    def to_json(self) -> dict[str, Any]:
        tally = self.tally
        return {
            "name": self.traffic.name,
            "mode": self.traffic.mode,
            "sent": tally.sent,
            "delivered": tally.delivered,
            "reliability": tally.reliability,
            "min": None if self.traffic.min_share is None else self.traffic.min_share * 100,
            "passed": self.passed,
            "duplicates": tally.duplicates,
            "latency_ms": {"p50": tally.p50_ms, "p95": tally.p95_ms},
            "failures": list(tally.failures),
        }


class TrafficRun:
    """Begins to send when its block begins; what is left is dropped when the block ends early."""

    def __init__(self, lab: Lab, entries: Sequence[Traffic]) -> None:
        planned = [(entry, expand(entry, seed=lab.spec.seed)) for entry in entries]
        self._entries = [(entry, [Result(timed.shot) for timed in shots]) for entry, shots in planned]
        self._exchanges = [
            Exchange(lab, results, entry.mode, listeners=sorted(set(entry.receivers)), ways=False)
            for entry, results in self._entries
        ]
        self._due = sorted(
            (timed.at_s, which, timed.shot.number) for which, (_, shots) in enumerate(planned) for timed in shots
        )
        self._ending = threading.Event()
        self._stack = contextlib.ExitStack()
        self._sending: list[Future[None]] = []
        self._clock = threading.Thread(target=self._send_all, name="traffic", daemon=True)

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as stack:
            for exchange in self._exchanges:
                stack.enter_context(exchange)
            self._pool = stack.enter_context(ThreadPoolExecutor(SENDERS, thread_name_prefix="traffic"))
            self._stack = stack.pop_all()
        self._clock.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ending.set()
        self._clock.join()
        self._pool.shutdown(cancel_futures=True)
        self._stack.close()

    def finish(self) -> list[TrafficReport]:
        """Wait until everything was sent and arrived, or its time is over."""
        self._clock.join()
        for future in self._sending:
            future.result()
        for (entry, results), exchange in zip(self._entries, self._exchanges, strict=True):
            for result in results:
                exchange.wait(result, entry.timeout_s)
        return [TrafficReport(traffic=entry, tally=Tally.of(results)) for entry, results in self._entries]

    def _send_all(self) -> None:
        started = time.monotonic()
        for at_s, which, number in self._due:
            if self._ending.wait(max(started + at_s - time.monotonic(), 0.0)):
                return
            result = self._entries[which][1][number]
            self._sending.append(self._pool.submit(self._exchanges[which].send, result))
