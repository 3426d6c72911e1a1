"""A lab as a graph, in every format."""

from __future__ import annotations

import itertools
import math
import re
from xml.etree import ElementTree

import networkx as nx
import pytest

from orchestrator import graph_svg
from orchestrator.graph import (
    EdgeState,
    LabGraph,
    Vertex,
    live_graph,
    planned_graph,
    to_ascii,
    to_dot,
    to_json,
    to_mermaid,
)
from orchestrator.labfile import load_lab_file
from orchestrator.runtime import NodeState
from orchestrator.topology import make_spec

SPEC = load_lab_file(
    """\
apiVersion: lab/v1
name: shown
nodes: {alice: {role: 'an "edge"'}, n01: {role: relay}, end: {}, bob: {}}
links: [alice-n01, n01-bob, bob-end]
""",
    source="shown.lab.yml",
)
LIVE = live_graph(SPEC, ["alice", "n01", "bob"], [("n01", "alice"), ("bob", "alice"), ("bob", "n01")])


def test_a_plan() -> None:
    graph = planned_graph(SPEC)
    assert not graph.live
    assert {edge.state for edge in graph.edges} == {EdgeState.PLANNED}
    assert to_ascii(graph).splitlines() == [
        "alice -- n01",
        "n01   -- alice, bob",
        "end   -- bob",
        "bob   -- end, n01",
        "lab shown: 4 nodes, 3 links",
    ]


def test_real_connections_against_wanted_links() -> None:
    assert [(edge.a, edge.b, edge.state.value) for edge in LIVE.edges] == [
        ("alice", "n01", "up"),
        ("n01", "bob", "up"),
        ("bob", "end", "missing"),
        ("alice", "bob", "extra"),
    ]
    assert to_ascii(LIVE).splitlines() == [
        "alice -- bob (extra), n01",
        "n01   -- alice, bob",
        "end   -- bob (missing)  (stopped)",
        "bob   -- alice (extra), end (missing), n01",
        "lab shown: 3 of 4 nodes run, 2 of 3 links up, 1 more connection",
    ]


def test_a_node_that_is_paused_is_called_that_in_every_format() -> None:
    states = {"end": NodeState.PAUSED, "bob": NodeState.PAUSED}  # who runs, runs, whatever was the case before
    graph = live_graph(SPEC, ["alice", "n01", "bob"], [], states=states)
    assert [node.running for node in graph.nodes] == [True, True, False, True]
    assert [line for line in to_ascii(graph).splitlines() if "(paused)" in line] == ["end   -- bob (missing)  (paused)"]
    assert to_json(graph)["nodes"][2]["state"] == "paused"
    assert r'label="end\npaused"' in to_dot(graph)
    assert '["end<br/>paused"]' in to_mermaid(graph)
    assert "end paused" in graph_svg.to_svg(graph)


def test_nobody_is_linked() -> None:
    assert "alice -- nobody\n" in to_ascii(LabGraph(name="x", nodes=(Vertex(name="alice"),), edges=()))


def test_dot_has_every_node_and_edge() -> None:
    text = to_dot(LIVE)
    assert re.findall(r'^  "(\w+)" \[label', text, re.MULTILINE) == ["alice", "n01", "end", "bob"]
    assert re.findall(r'^  "(\w+)" -- "(\w+)"', text, re.MULTILINE) == [(edge.a, edge.b) for edge in LIVE.edges]
    assert r'label="alice\nan \"edge\""' in text
    assert text.count("{") == text.count("}") == 1
    assert "missing" in text
    assert "missing" not in to_dot(planned_graph(SPEC))


def test_mermaid_has_every_node_and_edge_and_no_words_of_its_own_as_names() -> None:
    lines = to_mermaid(LIVE).splitlines()
    assert lines[0] == "graph LR"
    nodes = dict(re.findall(r'^  (v\d)\["(.+?)"\]$', "\n".join(lines), re.MULTILINE))
    assert [label.split("<br/>")[0] for label in nodes.values()] == ["alice", "n01", "end", "bob"]
    assert nodes["v0"] == "alice<br/>an #34;edge#34;"
    edges = re.findall(r"^  (v\d) (---|-\. missing \.-|== extra ===) (v\d)$", "\n".join(lines), re.MULTILINE)
    assert [(nodes[a].split("<")[0], nodes[b].split("<")[0]) for a, _, b in edges] == [(e.a, e.b) for e in LIVE.edges]
    assert lines[-1] == "  class v2 down"


def test_json() -> None:
    document = to_json(LIVE)
    assert document["lab"] == "shown"
    assert document["nodes"][2] == {"name": "end", "role": "", "kind": "pss-node", "running": False, "state": "stopped"}
    assert document["edges"][2] == {"a": "bob", "b": "end", "state": "missing"}
    assert to_json(planned_graph(SPEC))["nodes"][0]["running"] is None
    assert to_json(planned_graph(SPEC))["nodes"][0]["state"] is None


@pytest.mark.parametrize(("kind", "n"), [("line", 2), ("ring", 8), ("tree", 15), ("random", 16), ("full", 12)])
def test_drawings_have_all_nodes_apart_from_each_other(kind: str, n: int) -> None:
    spec = make_spec("drawn", kind=kind, n=n, seed=3)
    root = ElementTree.fromstring(graph_svg.to_svg(planned_graph(spec)))
    space = "{http://www.w3.org/2000/svg}"
    circles = [(float(c.attrib["cx"]), float(c.attrib["cy"])) for c in root.iter(f"{space}circle")]
    assert len(circles) == n
    assert len(list(root.iter(f"{space}line"))) == len(spec.links)
    gaps = [math.dist(a, b) for a, b in itertools.combinations(circles, 2)]
    assert min(gaps) > 3 * graph_svg.NODE_PX
    assert {text.text for text in root.iter(f"{space}text")} >= set(spec.node_names)


def test_a_drawing_is_the_same_each_time_and_says_what_is_missing() -> None:
    drawn = graph_svg.to_svg(LIVE)
    assert drawn == graph_svg.to_svg(LIVE)
    assert drawn.count('class="lost"') == 2  # the edge, and its legend
    assert "prefers-color-scheme:dark" in drawn
    assert "http" not in drawn.replace("http://www.w3.org/2000/svg", "")


def test_many_nodes_are_drawn_at_once() -> None:
    spec = make_spec("many", kind="tree", n=graph_svg.MAX_FORCE_NODES + 40, seed=1)
    root = ElementTree.fromstring(graph_svg.to_svg(planned_graph(spec)))
    assert len(list(root.iter("{http://www.w3.org/2000/svg}circle"))) == len(spec.nodes)


def test_generated_graphs_are_what_networkx_says() -> None:
    spec = make_spec("ring", kind="ring", n=9, seed=1)
    graph = nx.Graph([(edge.a, edge.b) for edge in planned_graph(spec).edges])
    assert nx.is_connected(graph)
    assert {degree for _, degree in graph.degree} == {2}
