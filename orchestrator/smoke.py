"""How reliably a running lab delivers: messages between random pairs, counted at the receivers (`lab smoke`).

After the smoke test of the reference's operators: as many messages, of as many bytes, each with so much time. Here is
what is decided and what is worked out, without any node; :mod:`orchestrator.smoke_run` sends and listens.
"""

from __future__ import annotations

import random
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from orchestrator.errors import LabFileError
from orchestrator.shot import MODES, Result, Shot, Tally, check_size, payload_of

if TYPE_CHECKING:
    from orchestrator.ideal import Network

DEFAULT_MESSAGES = 10
DEFAULT_SEED = 1


@dataclass(frozen=True, kw_only=True)
class SmokeReport(Tally):
    """What came out, of one mode."""

    mode: str
    seed: int
    strays: int
    """Times that a message came to a node that it was not for."""
    bytes: int
    """Of each message."""
    seconds: float
    hops: int
    """Of all messages whose whole way is known."""
    ideal_hops: int
    """The same messages on a shortest way over the connections there are."""
    traced: int
    """How many messages those are."""

    def to_json(self) -> dict[str, Any]:
        return {
            "mode": self.mode,
            "seed": self.seed,
            "sent": self.sent,
            "delivered": self.delivered,
            "reliability": self.reliability,
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
    check_size(size)
    source = random.Random(seed)  # noqa: S311 -- to be repeated, not to be secret
    shots = []
    for number in range(count):
        sender, receiver = source.sample(list(names), 2)
        shots.append(Shot(number, sender, receiver, payload_of(number, size, source)))
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
    return SmokeReport(
        **vars(Tally.of(results)),
        mode=mode,
        seed=seed,
        strays=strays,
        bytes=len(results[0].shot.payload),
        seconds=seconds,
        hops=hops,
        ideal_hops=ideal,
        traced=traced,
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


def modes_of(wanted: str) -> Collection[str]:
    """The modes that a word of the command line means."""
    return MODES if wanted == "all" else (wanted,)


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 2)
