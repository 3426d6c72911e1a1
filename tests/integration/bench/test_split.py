"""The parts of bench.split that need no containers; tests/e2e/test_split.py has the rest."""

from __future__ import annotations

import dataclasses
import json

import networkx as nx
import pytest

from bench.split import MAX_NODES, Report, Round, crossing_pairs, ordered_pairs, parse, split_spec, stranded, table
from orchestrator.spec import Link


@pytest.mark.parametrize(("nodes", "seed"), [(4, 1), (6, 2), (16, 1), (16, 7), (MAX_NODES, 3)])
def test_each_half_is_connected_by_its_own_links_and_with_the_other_one(nodes: int, seed: int) -> None:
    spec, left, right = split_spec("halves", nodes, seed=seed)
    assert [*left, *right] == spec.node_names
    assert len(left) == len(right) == nodes // 2
    addresses = {node.name: node.overlay for node in spec.nodes}
    assert [stranded(addresses, group, spec.links) for group in (left, right, spec.node_names)] == [[], [], []]
    links = [(link.a, link.b) for link in spec.links]
    graph = nx.Graph(links)
    assert graph.number_of_edges() == len(links)  # none twice
    assert nx.is_connected(graph.subgraph(left))
    assert nx.is_connected(graph.subgraph(right))
    assert nx.is_connected(graph)
    assert split_spec("halves", nodes, seed=seed)[0].links == spec.links
    assert split_spec("halves", nodes, seed=seed + 1)[0].network_id != spec.network_id


def test_a_message_strands_where_nobody_nearer_is_known() -> None:
    spec, left, _ = split_spec("halves", 6, seed=1)
    addresses = {node.name: node.overlay for node in spec.nodes}
    a, b, c = left
    assert stranded(addresses, left, [Link(a, b), Link(b, c), Link(a, c)]) == []
    assert (a, c) in stranded(addresses, left, [Link(a, b)])
    assert (c, a) in stranded(addresses, left, [Link(a, b)])


def test_every_ordered_pair_is_inside_or_across() -> None:
    left, right = ["a", "b", "c"], ["d", "e", "f"]
    inside, across = ordered_pairs(left, right), crossing_pairs(left, right)
    assert (len(inside), len(across)) == (12, 18)
    assert ("a", "b") in inside
    assert ("b", "a") in inside
    assert ("d", "a") in across
    assert {*inside, *across} == set(ordered_pairs([*left, *right]))


INSIDE = Round(what="apart, inside", sent=4, arrived=4, twice=0, astray=0, seconds=0.1, wanted=4)
ACROSS = Round(what="apart, across", sent=8, arrived=0, twice=0, astray=0, seconds=0.5, wanted=0)


def report(*rounds: Round, applied: bool = True, left: tuple[str, ...] = ()) -> Report:
    return Report(
        nodes=4, links=4, cut_links=2, seed=1, mode="asym", applied=applied, rounds=list(rounds), left=list(left)
    )


def test_what_is_right() -> None:
    good = report(INSIDE, ACROSS)
    assert good.right
    assert "FAILED" not in table(good)
    assert "left behind: nothing" in table(good)
    assert json.loads(json.dumps(good.to_json()))["rounds"][1]["arrived"] == 0


@pytest.mark.parametrize(
    "bad",
    [
        report(dataclasses.replace(INSIDE, arrived=3), ACROSS),
        report(INSIDE, dataclasses.replace(ACROSS, arrived=1)),
        report(dataclasses.replace(INSIDE, twice=1), ACROSS),
        report(dataclasses.replace(INSIDE, astray=1), ACROSS),
        report(INSIDE, ACROSS, applied=False),
    ],
)
def test_what_is_not_right(bad: Report) -> None:
    assert not bad.right
    assert not bad.to_json()["right"]
    assert "FAILED" in table(bad)


def test_what_is_left_behind_is_not_right() -> None:
    assert not report(INSIDE, ACROSS, left=("network x",)).right
    assert "left behind: network x" in table(report(INSIDE, left=("network x",)))


@pytest.mark.parametrize("arguments", [["--nodes", "7"], ["--nodes", "2"], ["--nodes", "26"], ["--mode", "loud"]])
def test_arguments_that_make_no_sense(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        parse(arguments)
    assert ended.value.code == 2
    assert arguments[0] in capsys.readouterr().err
