"""orchestrator.faults.show: nodes that do not answer."""

from __future__ import annotations

import pytest

from node.control.gen import control_pb2 as pb
from orchestrator.faults.apply import round_trips
from orchestrator.faults.model import Conditions
from orchestrator.faults.show import report_to_json
from orchestrator.runtime import NodeState
from tests.unit.orchestrator_faults.fakes import BOTH, FakeLab, faults


def test_a_container_that_stops_while_it_is_asked_was_not_asked(lab: FakeLab) -> None:
    control, hands = faults(lab, BOTH)

    def gone(name: str) -> dict[str, Conditions]:
        raise OSError("409: container is not running")

    with control.cut("alice", "bob"):
        hands.in_network = gone  # type: ignore[method-assign]
        report = control.report()
        assert {(edge.a, edge.asked, edge.applied) for edge in report.edges} == {
            ("alice", False, False),
            ("bob", False, False),
        }


def test_who_is_frozen_on_purpose_need_not_be_asked(lab: FakeLab) -> None:
    control, _ = faults(lab, BOTH)
    states = lab.runtime.node_states()
    with control.cut("alice", "bob"):
        with control.paused("alice"):
            states["alice"] = NodeState.PAUSED
            report = control.report()
            told = {(edge.a, edge.asked, edge.applied, edge.excused) for edge in report.edges}
            assert told == {("alice", False, False, True), ("bob", True, True, False)}
            assert (report.applied, report.paused) == (True, {"alice": True})
            assert {row["from"]: row["applied"] for row in report_to_json(report)["edges"]} == {
                "alice": None,
                "bob": True,
            }
        # Now it is frozen, and no fault wants it so.
        assert not control.report().applied


class Probed:
    """A node's control, with connections that answer after a time or never; keeps how long it was given."""

    def __init__(self, answers_s: dict[bytes, float]) -> None:
        self._answers_s = answers_s
        self.given_s: list[float] = []

    def link_conditions(self, *, probe_s: float = 0.0) -> list[pb.LinkState]:
        self.given_s.append(probe_s)
        return [
            pb.LinkState(
                conditions=pb.LinkConditions(node_id=peer),
                connected=True,
                round_trip_s=answer_s if answer_s <= probe_s else 0.0,
            )
            for peer, answer_s in self._answers_s.items()
        ]


@pytest.mark.parametrize(
    ("bob_s", "mute", "given_s", "found_s"),
    [
        (0.1, (), [10], 0.1),
        (0.1, ("n01",), [0, 0.25], 0.1),
        (0.4, ("n01",), [0, 0.25, 0.5], 0.4),
        (0.1, ("n01", "bob"), [0], 0.0),
        (float("inf"), ("n01",), [0, 0.25, 0.5, 1, 2, 4, 8, 10], 0.0),
    ],
)
def test_who_cannot_answer_is_not_waited_for(
    lab: FakeLab, bob_s: float, mute: tuple[str, ...], given_s: list[float], found_s: float
) -> None:
    ids = {node.name: bytes(node.id) for node in lab.spec.nodes}
    control = Probed({ids["bob"]: bob_s, ids["n01"]: float("inf")})
    lab.control = control
    links = round_trips(lab, "alice", 10.0, mute)  # type: ignore[arg-type]
    assert (control.given_s, links[0].round_trip_s) == (given_s, pytest.approx(found_s))
