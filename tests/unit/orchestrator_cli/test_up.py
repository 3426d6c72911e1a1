"""`lab up`: what is started, what is told, what happens when it fails or is interrupted."""

from __future__ import annotations

import dataclasses
import json
import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from orchestrator.errors import DeliveryFailed, LabNotReady, OrchestratorError, PreflightError, RuntimeUnavailable
from tests.unit.orchestrator_cli.conftest import Run
from tests.unit.orchestrator_cli.fakes import DIGEST, FakeLab, FakeLabs

LAB_FILE = "apiVersion: lab/v1\nname: mine\nnodes: {alice: {}, n01: {}, bob: {}}\nlinks: [alice-n01, n01-bob]\n"


@pytest.fixture
def labs() -> FakeLabs:
    return FakeLabs()


def test_a_fresh_lab_tells_its_story(run: Run, labs: FakeLabs) -> None:
    result = run("up")
    assert result.exit_code == 0
    assert "lab default is ready: 5 processes, 4 links" in result.stdout
    assert "alice and bob are NOT connected with each other: alice only with n01, bob only with n03." in result.stdout
    hops = [line.split() for line in result.stdout.splitlines() if "->" in line]
    assert [hop[0] for hop in hops] == ["alice", "n01", "n02", "n03"]
    assert hops[3] == ["n03", "->", "bob", "1.0", "ms"]
    assert "through 3 relays" in result.stdout
    assert 'lab send bob alice "hi"' in result.stdout
    assert "lab down" in result.stdout


def test_progress_is_on_stderr_as_plain_lines_without_a_terminal(run: Run) -> None:
    result = run("up")
    assert "networks and gateway\nstarting nodes: 5/5" in result.stderr
    assert "networks and gateway" not in result.stdout


def test_the_first_message_is_asymmetric_and_remembered(run: Run, labs: FakeLabs) -> None:
    run("up")
    sent = [call for call in labs.labs["default"].calls if call[0] == "send"]
    assert [call[1:3] for call in sent] == [("alice", "bob")]
    assert labs.digests == {"default": DIGEST.hex()}
    assert labs.labs["default"].calls[-1] == ("close",)


def test_json_is_one_document(run: Run) -> None:
    document = json.loads(run("up", "--json").stdout)
    assert document["lab"] == "default"
    assert document["adopted"] is False
    assert [node["name"] for node in document["nodes"]] == ["alice", "n01", "n02", "n03", "bob"]
    assert document["message"]["delivered"] is True
    assert document["message"]["digest"] == DIGEST.hex()


def test_a_lab_that_runs_is_taken_as_it_is(run: Run, labs: FakeLabs) -> None:
    run("up")
    result = run("up")
    assert result.exit_code == 0
    assert "lab default runs already, and is ready: 5 processes, 4 links" in result.stdout
    assert "->" not in result.stdout
    assert json.loads(run("up", "--json").stdout)["message"] is None


def test_no_send(run: Run, labs: FakeLabs) -> None:
    assert "->" not in run("up", "--no-send").stdout
    assert not [call for call in labs.labs["default"].calls if call[0] == "send"]


def test_options_reach_the_lab(run: Run, labs: FakeLabs) -> None:
    run("up", "--runtime", "docker", "--port", "4711", "--timeout", "1m30s", "--keep-on-fail", "--seed", "7")
    (call,) = labs.up_calls
    assert (call["runtime"], call["port"], call["keep_on_failure"]) == ("docker", 4711, True)
    assert call["spec"].ready_timeout_s == 90
    assert call["spec"].seed == 7


def test_flags_come_from_the_environment_too(run: Run, labs: FakeLabs) -> None:
    run("up", env={"LAB_UP_RUNTIME": "process", "LAB_UP_NAME": "other", "LAB_UP_NO_SEND": "1"})
    assert (labs.up_calls[0]["runtime"], labs.up_calls[0]["spec"].name) == ("process", "other")
    assert ("close",) in labs.labs["other"].calls


# -- which lab


@pytest.mark.parametrize("arguments", [["line3"], ["--nodes", "3", "--name", "line3"]])
def test_a_stock_lab_and_the_same_by_hand(run: Run, labs: FakeLabs, arguments: list[str]) -> None:
    run("up", *arguments)
    spec = labs.up_calls[0]["spec"]
    assert (spec.name, spec.node_names) == ("line3", ["alice", "n01", "bob"])
    assert [str(link) for link in spec.links] == ["alice-n01", "n01-bob"]


