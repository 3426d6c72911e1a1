"""Events of one message, as nodes tell them, and what a journey made of them shows."""

from __future__ import annotations

import itertools
from collections.abc import Mapping

from node.events import Kind, NodeEvent
from orchestrator.trace import Journey

DIGEST = "ab" * 32
NAMES = {f"{number:064x}": name for number, name in enumerate(("alice", "n01", "n02", "bob"), start=1)}
IDS = {name: number for number, name in NAMES.items()}
START_S = 1_700_000_000.0
ONE = {"mode": "one", "po": 3, "own_po": 1, "depth": 0, "threshold": 2, "refused": 0}
ALL = {"mode": "all", "po": 1, "own_po": 256, "depth": 1, "threshold": 1, "refused": 0}

Told = list[tuple[str, NodeEvent]]


def tell(*rows: tuple[str, float, Kind, str, Mapping[str, object]], **more: object) -> Told:
    """Events from (node, milliseconds, kind, peer's name, data); each node counts its own."""
    counters = {name: itertools.count(1) for name in NAMES.values()}
    return [
        (
            name,
            NodeEvent(
                seq=next(counters[name]),
                wall_s=START_S + at_ms / 1000,
                mono_s=at_ms / 1000,
                kind=kind,
                peer=IDS.get(peer, peer),
                digest=DIGEST,
                reason=str(data.get("reason", "")),
                size=5 if kind is Kind.PSS_SENT else None,
                data={key: value for key, value in data.items() if key != "reason"},
            ),
        )
        for name, at_ms, kind, peer, data in rows
    ]


SENT = ("alice", 0.0, Kind.PSS_SENT, "", {"mode": "asymmetric", "to": "8f" * 32})
LINE: Told = tell(
    SENT,
    ("alice", 0.2, Kind.PSS_FORWARDED, "n01", ONE),
    ("n01", 1.0, Kind.PSS_RECEIVED, "alice", {"to": "8f" * 32}),
    ("n01", 1.2, Kind.PSS_FORWARDED, "bob", {**ONE, "mode": "exact", "po": 256}),
    ("bob", 2.5, Kind.PSS_RECEIVED, "n01", {}),
    ("bob", 2.6, Kind.PSS_DELIVERED, "n01", {"mode": "asymmetric", "handlers": 1}),
    ("bob", 2.7, Kind.PSS_FORWARDED, "n01", ALL),
    ("n01", 3.0, Kind.PSS_DUPLICATE, "bob", {"reason": "duplicate"}),
)


def steps(journey: Journey) -> list[tuple[int, str, str, str]]:
    return [(hop.level, hop.sender, hop.receiver, hop.outcome.value) for hop in journey.hops]
