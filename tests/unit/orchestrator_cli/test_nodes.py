"""exec, rpc, kademlia, connect, disconnect, node start|stop|kill and logs."""

from __future__ import annotations

import json

import pytest

from node.errors import RPCError
from orchestrator.errors import LabNotReady
from orchestrator.runtime import NodeState
from tests.unit.orchestrator_cli.conftest import Run
from tests.unit.orchestrator_cli.fakes import FakeLabs


def test_exec(run: Run, labs: FakeLabs) -> None:
    result = run("exec", "alice", "--", "ls", "-l", "--json")
    assert (result.exit_code, result.stdout) == (0, "ran on alice\n")
    assert labs.labs["default"].runtime.executed == [("alice", ("ls", "-l", "--json"))]


def test_exec_without_separator(run: Run, labs: FakeLabs) -> None:
    run("exec", "-l", "default", "alice", "ls", "-l")
    assert labs.labs["default"].runtime.executed == [("alice", ("ls", "-l"))]


def test_exec_passes_the_exit_code_on(run: Run, labs: FakeLabs) -> None:
    labs.labs["default"].runtime.exit_code = 42
    result = run("exec", "alice", "--", "false")
    assert (result.exit_code, result.stdout) == (42, "ran on alice\n")


def test_exec_of_what_is_not_there(run: Run, labs: FakeLabs) -> None:
    labs.labs["default"].runtime.raises = FileNotFoundError(2, "No such file or directory")
    result = run("exec", "alice", "--", "nosuch")
    assert (result.exit_code, result.stderr) == (127, "error: nosuch: No such file or directory\n")


@pytest.mark.parametrize("arguments", [["alice"], ["alice", "--"], []])
def test_exec_of_nothing(run: Run, arguments: list[str]) -> None:
    assert run("exec", *arguments).exit_code == 2


def test_rpc(run: Run) -> None:
    result = run("rpc", "alice", "pss_x", "0xab", "1", '{"a": [true]}', "hello", "null")
    assert json.loads(result.stdout) == {"method": "pss_x", "params": ["0xab", 1, {"a": [True]}, "hello", None]}


def test_rpc_with_broken_json(run: Run) -> None:
    result = run("rpc", "alice", "pss_x", '{"a":')
    assert result.exit_code == 2
    assert "is no JSON" in result.stderr


def test_rpc_error(run: Run, labs: FakeLabs) -> None:
    labs.labs["default"].raises = RPCError(-32601, "the method x does not exist")
    result = run("rpc", "alice", "x")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == "error: the method x does not exist (code -32601)\n"


@pytest.mark.parametrize("verb", ["connect", "disconnect"])
def test_links(run: Run, labs: FakeLabs, verb: str) -> None:
    result = run(verb, "alice", "bob")
    assert result.exit_code == 0
    assert labs.labs["default"].calls == [(verb, "alice", "bob"), ("close",)]
    assert "alice and bob are" in result.stderr
    assert run(verb, "alice", "alice").exit_code == 2
    assert "did you mean 'bob'?" in run(verb, "alice", "bop").stderr


def test_a_link_that_does_not_come_up(run: Run, labs: FakeLabs) -> None:
    labs.labs["default"].raises = LabNotReady("connecting alice to bob: refused")
    result = run("connect", "alice", "bob")
    assert (result.exit_code, result.stderr) == (6, "error: connecting alice to bob: refused\n")


@pytest.mark.parametrize("verb", ["start", "stop", "kill"])
def test_node(run: Run, labs: FakeLabs, verb: str) -> None:
    result = run("node", verb, "n01")
    assert result.exit_code == 0
    assert labs.labs["default"].calls == [(verb, "n01"), ("close",)]
    unknown = run("node", verb, "n02")
    assert unknown.exit_code == 2
    assert "hint: did you mean 'n01'?" in unknown.stderr


@pytest.mark.parametrize("command", [["rpc", "bob", "x"], ["kademlia", "bob"], ["exec", "bob", "--", "x"]])
def test_a_stopped_node(run: Run, labs: FakeLabs, command: list[str]) -> None:
    labs.labs["default"].runtime.states["bob"] = NodeState.STOPPED
    result = run(*command)
    assert (result.exit_code, result.stderr) == (6, "error: node bob is stopped\nhint: lab node start bob\n")


# -- logs


@pytest.fixture
def logs(labs: FakeLabs) -> None:
    labs.labs["default"].runtime.lines = {
        "alice": [
            "alice 2026-01-01 10:00:00,100 INFO one",
            "  more of one",
            "alice 2026-01-01 10:00:00,300 INFO three",
        ],
        "bob": ["bob 2026-01-01 10:00:00,200 INFO two"],
    }


@pytest.mark.usefixtures("logs")
def test_logs_are_in_order_of_time(run: Run) -> None:
    assert run("logs").stdout.splitlines() == [
        "alice | 2026-01-01 10:00:00,100 INFO one",
        "alice |   more of one",
        "bob   | 2026-01-01 10:00:00,200 INFO two",
        "alice | 2026-01-01 10:00:00,300 INFO three",
    ]


@pytest.mark.usefixtures("logs")
def test_logs_of_some(run: Run) -> None:
    assert run("logs", "bob").stdout == "bob | 2026-01-01 10:00:00,200 INFO two\n"
    assert run("logs", "al*", "--tail", "1").stdout == "alice | 2026-01-01 10:00:00,300 INFO three\n"
    assert run("logs", "alice", "--tail", "0").stdout == ""


@pytest.mark.usefixtures("logs")
def test_logs_that_are_followed_end_with_the_nodes(run: Run) -> None:
    assert len(run("logs", "-f").stdout.splitlines()) == 4


def test_logs_of_nobody(run: Run) -> None:
    result = run("logs", "alise")
    assert result.exit_code == 2
    assert "did you mean 'alice'?" in result.stderr
