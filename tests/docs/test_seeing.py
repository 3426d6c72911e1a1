"""The page about seeing: its commands exist, and what it shows is what they print."""

from __future__ import annotations

import itertools
import re
import shlex
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from node.control.gen import control_pb2 as pb
from orchestrator import graph, overlay_svg, overlay_view
from orchestrator.cli.app import lab
from orchestrator.ideal import Network, shortest_way, ways_by_rules
from orchestrator.journey import Ideal
from orchestrator.labfile import load_lab_file
from orchestrator.oracle import expected_table
from orchestrator.spec import LabSpec
from tools.docs.pages import fences

PAGE = Path(__file__).parents[2] / "docs" / "seeing.md"
DRAWING = PAGE.parent / "assets" / "overlay.svg"
FENCES = list(fences(PAGE))


def commands() -> list[str]:
    """Every `lab` command of the page, in fences and in the text."""
    found = []
    for fence in FENCES:
        if fence.language == "console":
            found += re.findall(r"^\$ (lab .*)$", fence.content, re.MULTILINE)
        if fence.language == "sh":
            found += [line.partition("#")[0].partition(">")[0].strip() for line in fence.content.splitlines()]
    text = re.sub(r"^```.*?^```", "", PAGE.read_text(), flags=re.MULTILINE | re.DOTALL)
    return found + [
        command for command in re.findall(r"`(lab [^`]*)`", text.replace("\n", " ")) if "..." not in command
    ]


def console(command: str) -> str:
    """What the page says that a command prints."""
    for fence in FENCES:
        parts = re.split(r"^\$ (.*)\n", fence.content, flags=re.MULTILINE)
        for shown, output in zip(parts[1::2], parts[2::2], strict=True) if fence.language == "console" else ():
            if shown == command:
                return output
    raise AssertionError(f"the page does not show {command}")


@pytest.mark.parametrize("command", commands())
def test_commands_exist_and_take_these_arguments(command: str) -> None:
    """Parsed, not run."""
    words = shlex.split(command)[1:]
    group: click.Command = lab
    parent: click.Context | None = None
    while isinstance(group, click.Group):
        parent = click.Context(group, parent=parent, info_name=group.name)
        name = words.pop(0)
        found = group.get_command(parent, name)
        assert found is not None, f"no command {name}"
        group = found
    takes = [parameter for parameter in group.params if isinstance(parameter, click.Argument)]
    if words or not any(argument.required for argument in takes):
        group.make_context(group.name, words, parent=parent)


def test_there_are_commands_to_check() -> None:
    assert len(commands()) > 15
    assert {command.split()[1] for command in commands()} >= {"send", "trace", "events", "overlay", "kademlia", "graph"}


@pytest.fixture(scope="module")
def spec() -> LabSpec:
    return load_lab_file(console("lab generate smallworld -n 8 --seed 36 --name seeing"), source="seeing.lab.yml")


def test_the_lab_file_is_what_is_generated() -> None:
    command = "lab generate smallworld -n 8 --seed 36 --name seeing"
    assert CliRunner().invoke(lab, shlex.split(command)[1:]).stdout == console(command)


@pytest.fixture(scope="module")
def ring(spec: LabSpec) -> list[overlay_view.Place]:
    """The overlay of that lab when it is ready; whom nodes only know is not on the page."""
    tables = {}
    for node in spec.nodes:
        table = expected_table(spec, node.name)
        bins = [pb.Bin(po=po, connected=sorted(peers)) for po, peers in table.bins.items()]
        tables[node.name] = pb.Kademlia(self=node.overlay, depth=table.depth, bins=bins)
    return overlay_view.places(spec, tables)


def test_the_ring_is_that_of_the_lab(ring: list[overlay_view.Place]) -> None:
    assert overlay_view.format_overlay(ring).strip("\n") == console("lab overlay").strip("\n")


def test_the_drawing_is_what_the_lab_draws(ring: list[overlay_view.Place]) -> None:
    assert DRAWING.read_text() == overlay_svg.draw_overlay(ring, "seeing")


def test_the_graph_is_that_of_the_lab_after_what_was_cut(spec: LabSpec) -> None:
    cut = {frozenset(("alice", "n06"))}
    there = [(link.a, link.b) for link in spec.links if "n04" not in (link.a, link.b)]
    live = [pair for pair in there if frozenset(pair) not in cut]
    shown = graph.to_ascii(graph.live_graph(spec, set(spec.node_names) - {"n04"}, live))
    assert console("lab graph") == shown


def test_the_way_of_the_message_is_one_of_that_lab(spec: LabSpec) -> None:
    shown = console('lab send alice bob "hello" --trace')
    network = Network.of({node.name: node.overlay for node in spec.nodes}, [(link.a, link.b) for link in spec.links])
    path = re.search(r"^delivered to bob .*: (alice -> .*)$", shown, re.MULTILINE)
    assert path is not None
    names = path[1].split(" -> ")
    assert all(b in network.peers[a] for a, b in itertools.pairwise(names))
    ideal = Ideal(
        node="bob",
        hops=len(names) - 1,
        shortest=shortest_way(network, "alice", "bob"),
        greedy=ways_by_rules(network, "alice", spec.node("bob").overlay)["bob"],
        by_rules=True,
    )
    assert str(ideal) in shown.splitlines()


def test_fences_are_of_a_known_kind() -> None:
    assert {fence.language for fence in FENCES} == {"console", "sh", "python"}
