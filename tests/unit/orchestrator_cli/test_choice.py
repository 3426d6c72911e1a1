"""Which lab a command is about when it is not named."""

from __future__ import annotations

import pytest

from tests.unit.orchestrator_cli.conftest import Run
from tests.unit.orchestrator_cli.fakes import FakeLabs

COMMANDS = (
    ["status"],
    ["send", "alice", "bob", "hi"],
    ["logs"],
    ["kademlia", "alice"],
    ["rpc", "alice", "admin_peers"],
    ["exec", "alice", "--", "true"],
    ["connect", "alice", "bob"],
    ["disconnect", "alice", "bob"],
    ["node", "stop", "alice"],
)


@pytest.mark.parametrize("command", COMMANDS)
def test_no_lab(run: Run, labs: FakeLabs, command: list[str]) -> None:
    labs.labs.clear()
    result = run(*command)
    assert result.exit_code == 5
    assert result.stderr == "error: no lab 'default' is running\nhint: lab ls; lab up\n"


@pytest.mark.parametrize("command", COMMANDS)
def test_the_only_lab_is_meant(run: Run, labs: FakeLabs, command: list[str]) -> None:
    labs.labs.clear()
    labs.add("only")
    assert run(*command).exit_code == 0
    assert labs.labs["only"].calls[-1] == ("close",)


@pytest.mark.parametrize("command", [*COMMANDS, ["down"], ["trace"]])
def test_several_labs_have_to_be_told_apart(run: Run, labs: FakeLabs, command: list[str]) -> None:
    labs.add("other")
    result = run(*command)
    assert result.exit_code == 2
    assert "error: several labs run: default, other\nhint: choose one with" in result.stderr
    assert not labs.removed


def test_by_name(run: Run, labs: FakeLabs) -> None:
    labs.add("other")
    assert run("status", "other").exit_code == 0
    assert run("connect", "--lab", "other", "alice", "bob").exit_code == 0
    assert run("connect", "alice", "bob", "-l", "other").exit_code == 0
    assert run("connect", "alice", "bob", env={"LAB_CONNECT_LAB": "other"}).exit_code == 0
    assert labs.labs["other"].calls.count(("connect", "alice", "bob")) == 3
    assert not labs.labs["default"].calls


@pytest.mark.parametrize("name", ["../..", "/etc", "a/b", "UPPER", "x" * 31])
def test_a_name_cannot_be_a_path(run: Run, labs: FakeLabs, name: str) -> None:
    for command in (["down", name], ["status", name], ["trace", "--lab", name]):
        result = run(*command)
        assert result.exit_code == 2
        assert result.stderr.startswith("error: lab name")
    assert not labs.removed
