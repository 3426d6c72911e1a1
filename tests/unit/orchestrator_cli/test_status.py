"""`lab status` and `lab ls`."""

from __future__ import annotations

import dataclasses
import json

from orchestrator.errors import OrchestratorError
from orchestrator.runtime import NodeState
from tests.unit.orchestrator_cli.conftest import Run
from tests.unit.orchestrator_cli.fakes import FakeLabs, elsewhere


def test_a_ready_lab(run: Run) -> None:
    result = run("status")
    assert result.exit_code == 0
    lines = [line.split() for line in result.stdout.splitlines()]
    assert lines[0] == ["node", "state", "peers", "depth", "memory", "uptime"]
    assert lines[1] == ["alice", "ready", "n01", "0", "60", "MB", "2", "min"]
    assert "lab default (process): 3 nodes, 2 links, ready" in result.stderr


def test_what_is_missing_is_named(run: Run, labs: FakeLabs) -> None:
    lab = labs.labs["default"]
    lab.runtime.states["bob"] = NodeState.STOPPED
    lab.reasons = {"bob": ["bob is stopped"], "n01": ["n01 is not connected with bob"]}
    result = run("status")
    assert result.exit_code == 6
    assert "missing" in result.stdout.splitlines()[0]
    assert "n01 is not connected with bob" in result.stdout
    assert result.stdout.splitlines()[3].split() == ["bob", "stopped", "bob", "is", "stopped"]
    assert "not ready" in result.stderr


def test_status_json(run: Run, labs: FakeLabs) -> None:
    labs.labs["default"].runtime.states["bob"] = NodeState.STOPPED
    labs.labs["default"].reasons = {"bob": ["bob is stopped"]}
    result = run("status", "default", "--json")
    assert result.exit_code == 6
    document = json.loads(result.stdout)
    assert (document["lab"], document["runtime"], document["ready"]) == ("default", "process", False)
    alice, _, bob = document["nodes"]
    assert (alice["name"], alice["state"], alice["ready"], alice["peers"]) == ("alice", "running", True, ["n01"])
    assert (alice["rss_bytes"], alice["uptime_s"]) == (60 * 1024 * 1024, 125.0)
    assert (bob["state"], bob["missing"], bob["enode"]) == ("stopped", ["bob is stopped"], None)


def test_a_lab_whose_start_was_killed_is_said_to_be_so(run: Run, labs: FakeLabs) -> None:
    lab = labs.labs["default"]
    refused = "bob does not answer: failed to connect to all addresses; last error: UNAVAILABLE"
    unfinished = "lab default: its lab up did not finish; unless it is still at work, lab up removes it and starts anew"
    lab.silent, lab.reasons = {"bob"}, {"bob": [refused], "n01": ["n01 is not connected with bob"]}
    result = run("status")
    assert refused in result.stdout
    assert unfinished not in result.stderr
    lab.complete = False
    result = run("status")
    assert result.exit_code == 6
    assert "n01 is not connected with bob" in result.stdout
    assert "bob does not answer" in result.stdout
    assert "UNAVAILABLE" not in result.stdout
    assert unfinished in result.stderr.splitlines()
    result = run("status", "--json")
    assert json.loads(result.stdout)["nodes"][2]["missing"] == [refused]
    assert unfinished in result.stderr.splitlines()


LONG_AGO, FAR_AWAY = "2026-01-01T00:00:00Z", "2999-01-01T00:00:00Z"


def test_a_lab_that_expired_is_said_to_be_so(run: Run, labs: FakeLabs) -> None:
    lab = labs.labs["default"]
    for expires, over in (("", False), (FAR_AWAY, False), (LONG_AGO, True)):
        lab.spec = dataclasses.replace(lab.spec, expires=expires)
        result = run("status")
        assert result.exit_code == 0
        warning = f"warning: lab default expired at {LONG_AGO}; any lab gc removes it"
        assert (warning in result.stderr.splitlines()) is over
        assert "warning" not in result.stdout
        document = json.loads(run("status", "--json").stdout)
        assert (document["expires"], document["expired"]) == (expires or None, over)
        assert (f"{expires} expired" in run("ls").stdout) is over
        [row] = json.loads(run("ls", "--json").stdout)["labs"]
        assert (row["expires"], row["expired"]) == (expires, over)


def test_ls_has_times_in_one_form_and_those_of_labs_from_elsewhere(run: Run, labs: FakeLabs) -> None:
    labs.elsewhere.append(dataclasses.replace(elsewhere("other"), created="2026-02-01T00:00:00Z"))
    here, there = json.loads(run("ls", "--json").stdout)["labs"]
    assert (here["created"], there["created"]) == ("2026-01-01T00:00:00Z", "2026-02-01T00:00:00Z")
    assert "2026-02-01T00:00:00Z" in run("ls").stdout


def test_ls_names_the_machine_of_a_lab_of_another(run: Run, labs: FakeLabs) -> None:
    labs.elsewhere.append(dataclasses.replace(elsewhere("other"), host="big-server-1234abcd"))
    _, there = json.loads(run("ls", "--json").stdout)["labs"]
    assert there["where"] == "big-server:/somewhere/.lab/other"


def test_ls(run: Run, labs: FakeLabs) -> None:
    labs.elsewhere.append(elsewhere("other"))
    result = run("ls")
    assert result.exit_code == 0
    assert [line.split()[:4] for line in result.stdout.splitlines()] == [
        ["lab", "id", "runtime", "running"],
        ["default", "default-aaaaaa", "process", "3/3"],
        ["other", "other-bbbbbb", "docker", "1/1"],
    ]
    assert "/somewhere/.lab/other" in result.stdout


def test_ls_json(run: Run, labs: FakeLabs) -> None:
    labs.elsewhere.append(elsewhere("other"))
    here, there = json.loads(run("ls", "--json").stdout)["labs"]
    assert (here["name"], here["running"], here["nodes"], here["where"]) == ("default", 3, 3, "here")
    assert (there["id"], there["where"]) == ("other-bbbbbb", "/somewhere/.lab/other")


def test_ls_shows_damaged_state(run: Run, labs: FakeLabs) -> None:
    labs.damaged["broken"] = OrchestratorError("state.json is damaged")
    result = run("ls")
    assert result.exit_code == 0
    assert "here, damaged: state.json is damaged" in result.stdout


def test_ls_of_nothing(run: Run, labs: FakeLabs) -> None:
    labs.labs.clear()
    result = run("ls")
    assert (result.exit_code, result.stdout) == (0, "")
    assert "no lab" in result.stderr
    assert json.loads(run("ls", "--json").stdout) == {"labs": []}
