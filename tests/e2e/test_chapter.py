"""`lab chapter`: the examples of the tutorial with every actor in a container of its own."""

from __future__ import annotations

import json
import signal

import pytest

from orchestrator.engine import Engine
from tests.e2e.shell import COMMAND_TIMEOUT_S, Shell, objects_of
from tests.examples.expectations import EXPECTED, check

IN_CONTAINERS = [example for example in EXPECTED if example[0] == "e"] + ["a4_message", "c3_two_apis", "f2_echo"]
RELAYED = {"e2_dark": 1, "e5_handshake": 4, "e6_protocol": 2, "e7_client": 4}
"""Messages that go from end to end over the relay."""


@pytest.mark.parametrize("example", IN_CONTAINERS)
def test_an_example_in_containers(example: str, shell: Shell, docker_engine: Engine) -> None:
    played = shell("chapter", example, "--runtime", "docker", "--json")
    assert played.returncode == 0, played.stderr
    document = json.loads(played.stdout)
    said: dict[str, list[str]] = {}
    for line in document["said"]:
        said.setdefault(line["actor"], []).append(line["text"])
    check(example, said)
    # Messages that passed the relay: the trace shows two hops, none of them from one end to the other.
    for message in document["messages"] if example in RELAYED else ():
        (end,) = {"alice", "bob"} - {message["origin"]}
        hops = {(hop["sender"], hop["receiver"]) for hop in message["hops"]}
        assert {(message["origin"], "relay"), ("relay", end)} <= hops
        assert (message["origin"], end) not in hops
    assert len(document["messages"]) >= RELAYED.get(example, 0)
    assert objects_of(docker_engine, f"chapter-{example.replace('_', '-')}") == []
    assert not (shell.directory / ".lab").exists()


def test_what_a_person_sees(shell: Shell) -> None:
    played = shell("chapter", "e2")
    assert played.returncode == 0, played.stderr
    assert "E2: dark routing." in played.stderr
    said, _, traced = played.stdout.partition("\n\n")
    assert "s  bob    received b'are you there?'" in said
    assert "to everybody (no address)" in traced
    assert "delivered to bob after 2 hops" in traced


def test_without_an_engine_the_actors_are_processes(shell: Shell) -> None:
    shell.environment |= {"DOCKER_HOST": "unix:///nonexistent/docker.sock", "LAB_REQUIRE_DOCKER": ""}
    played = shell("chapter", "e2")
    assert played.returncode == 0, played.stderr
    assert "Playing in local processes instead" in played.stderr
    assert "delivered to bob after 2 hops" in played.stdout


@pytest.mark.parametrize(
    ("moment", "codes"),
    [
        ("E2: dark routing", {130}),  # before there is anything
        ("a container each", {130}),  # while it is being made
        ("I passed something on", {0, 130}),  # while it is being removed, or just after
    ],
)
def test_ctrl_c_leaves_nothing(moment: str, codes: set[int], shell: Shell, docker_engine: Engine) -> None:
    process = shell.start("chapter", "e2", "--runtime", "docker")
    assert process.stdout is not None
    for line in process.stdout:
        if moment in line:
            break
    else:
        pytest.fail(f"never said: {moment}")
    process.send_signal(signal.SIGINT)
    said, _ = process.communicate(timeout=COMMAND_TIMEOUT_S)
    assert process.returncode in codes, said
    assert objects_of(docker_engine, "chapter-e2-dark") == []
    assert not (shell.directory / ".lab").exists()
