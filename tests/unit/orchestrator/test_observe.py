"""What the nodes of a lab say, put together, also if some do not answer."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

import grpc
import pytest

from node.control.client import ControlError, Memory, Position
from node.control.gen import control_pb2 as pb
from node.events import EventFilter, Kind, NodeEvent
from orchestrator import observe
from orchestrator.journey import Journey, Note, Sending
from orchestrator.spec import LabSpec
from orchestrator.stock import load_stock

SPEC = load_stock("line3")
DIGEST = bytes(range(32))


class Node:
    """Answers after so many failures."""

    def __init__(self, failures: int, code: grpc.StatusCode = grpc.StatusCode.UNAVAILABLE) -> None:
        self.failures, self.code, self.asked = failures, code, 0

    def question(self, node: Any) -> str:
        self.asked += 1
        if self.asked <= self.failures:
            raise ControlError("bob", self.code, "busy")
        return "answer"


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(observe, "RETRY_S", 0.0)


def test_a_node_that_is_hard_to_reach_is_asked_again() -> None:
    node = Node(failures=3)
    assert observe.patiently(node.question, node) == "answer"  # type: ignore[arg-type]
    assert node.asked == 4


def test_not_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(observe, "ANSWER_TIMEOUT_S", 0.0)
    node = Node(failures=10**6)
    with pytest.raises(ControlError, match="busy"):
        observe.patiently(node.question, node)  # type: ignore[arg-type]


def test_what_waiting_does_not_change_is_not_asked_again() -> None:
    node = Node(failures=1, code=grpc.StatusCode.UNAUTHENTICATED)
    with pytest.raises(ControlError):
        observe.patiently(node.question, node)  # type: ignore[arg-type]
    assert node.asked == 1


class FakeLab:
    """alice sends to bob over n01; whoever is missing in `told` does not answer."""

    def __init__(self, told: Collection[str], since_s: float = 0.0, oldest_s: float | None = None) -> None:
        self.spec: LabSpec = SPEC
        self.running = set(SPEC.node_names)
        self._told, self._since_s, self._oldest_s = told, since_s, oldest_s

    def ask(self, question: Callable[[Any], Any], names: Collection[str] | None = None) -> dict[str, Any]:
        asked = self.running if names is None else names
        handles = {name: Handle(name, self._since_s, self._oldest_s) for name in asked if name in self._told}
        return {name: question(handle) for name, handle in handles.items()}


class Handle:
    """A node as the lab hands it out, and its control."""

    def __init__(self, name: str, since_s: float, oldest_s: float | None) -> None:
        self.name, self.control = name, self
        self._since_s, self._oldest_s = since_s, oldest_s

    def recall(self, only: EventFilter) -> Memory:
        assert only == EventFilter(digest=DIGEST.hex())
        return Memory(self._history(only.digest), Position(self._since_s, 9), self._oldest_s)

    def _history(self, digest: str) -> list[NodeEvent]:
        ids = {node.name: node.id.hex() for node in SPEC.nodes}
        to = SPEC.node("bob").overlay.hex()
        rows: dict[str, list[tuple[Kind, str, dict[str, Any]]]] = {
            "alice": [(Kind.PSS_SENT, "", {"to": to, "mode": "asymmetric"}), (Kind.PSS_FORWARDED, "n01", {})],
            "n01": [(Kind.PSS_RECEIVED, "alice", {}), (Kind.PSS_FORWARDED, "bob", {})],
            "bob": [(Kind.PSS_RECEIVED, "n01", {}), (Kind.PSS_DELIVERED, "n01", {"handlers": 1})],
        }
        return [
            NodeEvent(
                seq=seq, wall_s=1e9 + seq, mono_s=0.0, kind=kind, peer=ids.get(peer, ""), digest=digest, data=data
            )
            for seq, (kind, peer, data) in enumerate(rows[self.name], start=1)
        ]

    def kademlia(self) -> pb.Kademlia:
        peers = [SPEC.node(peer).overlay for peer in sorted(SPEC.neighbours(self.name))]
        return pb.Kademlia(self=SPEC.node(self.name).overlay, bins=[pb.Bin(po=0, connected=[*peers, b"\xab" * 32])])


def test_a_journey_beside_the_ideal_one() -> None:
    journey = observe.trace(FakeLab(SPEC.node_names), DIGEST)  # type: ignore[arg-type]
    assert [str(ideal) for ideal in journey.ideals] == ["bob: 2 hops; ideal 2; by the rules of pss 2"]
    assert journey.unanswered == ()


def test_a_node_that_does_not_answer_is_named() -> None:
    journey = observe.trace(FakeLab(["alice", "bob"]), DIGEST)  # type: ignore[arg-type]
    assert journey.unanswered == ("n01",)
    assert "no answer from n01: what they did is missing here" in str(journey)


def test_a_node_that_does_not_run_is_missing_too() -> None:
    lab = FakeLab(SPEC.node_names)
    lab.running = {"alice", "bob"}
    assert observe.trace(lab, DIGEST).unanswered == ("n01",)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("started_s", "oldest_s", "forgetful"),
    [(1e9, None, []), (1e9 + 60, None, [1e9 + 60]), (1e9, 1e9 + 30, [1e9 + 30])],
    ids=["all", "restarted", "full"],
)
def test_since_when_nodes_remember(started_s: float, oldest_s: float | None, forgetful: list[float]) -> None:
    journey = observe.trace(FakeLab(["n01"], started_s, oldest_s), DIGEST)  # type: ignore[arg-type]
    assert [lost.since_s for lost in journey.forgetful] == forgetful


# -- why a message did not arrive


def journey_of(*sent_ms: float, origin: str = "alice") -> Journey:
    """Sent at these times; the first time it arrived."""
    sendings = tuple(Sending(node="alice", at_ms=at_ms, first_hop=index) for index, at_ms in enumerate(sent_ms))
    return Journey(
        digest=DIGEST.hex(), origin=origin, sendings=sendings, deliveries=(Note(node="bob", at_ms=2.0, text=""),)
    )


def test_why_a_message_did_not_arrive() -> None:
    assert observe.why_not(Journey(digest=DIGEST.hex(), origin="alice")) == (
        "it never left alice",
        f"lab trace {DIGEST.hex()}",
    )
    assert observe.why_not(Journey(digest=""))[1] == "lab status; lab logs"


@pytest.mark.parametrize("origin", ["alice", ""], ids=["remembered", "forgotten"])
def test_a_raw_message_that_was_sent_before_is_a_duplicate(origin: str) -> None:
    """That it was delivered then would contradict that it was not delivered now."""
    journey = journey_of(0.0, 14_000.0) if origin else journey_of(14_000.0, origin="")
    assert observe.why_not(journey) == (
        "the same raw message was sent 14 s ago, and nodes that saw it take it for a duplicate for half a minute",
        "change the text, or wait",
    )


def test_after_half_a_minute_it_is_no_duplicate_any_more() -> None:
    assert observe.why_not(journey_of(0.0, 5_000.0, 45_000.0)) == (
        "the same raw message was sent 40 s ago",
        f"lab trace {DIGEST.hex()} shows both ways",
    )


def test_without_a_digest_nobody_is_asked() -> None:
    journey = observe.trace(FakeLab([]), b"")  # type: ignore[arg-type]
    assert (journey.hops, journey.unanswered) == ((), ())


def test_a_connection_that_one_end_tells_counts() -> None:
    lab: Any = FakeLab(["n01"])
    assert observe.connections(SPEC, observe.tables(lab)) == {("alice", "n01"), ("bob", "n01")}
