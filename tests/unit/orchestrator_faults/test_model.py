"""orchestrator.faults.model: quantities, merging, JSON."""

from __future__ import annotations

import json

import pytest

from orchestrator.faults.model import (
    Conditions,
    Fault,
    fault_from_json,
    fault_to_json,
    format_rate,
    parse_delay,
    parse_frequency,
    parse_percent,
    parse_rate,
)


def test_quantities() -> None:
    assert parse_delay("200ms") == pytest.approx(0.2)
    assert parse_percent("0.5%") == pytest.approx(0.005)
    assert parse_percent("100%") == 1
    assert [parse_rate(text) for text in ("8000bit", "500kbit", "5mbit", "1.5Gbit")] == [8e3, 5e5, 5e6, 1.5e9]
    assert parse_frequency("6/min") == pytest.approx(0.1)
    assert parse_frequency("0.5/s") == 0.5


@pytest.mark.parametrize(
    ("parse", "text", "error"),
    [
        (parse_delay, "2m", "at most 60s"),
        (parse_delay, "5", "unit is missing"),
        (parse_percent, "5", "a percentage"),
        (parse_percent, "0%", "over 0%"),
        (parse_percent, "101%", "up to 100%"),
        (parse_rate, "5", "a rate such as"),
        (parse_rate, "5mb", "a rate such as"),
        (parse_rate, "1bit", "at least 8kbit"),
        (parse_frequency, "6", "how often"),
        (parse_frequency, "0/s", "how often"),
    ],
)
def test_what_is_no_quantity(parse: object, text: str, error: str) -> None:
    with pytest.raises(ValueError, match=error):
        parse(text)  # type: ignore[operator]


def test_conditions_are_merged() -> None:
    slow, flaky = Conditions(delay_s=0.2, jitter_s=0.01), Conditions(loss=0.05)
    assert flaky.over(slow) == Conditions(delay_s=0.2, jitter_s=0.01, loss=0.05)
    assert Conditions(delay_s=0.1).over(slow) == Conditions(delay_s=0.1, jitter_s=0.01)


def test_conditions_in_words() -> None:
    assert str(Conditions(delay_s=0.04, jitter_s=0.005, loss=0.005, rate_bps=5e6)) == (
        "delay 40ms, jitter 5ms, loss 0.5%, rate 5mbit"
    )
    assert str(Conditions(loss=0.05)) == "loss 5%"
    assert str(Conditions(loss=0.1)) == "loss 10%"
    assert str(Conditions(delay_s=1.5, blocked=True)) == "blocked"
    assert str(Conditions()) == "none"
    assert format_rate(1.5e9) == "1.5gbit"


@pytest.mark.parametrize(
    "fault",
    [
        Fault(name="p", kind="partition", groups=(("a", "b"), ("c",))),
        Fault(name="s", kind="shape", nodes=("a",), peers=("b",), conditions=Conditions(loss=0.1), direction="both"),
        Fault(name="n", kind="shape", nodes=("a",), conditions=Conditions(delay_s=1.0), from_file=True),
        Fault(name="z", kind="pause", nodes=("a",)),
    ],
)
def test_json_and_back(fault: Fault) -> None:
    assert fault_from_json(json.loads(json.dumps(fault_to_json(fault)))) == fault