def test_a_generated_lab_is_named_after_its_shape(run: Run, labs: FakeLabs) -> None:
    run("up", "-n", "4", "--topology", "ring")
    assert (labs.up_calls[0]["spec"].name, len(labs.up_calls[0]["spec"].links)) == ("ring4", 4)


def test_the_only_lab_file_here_is_found(run: Run, labs: FakeLabs) -> None:
    Path("x.lab.yml").write_text(LAB_FILE)
    run("up")
    assert labs.up_calls[0]["spec"].name == "mine"


def test_two_lab_files_here_are_an_error(run: Run) -> None:
    Path("x.lab.yml").write_text(LAB_FILE)
    Path("y.lab.yml").write_text(LAB_FILE)
    result = run("up")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "several lab files here: x.lab.yml, y.lab.yml" in result.stderr


def test_a_lab_file_by_half_its_name(run: Run) -> None:
    Path("tab.lab.yml").write_text(LAB_FILE)
    result = run("up", "tab")
    assert result.exit_code == 2
    assert result.stderr == "error: no lab file and no stock lab 'tab'\nhint: did you mean 'tab.lab.yml'?\n"


@pytest.mark.parametrize("arguments", [["-f", "x.yml"], ["x.yml"], ["--file", "-"]])
def test_a_lab_file(run: Run, labs: FakeLabs, arguments: list[str]) -> None:
    Path("x.yml").write_text(LAB_FILE)
    run("up", *arguments, stdin=LAB_FILE.encode())
    assert labs.up_calls[0]["spec"].name == "mine"


def test_another_name_gives_other_keys_and_another_network(run: Run, labs: FakeLabs) -> None:
    run("up", "line3")
    run("up", "line3", "--name", "twin")
    ours, twins = (call["spec"] for call in labs.up_calls)
    assert twins.name == "twin"
    assert twins.network_id != ours.network_id
    assert twins.node("alice").id != ours.node("alice").id


def test_several_labs_make_hints_name_theirs(run: Run, labs: FakeLabs) -> None:
    run("up", "line3")
    result = run("up")
    assert 'lab send --lab default bob alice "hi"' in result.stdout
    assert "lab down default" in result.stdout


def test_who_names_no_lab_is_told_of_others_that_run(run: Run, labs: FakeLabs) -> None:
    Path("my x.yml").write_text(LAB_FILE)
    for arguments in (["line3"], ["line3", "--name", "twin"], ["my x.yml"], ["-n", "4"]):
        assert "runs here too" not in run("up", *arguments).stderr
    labs.add("killed").complete = False
    labs.damaged["broken"] = OrchestratorError("state.json is damaged")
    told = [line for line in run("up").stderr.splitlines() if "runs here too" in line]
    assert told == [
        "lab line3 runs here too; to mend that one: lab up line3",
        "lab twin runs here too; to mend that one: lab up line3 --name twin",
        "lab mine runs here too; to mend that one: lab up 'my x.yml' --name mine",
        "lab line4 runs here too; to mend that one: the lab up that started it, with --name line4",
    ]
    assert "runs here too" not in run("up").stderr  # it runs by now: nothing is started


def test_a_lab_without_alice_sends_nothing(run: Run, labs: FakeLabs) -> None:
    Path("x.lab.yml").write_text(LAB_FILE.replace("alice", "carol"))
    result = run("up")
    assert result.exit_code == 0
    assert 'lab send bob carol "hi"' in result.stdout
    assert not [call for call in labs.labs["mine"].calls if call[0] == "send"]


# -- the plan


def test_dry_run_starts_nothing(run: Run, labs: FakeLabs) -> None:
    result = run("up", "line3", "--dry-run")
    assert result.exit_code == 0
    assert "lab line3: 3 nodes, 2 links, seed 1" in result.stdout
    assert "would start:" in result.stdout
    assert not labs.up_calls


def test_dry_run_knows_what_runs(run: Run) -> None:
    run("up")
    assert "runs already" in run("up", "--dry-run").stdout


def test_dry_run_as_json_has_no_secrets(run: Run) -> None:
    result = run("up", "line3", "--dry-run", "--json")
    document = json.loads(result.stdout)
    assert (document["lab"], document["running"], document["links"]) == (
        "line3",
        False,
        [["alice", "n01"], ["n01", "bob"]],
    )
    assert set(document["nodes"][0]) == {"name", "role", "kind", "id", "overlay", "image"}


