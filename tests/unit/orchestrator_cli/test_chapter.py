"""`lab chapter`, with a pretended performance."""

from __future__ import annotations

import json

from orchestrator.chapter.transcript import Transcript
from tests.unit.orchestrator_cli.conftest import Run
from tests.unit.orchestrator_cli.fakes import FakeLabs


def performance() -> Transcript:
    transcript = Transcript()
    for actor, at, text in (("alice", 10.0, "sent"), ("bob", 10.25, "received")):
        transcript.add(actor, json.dumps({"at": at, "say": text}))
    return transcript


def test_the_list(run: Run) -> None:
    listed = run("chapter")
    assert listed.exit_code == 0
    assert "e2        relay, alice, bob   dark routing." in listed.stdout
    assert {row["name"] for row in json.loads(run("chapter", "--json").stdout)} >= {"a1_server", "f2_echo"}


def test_what_was_said_is_shown_with_time_and_name(run: Run, labs: FakeLabs) -> None:
    labs.performance = performance()
    played = run("chapter", "e1", "--runtime", "process")
    assert played.exit_code == 0
    assert [line.rstrip() for line in played.stdout.splitlines()] == [
        "  0.000 s  alice  sent",
        "  0.250 s  bob    received",
    ]
    assert labs.played == [("e1_asymmetric", "process")]


def test_as_json(run: Run, labs: FakeLabs) -> None:
    labs.performance = performance()
    document = json.loads(run("chapter", "e1", "--json").stdout)
    assert document["example"] == "e1_asymmetric"
    assert document["said"][1] == {"actor": "bob", "at": 10.25, "text": "received"}
    assert document["messages"] == []


def test_no_such_example(run: Run) -> None:
    failed = run("chapter", "z9")
    assert failed.exit_code == 2
    assert "no example 'z9'" in failed.stderr
