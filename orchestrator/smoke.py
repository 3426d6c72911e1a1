"""How reliably a running lab delivers: messages between random pairs, counted at the receivers (`lab smoke`).

After the smoke test of the reference's operators: as many messages, of as many bytes, each with so much time. Here is
what is decided and what is worked out, without any node; :mod:`orchestrator.smoke_run` sends and listens.
"""

from __future__ import annotations

import math
import random
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from orchestrator.errors import LabFileError

if TYPE_CHECKING:
    from orchestrator.ideal import Network

MODES = ("raw", "sym", "asym")
NUMBER_BYTES = 4
"""A message begins with its number, by which the receiver's copy is known."""
MIN_MESSAGE_BYTES = NUMBER_BYTES
MAX_MESSAGE_BYTES = 64 * 1024
"""Room for keys and padding is left in the largest message that peers take."""
DEFAULT_MESSAGES = 10
DEFAULT_BYTES = 128
DEFAULT_TIMEOUT_S = 10.0
DEFAULT_SEED = 1
FAILURES_KEPT = 20
MS_PER_S = 1000.0
PERCENT = 100.0


@dataclass(frozen=True, slots=True)
class Shot:
    """One message to send."""

    number: int
    sender: str
    receiver: str
    payload: bytes = field(repr=False)


@dataclass(slots=True)
class Result:
    """What became of one message; filled in as it is told."""

    shot: Shot
    seconds: float | None = None
    """From handing it to the sender until the receiver told us; None: not in time."""
    arrivals: int = 0
    """How often the receiver's application got it."""
    digest: str = ""
    """64 hex digits; empty if the sender does not tell."""
    error: str = ""
    """Why it could not even be sent."""


@dataclass(frozen=True, kw_only=True)
class SmokeReport:
    """What came out, of one mode."""

    mode: str
    seed: int
    sent: int
    delivered: int
    duplicates: int
    """Times that an application got a message once more."""
    strays: int
    """Times that a message came to a node that it was not for."""
    bytes: int
    """Of each message."""
    seconds: float
    p50_ms: float | None
    """Median of the time from sender to receiver, control calls included; None if nothing arrived."""
    p95_ms: float | None
    hops: int
    """Of all messages whose whole way is known."""
    ideal_hops: int
    """The same messages on a shortest way over the connections there are."""
    traced: int
    """How many messages those are."""
    failures: tuple[str, ...] = ()
    """Sentences about the first messages that did not arrive."""

    @property
    def reliability(self) -> float:
        """Percent delivered in time; never rounded up to 100."""
        return PERCENT * self.delivered / self.sent

    def to_json(self) -> dict[str, Any]:
        return {
            "mode": self.mode,
            "seed": self.seed,
            "sent": self.sent,
            "delivered": self.delivered,
            "reliability": math.floor(self.reliability * 100) / 100,
            "duplicates": self.duplicates,
            "strays": self.strays,
            "bytes": self.bytes,
            "seconds": round(self.seconds, 3),
            "latency_ms": {"p50": _rounded(self.p50_ms), "p95": _rounded(self.p95_ms)},
            "hops": {"traced": self.traced, "taken": self.hops, "ideal": self.ideal_hops},
            "failures": list(self.failures),
        }


def plan(names: Sequence[str], *, seed: int, count: int, size: int) -> list[Shot]:
    """Which messages to send: the same of the same names and seed.

    Args:
        names: of the nodes that run; any of them may be an end.
        size: bytes of a message, its number included.

    Raises:
        LabFileError: fewer than two nodes, no message, or a size that cannot be.
    """
    if len(names) < 2:
        raise LabFileError(f"messages need two nodes that run, not {len(names)}")
    if count < 1:
        raise LabFileError(f"expected at least one message, not {count}")
    if not MIN_MESSAGE_BYTES <= size <= MAX_MESSAGE_BYTES:
        raise LabFileError(f"expected {MIN_MESSAGE_BYTES} to {MAX_MESSAGE_BYTES} bytes a message, not {size}")
    source = random.Random(seed)  # noqa: S311 -- to be repeated, not to be secret
    shots = []
    for number in range(count):
        sender, receiver = source.sample(list(names), 2)
        payload = number.to_bytes(NUMBER_BYTES, "big") + source.randbytes(size - NUMBER_BYTES)
        shots.append(Shot(number, sender, receiver, payload))
    return shots


def score(
    results: Sequence[Result],
    *,
    mode: str,
    seed: int,
    seconds: float,
    strays: int,
    parents: Mapping[str, Mapping[str, str]],
    network: Network,
) -> SmokeReport:
    """Work out what became of the messages.

    Args:
        strays: see :attr:`SmokeReport.strays`.
        parents: by digest: from whom each node first had that message, by name.
        network: who was connected with whom.
    """
    from orchestrator.ideal import shortest_way  # `lab --help` does without elliptic curves

    delivered = [result for result in results if result.seconds is not None]
    took = sorted(result.seconds for result in delivered if result.seconds is not None)
    hops = ideal = traced = 0
    shortest: dict[tuple[str, str], int] = {}
    for result in delivered:
        pair = result.shot.sender, result.shot.receiver
        length = way_length(parents.get(result.digest, {}), *pair)
        if pair not in shortest:
            known = set(pair) <= network.peers.keys()
            shortest[pair] = len(shortest_way(network, *pair)) - 1 if known else 0
        if length and shortest[pair] > 0:
            traced, hops, ideal = traced + 1, hops + length, ideal + shortest[pair]
    lost = [result for result in results if result.seconds is None]
    return SmokeReport(
        mode=mode,
        seed=seed,
        sent=len(results),
        delivered=len(delivered),
        duplicates=sum(max(result.arrivals - 1, 0) for result in results),
        strays=strays,
        bytes=len(results[0].shot.payload),
        seconds=seconds,
        p50_ms=percentile(took, 50),
        p95_ms=percentile(took, 95),
        hops=hops,
        ideal_hops=ideal,
        traced=traced,
        failures=tuple(_failure(result) for result in lost[:FAILURES_KEPT]),
    )


def way_length(parents: Mapping[str, str], sender: str, receiver: str) -> int:
    """Hops from sender to receiver along who first had it from whom; 0 if that leads nowhere."""
    at, hops, seen = receiver, 0, {receiver}
    while at != sender:
        before = parents.get(at)
        if before is None or before in seen:
            return 0
        seen.add(before)
        at, hops = before, hops + 1
    return hops


def percentile(ordered: Sequence[float], percent: int) -> float | None:
    """The nearest rank, in milliseconds, of seconds in order; None of nothing."""
    if not ordered:
        return None
    return ordered[max(math.ceil(len(ordered) * percent / PERCENT) - 1, 0)] * MS_PER_S


def modes_of(wanted: str) -> Collection[str]:
    """The modes that a word of the command line means."""
    return MODES if wanted == "all" else (wanted,)


def _failure(result: Result) -> str:
    shot = result.shot
    why = result.error or ("came too late" if result.arrivals else "did not arrive")
    digest = f", digest {result.digest}" if result.digest else ""
    return f"message {shot.number} from {shot.sender} to {shot.receiver}: {why}{digest}"


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 2)