# -- what can go wrong


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nosuch"], "no stock lab 'nosuch'"),
        (["lin3"], "hint: did you mean 'line3'?"),
        (["missing.yml"], "missing.yml: no such file"),
        (["--nodes", "1"], "nobody to talk to"),
        (["--nodes", "4", "--topology", "rnig"], "hint: did you mean 'ring'?"),
        (["--topology", "ring"], "--topology needs --nodes"),
        (["line3", "--nodes", "3"], "give one of SOURCE, --file and --nodes"),
        (["--name", "No_Good"], "not DNS-like"),
        (["--timeout", "60"], "the unit is missing, such as 60ms or 60s"),
        (["--port", "70000"], "70000"),
        (["--runtime", "podman"], "podman"),
        (["--bogus"], "no such option '--bogus'"),
    ],
)
def test_usage(run: Run, labs: FakeLabs, arguments: list[str], said: str) -> None:
    result = run("up", *arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    assert said in result.stderr
    assert result.stderr.startswith("error: ")
    assert not labs.up_calls


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (PreflightError("port 1 is in use", hint="choose another"), 4),
        (LabNotReady("n01 is not connected", hint="choose another"), 6),
        (RuntimeUnavailable("no engine", hint="choose another"), 7),
    ],
)
def test_failures(run: Run, labs: FakeLabs, error: Exception, code: int) -> None:
    def fail(lab: FakeLab) -> None:
        raise error

    labs.on_up = fail
    result = run("up")
    assert (result.exit_code, result.stdout) == (code, "")
    assert result.stderr.endswith(f"error: {error}\nhint: choose another\n")


def test_a_first_message_that_does_not_arrive_leaves_the_lab(run: Run, labs: FakeLabs) -> None:
    def fail(lab: FakeLab) -> None:
        lab.raises = DeliveryFailed("bob did not get it", hint="lab trace abc")

    labs.on_up = fail
    result = run("up")
    assert result.exit_code == 124
    assert "lab default runs, but its first message did not arrive" in result.stderr
    assert labs.dumped == ["default"]
    assert "error: bob did not get it\nhint: lab trace abc\n" in result.stderr
    assert [call[0] for call in labs.labs["default"].calls] == ["send", "close"]


# -- interrupts


def _kill_while_starting(number: signal.Signals, times: int = 1) -> Callable[[FakeLab], None]:
    def interrupt(lab: FakeLab) -> None:
        try:
            os.kill(os.getpid(), number)
        finally:
            for _ in range(times - 1):  # while Lab.up cleans up
                os.kill(os.getpid(), number)

    return interrupt


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_a_signal_while_starting(
    run: Run, labs: FakeLabs, capfd: pytest.CaptureFixture[str], number: signal.Signals, code: int
) -> None:
    labs.on_up = _kill_while_starting(number)
    result = run("up")
    assert result.exit_code == code
    assert result.stdout == ""
    assert "nothing is left of lab default" in result.stderr
    assert "interrupted; cleaning up" in capfd.readouterr().err


def test_more_signals_do_not_end_the_clean_up(run: Run, labs: FakeLabs, capfd: pytest.CaptureFixture[str]) -> None:
    labs.on_up = _kill_while_starting(signal.SIGINT, times=3)
    result = run("up")
    assert result.exit_code == 130
    assert capfd.readouterr().err.count("still cleaning up") == 2


def test_a_signal_during_the_first_message_removes_what_was_started(run: Run, labs: FakeLabs) -> None:
    def interrupt(lab: FakeLab) -> None:
        lab._act = lambda *call: os.kill(os.getpid(), signal.SIGINT)  # type: ignore[method-assign]

    labs.on_up = interrupt
    result = run("up")
    assert result.exit_code == 130
    assert ("down",) in labs.labs["default"].calls


def test_keep_on_fail_keeps_it(run: Run, labs: FakeLabs, capfd: pytest.CaptureFixture[str]) -> None:
    labs.on_up = _kill_while_starting(signal.SIGINT)
    result = run("up", "--keep-on-fail")
    assert result.exit_code == 130
    assert "is left as it is" in capfd.readouterr().err
    assert "nothing is left" not in result.stderr


def test_a_lab_that_has_expired_is_taken_with_a_warning(run: Run, labs: FakeLabs) -> None:
    lab = labs.add("line3")
    lab.spec = dataclasses.replace(lab.spec, expires="2020-01-01T00:00:00Z")
    result = run("up", "line3")
    assert result.exit_code == 0
    assert "warning: lab line3 expired at 2020-01-01T00:00:00Z; any lab gc removes it" in result.stderr
