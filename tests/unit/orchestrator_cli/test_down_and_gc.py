"""`lab down` and `lab gc`."""

from __future__ import annotations

import json

import pytest

from orchestrator.errors import OrchestratorError, RuntimeUnavailable
from orchestrator.gc import Leftover
from tests.unit.orchestrator_cli.conftest import Run
from tests.unit.orchestrator_cli.fakes import FakeLabs, elsewhere


def test_down_and_again(run: Run, labs: FakeLabs) -> None:
    result = run("down")
    assert (result.exit_code, result.stdout) == (0, "")
    assert result.stderr == "lab default is down: removed 2 processes and 1 directory\n"
    result = run("down")
    assert result.exit_code == 0
    assert result.stderr == "there was nothing of a lab default\n"


def test_down_json(run: Run) -> None:
    assert json.loads(run("down", "--json").stdout) == {
        "removed": {"default": ["process alice", "process bob", "directory /x"]}
    }
    assert json.loads(run("down", "--json").stdout) == {"removed": {"default": []}}


def test_down_all(run: Run, labs: FakeLabs) -> None:
    labs.add("other")
    assert run("down", "--all").exit_code == 0
    assert labs.removed == ["default", "other"]
    assert "there was no lab" in run("down", "--all").stderr


def test_down_all_and_a_name(run: Run, labs: FakeLabs) -> None:
    assert run("down", "default", "--all").exit_code == 2
    assert not labs.removed


def test_down_of_damaged_state(run: Run, labs: FakeLabs) -> None:
    labs.labs.clear()
    labs.damaged["broken"] = OrchestratorError("state.json is damaged")
    assert run("down").exit_code == 0
    assert labs.removed == ["broken"]


def test_down_points_to_labs_that_may_be_meant(run: Run, labs: FakeLabs) -> None:
    labs.elsewhere.append(elsewhere("othr"))
    result = run("down", "othr")
    assert result.exit_code == 0
    assert "hint: labs here: default" in result.stderr
    assert "started from elsewhere (/somewhere/.lab/othr): lab down othr-bbbbbb" in result.stderr


def test_down_by_id(run: Run, labs: FakeLabs) -> None:
    labs.elsewhere.append(elsewhere("other"))
    result = run("down", "other-bbbbbb")
    assert result.exit_code == 0
    assert labs.removed == ["other-bbbbbb"]


def test_down_without_the_engine_that_is_needed(run: Run, labs: FakeLabs) -> None:
    labs.raises = RuntimeUnavailable("no engine", hint="start it")
    result = run("down")
    assert (result.exit_code, result.stderr) == (7, "error: no engine\nhint: start it\n")


def _rubbish(labs: FakeLabs) -> None:
    lab = elsewhere("old")
    labs.rubbish = [
        Leftover(kind="lab", id=lab.lab_id, reason="expired 2026-01-01T00:00:00Z", lab=lab),
        Leftover(kind="image", id="pss-lab-node:abc", reason="there is a newer one"),
    ]


def test_gc(run: Run, labs: FakeLabs) -> None:
    _rubbish(labs)
    result = run("gc", "--images")
    assert result.exit_code == 0
    assert result.stdout.splitlines() == [
        "removed lab old-bbbbbb: expired 2026-01-01T00:00:00Z",
        "removed image pss-lab-node:abc: there is a newer one",
    ]
    assert labs.removed == ["old-bbbbbb", "pss-lab-node:abc"]


def test_gc_leaves_images_alone_unless_asked(run: Run, labs: FakeLabs) -> None:
    _rubbish(labs)
    assert run("gc").stdout == "removed lab old-bbbbbb: expired 2026-01-01T00:00:00Z\n"
    assert labs.removed == ["old-bbbbbb"]


def test_gc_of_one_lab(run: Run, labs: FakeLabs) -> None:
    _rubbish(labs)
    assert run("gc", "default-aaaaaa").stderr == "nothing to remove\n"
    assert run("gc", "pss-lab-node:abc").stderr == "nothing to remove\n"
    assert labs.removed == []
    assert run("gc", "old-bbbbbb", "--images").exit_code == 0
    assert labs.removed == ["old-bbbbbb"]


def test_gc_does_not_claim_what_it_left_alone(run: Run, labs: FakeLabs, monkeypatch: pytest.MonkeyPatch) -> None:
    _rubbish(labs)
    monkeypatch.setattr(labs, "remove_leftover", lambda leftover: [])
    result = run("gc")
    assert (result.exit_code, result.stdout) == (0, "")
    assert result.stderr == "lab old-bbbbbb stays: it is in use again, or somebody else removed it\n"
    assert json.loads(run("gc", "--json").stdout)["leftovers"] == []


def test_gc_dry_run(run: Run, labs: FakeLabs) -> None:
    _rubbish(labs)
    result = run("gc", "--dry-run")
    assert result.stdout.startswith("would remove lab old-bbbbbb")
    assert not labs.removed


def test_gc_json(run: Run, labs: FakeLabs) -> None:
    _rubbish(labs)
    document = json.loads(run("gc", "--images", "--json").stdout)
    assert document["dry_run"] is False
    assert document["leftovers"][1] == {
        "kind": "image",
        "id": "pss-lab-node:abc",
        "reason": "there is a newer one",
        "removed": ["image pss-lab-node:abc"],
    }


def test_gc_goes_on_after_a_failure(run: Run, labs: FakeLabs) -> None:
    _rubbish(labs)
    labs.raises = OrchestratorError("it is in use")
    result = run("gc", "--images", "--json")
    assert result.exit_code == 1
    assert result.stderr.count("error: it is in use") == 2
    assert json.loads(result.stdout)["leftovers"] == []


def test_gc_of_nothing(run: Run) -> None:
    result = run("gc")
    assert (result.exit_code, result.stdout, result.stderr) == (0, "", "nothing to remove\n")
