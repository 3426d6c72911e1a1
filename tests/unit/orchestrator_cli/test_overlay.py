"""`lab overlay`, `lab kademlia` and `lab graph`."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest

from orchestrator.runtime import NodeState
from tests.unit.orchestrator_cli.conftest import Run
from tests.unit.orchestrator_cli.fakes import FakeLabs


def test_overlay(run: Run, labs: FakeLabs) -> None:
    result = run("overlay")
    assert result.exit_code == 0
    for node in labs.labs["default"].spec.nodes:
        assert f"{node.name} {node.overlay.hex()[:4]}" in result.stdout
    assert all(len(line) <= 80 for line in result.stdout.splitlines())


def test_overlay_of_one_node(run: Run) -> None:
    result = run("overlay", "n01")
    assert "@ n01   o connected" in result.stdout
    assert "n01  overlay " in result.stdout
    assert "did you mean 'n01'?" in run("overlay", "n02").stderr


def test_overlay_json(run: Run, labs: FakeLabs) -> None:
    document = json.loads(run("overlay", "--json").stdout)
    assert document["node"] is None
    addresses = [row["overlay"] for row in document["nodes"]]
    assert addresses == sorted(addresses)
    of_one = json.loads(run("overlay", "alice", "--json").stdout)
    assert {row["name"]: row["standing"] for row in of_one["nodes"]} == {
        "alice": "self",
        "n01": "connected" if _po(labs, "alice", "n01") == 1 else "unknown",
        "bob": "unknown",
    }


def _po(labs: FakeLabs, a: str, b: str) -> int:
    one, other = (int.from_bytes(labs.labs["default"].spec.node(name).overlay, "big") for name in (a, b))
    return 256 - (one ^ other).bit_length()


@pytest.mark.parametrize("node", [[], ["bob"]])
def test_overlay_svg(run: Run, node: list[str]) -> None:
    result = run("overlay", *node, "--svg", "ring.svg")
    assert (result.exit_code, result.stdout, result.stderr) == (0, "", "wrote ring.svg\n")
    root = ElementTree.parse("ring.svg").getroot()
    assert "alice" in "".join(root.itertext())


def test_overlay_svg_that_cannot_be_written(run: Run) -> None:
    result = run("overlay", "--svg", "none/ring.svg")
    assert (result.exit_code, result.stderr) == (1, "error: none/ring.svg: No such file or directory\n")
    assert run("overlay", "--svg", "x.svg", "--json").exit_code == 2
    assert not Path("x.svg").exists()


def test_kademlia(run: Run) -> None:
    lines = run("kademlia", "n01").stdout.splitlines()
    assert lines[0].startswith("n01  overlay ")
    assert lines[0].endswith("depth 1")
    assert lines[1].split() == ["po", "prefix", "connected", "known", "only", "not", "known"]
    row = next(line for line in lines[2:] if line.split()[0] == "1")
    assert "alice, bob" in row
    assert "abab…" in row


def test_kademlia_json(run: Run) -> None:
    document = json.loads(run("kademlia", "n01", "--json").stdout)
    assert (document["node"], document["depth"]) == ("n01", 1)
    assert document["bins"] == [{"po": 1, "connected": ["alice", "bob"], "known": ["ab" * 32]}]
    assert document["lab"] == "default"
    ring = json.loads(run("overlay", "--json").stdout)
    assert ring["lab"] == "default"
    row = next(row for row in ring["nodes"] if row["name"] == "n01")
    assert row["bins"] == document["bins"]


# -- graph


def test_graph_of_the_running_lab(run: Run, labs: FakeLabs) -> None:
    assert run("graph").stdout.splitlines() == [
        "alice -- n01",
        "n01   -- alice, bob",
        "bob   -- n01",
        "lab default: 3 of 3 nodes run, 2 of 2 links up",
    ]
    labs.labs["default"].runtime.states["alice"] = NodeState.STOPPED
    lines = run("graph").stdout.splitlines()
    assert lines[0] == "alice -- n01  (stopped)"  # n01 still has it, and says so
    assert lines[-1] == "lab default: 2 of 3 nodes run, 2 of 2 links up"


@pytest.mark.parametrize("state", [NodeState.PAUSED, NodeState.STOPPED, NodeState.MISSING])
def test_graph_calls_a_node_what_status_calls_it(run: Run, labs: FakeLabs, state: NodeState) -> None:
    states = labs.labs["default"].runtime.states
    if state is NodeState.MISSING:
        del states["alice"]
    else:
        states["alice"] = state
    assert run("graph").stdout.splitlines()[0] == f"alice -- n01  ({state})"
    nodes = json.loads(run("graph", "--json").stdout)["nodes"]
    assert [(node["running"], node["state"]) for node in nodes] == [
        (False, str(state)),
        (True, "running"),
        (True, "running"),
    ]


def test_graph_of_a_source_that_is_the_name_of_a_running_lab(run: Run, labs: FakeLabs) -> None:
    labs.add("mine")
    result = run("graph", "mine")
    assert result.exit_code == 2
    assert result.stderr == (
        "error: no lab file and no stock lab 'mine'\nhint: lab graph --lab mine is about the lab of that name\n"
    )
    assert "hint: stock labs: " in run("graph", "theirs").stderr


def test_graph_of_a_source(run: Run) -> None:
    assert "lab ring8: 8 nodes, 8 links" in run("graph", "ring8").stdout
    Path("x.lab.yml").write_text("apiVersion: lab/v1\nname: x\ntopology: {kind: star, n: 4}\n")
    assert "lab x: 4 nodes, 3 links" in run("graph", "x.lab.yml").stdout
    assert run("graph", "none.lab.yml").exit_code == 2
    assert run("graph", "ring8", "--lab", "default").exit_code == 2


def test_graph_without_a_lab_is_that_of_the_file_here(run: Run, labs: FakeLabs) -> None:
    labs.labs.clear()
    Path("x.lab.yml").write_text("apiVersion: lab/v1\nname: x\ntopology: {kind: star, n: 4}\n")
    assert "lab x: 4 nodes, 3 links" in run("graph").stdout


def test_graph_formats(run: Run) -> None:
    assert run("graph", "--format", "dot").stdout.startswith('graph "default" {')
    assert run("graph", "--format", "mermaid").stdout.startswith("graph LR\n")
    assert "alice" in "".join(ElementTree.fromstring(run("graph", "--format", "svg").stdout).itertext())
    document = json.loads(run("graph", "--format", "json").stdout)
    assert document == json.loads(run("graph", "--json").stdout)
    assert document["edges"][0] == {"a": "alice", "b": "n01", "state": "up"}
    assert run("graph", "--format", "png").exit_code == 2
