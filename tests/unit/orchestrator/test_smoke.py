"""orchestrator.smoke: which messages are sent, and what is worked out from what arrived."""

from __future__ import annotations

import pytest

from node.ids import OverlayAddress
from orchestrator.errors import LabFileError
from orchestrator.ideal import Network
from orchestrator.shot import NUMBER_BYTES, Result, Shot, percentile
from orchestrator.smoke import SmokeReport, plan, score, way_length

NAMES = ["alice", "n01", "n02", "bob"]
LINE = Network.of(
    {name: OverlayAddress(bytes([index]) * 32) for index, name in enumerate(NAMES)},
    [("alice", "n01"), ("n01", "n02"), ("n02", "bob")],
)


def test_the_same_seed_plans_the_same_messages() -> None:
    shots = plan(NAMES, seed=7, count=50, size=64)
    assert shots == plan(NAMES, seed=7, count=50, size=64)
    assert shots != plan(NAMES, seed=8, count=50, size=64)
    assert all(shot.sender != shot.receiver for shot in shots)
    assert {shot.sender for shot in shots} == {shot.receiver for shot in shots} == set(NAMES)
    assert {len(shot.payload) for shot in shots} == {64}
    assert [int.from_bytes(shot.payload[:NUMBER_BYTES], "big") for shot in shots] == list(range(50))


@pytest.mark.parametrize(
    ("names", "count", "size", "says"),
    [
        (["alice"], 1, 64, "two nodes"),
        (NAMES, 0, 64, "one message"),
        (NAMES, 1, 3, "bytes"),
        (NAMES, 1, 10**6, "bytes"),
    ],
)
def test_what_cannot_be_planned(names: list[str], count: int, size: int, says: str) -> None:
    with pytest.raises(LabFileError, match=says):
        plan(names, seed=1, count=count, size=size)


def _score(*results: Result, parents: dict[str, dict[str, str]] | None = None, strays: int = 0) -> SmokeReport:
    return score(results, mode="asym", seed=1, seconds=1.0, strays=strays, parents=parents or {}, network=LINE)


def _result(number: int, sender: str = "alice", receiver: str = "bob", **told: object) -> Result:
    return Result(Shot(number, sender, receiver, bytes(8)), digest=f"d{number}", **told)  # type: ignore[arg-type]


def test_everything_arrived() -> None:
    report = _score(
        _result(0, seconds=0.010, arrivals=1),
        _result(1, "n01", "n02", seconds=0.030, arrivals=3),
        parents={"d0": {"bob": "n02", "n02": "n01", "n01": "alice"}, "d1": {"n02": "bob", "bob": "n01"}},
    )
    assert (report.sent, report.delivered, report.duplicates, report.reliability) == (2, 2, 2, 100.0)
    assert (report.p50_ms, report.p95_ms) == (10.0, 30.0)
    assert (report.traced, report.hops, report.ideal_hops) == (2, 5, 4)
    assert report.failures == ()


def test_what_did_not_arrive_is_told_apart() -> None:
    report = _score(
        _result(0, seconds=0.010, arrivals=1),
        _result(1, arrivals=1),
        _result(2),
        _result(3, error="n01 does not answer"),
        strays=1,
    )
    assert (report.sent, report.delivered, report.strays) == (4, 1, 1)
    assert report.reliability == 25.0
    late, lost, unsent = report.failures
    assert "message 1 from alice to bob: came too late" in late
    assert "did not arrive" in lost
    assert "digest d2" in lost
    assert "n01 does not answer" in unsent


def test_reliability_is_never_rounded_up_to_all() -> None:
    results = [_result(number, seconds=0.001, arrivals=1) for number in range(100_000)]
    results[0].seconds = None
    assert _score(*results).to_json()["reliability"] == 99.99


def test_nothing_arrived() -> None:
    report = _score(_result(0))
    assert (report.p50_ms, report.p95_ms, report.traced) == (None, None, 0)
    assert report.to_json()["latency_ms"] == {"p50": None, "p95": None}


def test_a_way_with_a_gap_or_a_circle_has_no_length() -> None:
    assert way_length({"bob": "n02"}, "alice", "bob") == 0
    assert way_length({"bob": "n02", "n02": "bob"}, "alice", "bob") == 0
    assert way_length({"bob": "alice"}, "alice", "bob") == 1


def test_percentiles_are_values_that_were_measured() -> None:
    values = [number / 1000 for number in range(1, 101)]
    assert percentile(values, 50) == 50.0
    assert percentile(values, 95) == 95.0
    assert percentile([0.002], 95) == 2.0
    assert percentile([], 50) is None
