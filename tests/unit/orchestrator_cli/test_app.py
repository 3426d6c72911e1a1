"""The root: help, unknown commands, debugging, bugs, broken pipes, start-up cost."""

from __future__ import annotations

import subprocess
import sys

import click
import pytest

from orchestrator import errors
from orchestrator.cli.app import lab
from orchestrator.cli.arguments import NamedOption
from orchestrator.cli.failures import exit_code_of
from tests.unit.orchestrator_cli.conftest import Run
from tests.unit.orchestrator_cli.fakes import FakeLabs

HEAVY = ("grpc", "docker", "rich", "networkx", "pydantic", "psutil", "coincurve")


def test_help_lists_the_commands_in_order(run: Run) -> None:
    result = run("--help")
    assert result.exit_code == 0
    names = [line.split()[0] for line in result.stdout.partition("Commands:")[2].splitlines() if line.startswith("  ")]
    assert names[:4] == ["up", "down", "status", "ls"]
    assert "Exit codes:" in result.stdout


@pytest.mark.parametrize(
    "command",
    ["up", "down", "status", "ls", "send", "trace", "logs", "kademlia", "rpc", "exec", "connect", "disconnect", "gc"],
)
def test_each_command_has_help(run: Run, command: str) -> None:
    assert run(command, "--help").exit_code == 0


def test_variables_are_called_like_flags() -> None:
    def check(group: click.Group, path: str) -> None:
        for name, command in group.commands.items():
            if isinstance(command, click.Group):
                check(command, f"{path} {name}")
            for option in command.params:
                if isinstance(option, click.Option) and not isinstance(option, NamedOption):
                    flag = max(option.opts, key=len).lstrip("-").replace("-", "_")
                    assert option.name == flag, f"{path} {name} --{flag}"

    check(lab, "lab")


@pytest.mark.parametrize(("value", "is_json"), [("1", True), ("true", True), ("0", False), ("", False)])
def test_a_flag_from_the_environment(run: Run, value: str, is_json: bool) -> None:
    assert run("status", env={"LAB_STATUS_JSON": value}).stdout.startswith("{") is is_json


def test_an_unknown_command_gets_a_suggestion(run: Run) -> None:
    result = run("statsu")
    assert result.exit_code == 2
    assert "status" in result.stderr


def test_nothing_heavy_is_imported_for_help() -> None:
    program = (
        "import sys, orchestrator.cli.app\n"
        "from click.testing import CliRunner\n"
        "assert CliRunner().invoke(orchestrator.cli.app.lab, ['--help']).exit_code == 0\n"
        f"print([name for name in {HEAVY} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_grpc_is_told_to_be_quiet_before_it_is_imported() -> None:
    program = "import os, sys, orchestrator; print(os.environ['GRPC_VERBOSITY'], 'grpc' in sys.modules)"
    environment = {"PATH": ""}
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, env=environment)
    assert done.stdout == "NONE False\n"


def test_a_traceback_only_when_asked_for(run: Run) -> None:
    assert "Traceback" not in run("status", "nosuch").stderr
    for result in (run("--debug", "status", "nosuch"), run("status", "nosuch", env={"LAB_DEBUG": "1"})):
        assert result.exit_code == 5
        assert "Traceback" in result.stderr
        assert "error: no lab 'nosuch' is running" in result.stderr


def test_a_bug_is_called_one(run: Run, labs: FakeLabs) -> None:
    labs.raises = KeyError("x")
    result = run("status")
    assert result.exit_code == 1
    assert result.stderr.startswith("error: KeyError: 'x'\nhint: this should not happen")
    assert "Traceback" not in result.stderr


def test_a_reader_that_went_away_is_no_error(run: Run, labs: FakeLabs) -> None:
    labs.raises = BrokenPipeError()
    result = run("status")
    assert (result.exit_code, result.stderr) == (141, "")


def test_state_dir_comes_from_its_variable() -> None:
    environment = {"LAB_STATE_DIR": "/nonexistent/labs"}
    done = subprocess.run(
        [sys.executable, "-m", "orchestrator", "status"], capture_output=True, text=True, check=False, env=environment
    )
    assert (done.returncode, done.stdout) == (5, "")
    assert done.stderr == "error: no lab 'default' is running\nhint: lab ls; lab up\n"


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        (errors.OrchestratorError, 1),
        (errors.LabFileError, 2),
        (errors.UnknownNode, 2),
        (errors.PreflightError, 4),
        (errors.LabNotFound, 5),
        (errors.LabNotReady, 6),
        (errors.RuntimeUnavailable, 7),
        (errors.ImageError, 7),
        (errors.DeliveryFailed, 124),
    ],
)
def test_exit_codes(run: Run, labs: FakeLabs, kind: type[errors.OrchestratorError], code: int) -> None:
    error = kind("what happened", hint="what to do")
    assert exit_code_of(error) == code
    labs.raises = error
    result = run("status")
    assert (result.exit_code, result.stdout) == (code, "")
    assert result.stderr == "error: what happened\nhint: what to do\n"
