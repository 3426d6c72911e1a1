"""Lab files by rule: what is written is read as the same lab."""

from __future__ import annotations

import networkx as nx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from node.ids import OverlayAddress
from node.swarm.address import BzzAddr
from node.swarm.health import check_health
from node.swarm.kademlia import Kademlia
from orchestrator.errors import LabFileError
from orchestrator.generate import KINDS, first_lab_file, lab_file, make_topology
from orchestrator.labfile import load_lab_file
from orchestrator.oracle import peer_pot

kinds = pytest.mark.parametrize("kind", [str(kind) for kind in KINDS])


@kinds
@given(n=st.integers(3, 60), seed=st.integers(0, 1000))
@settings(max_examples=15, deadline=None)
def test_what_is_written_is_read_as_the_same_lab(kind: str, n: int, seed: int) -> None:
    topology = make_topology(kind, n, name="written", seed=seed)
    text = lab_file(topology, name="written", seed=seed, made_by="a test")
    spec = load_lab_file(text, source="written.lab.yml")
    assert (spec.name, spec.seed) == ("written", seed)
    assert spec.node_names == list(topology.names)
    assert spec.links == topology.links
    assert max(map(len, text.splitlines())) <= 120 or n > 20
    graph = nx.Graph([(link.a, link.b) for link in spec.links])
    assert nx.is_connected(graph)
    assert len(graph) == n


@kinds
def test_the_same_arguments_give_the_same_lab(kind: str) -> None:
    assert make_topology(kind, 12, name="a", seed=5) == make_topology(kind, 12, name="a", seed=5)


def test_chance_follows_from_the_seed() -> None:
    shapes = {make_topology("smallworld", 12, name="a", seed=seed).links for seed in range(5)}
    assert len(shapes) == 5


def test_a_small_world_has_as_many_links_as_the_ring_it_comes_from() -> None:
    for k, p in ((2, 0.0), (4, 0.3), (6, 1.0)):
        topology = make_topology("smallworld", 20, name="a", seed=2, k=k, p=p)
        assert len(topology.links) == 20 * k // 2
    assert {"alice", "bob"} <= set(topology.names)


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize("n", [2, 5, 16, 40])
def test_links_of_kademlia_make_healthy_tables(n: int, seed: int) -> None:
    """Judged by the health check of the node, from the links alone."""
    topology = make_topology("kademlia", n, name="healthy", seed=seed)
    spec = load_lab_file(lab_file(topology, name="healthy", seed=seed, made_by="a test"), source="x")
    for node in spec.nodes:
        table: Kademlia[str] = Kademlia(node.overlay)
        for other in sorted(spec.neighbours(node.name)):
            record = BzzAddr(overlay=OverlayAddress(spec.node(other).overlay), underlay=b"x")
            table.register([record], now=0.0)
            table.on(record, other, 0.0)
        health = check_health(table, peer_pot(spec, node.name))
        assert health.connect_nn, node.name
        assert health.saturated, node.name


@pytest.mark.parametrize(
    ("kind", "options", "says"),
    [
        ("smallworld", {"k": 5}, "not an even number"),
        ("smallworld", {"k": 8}, "cannot have a k of 8"),
        ("smallworld", {"p": 1.5}, "not between 0 and 1"),
        ("smallworld", {"degree": 2.0}, "no option 'degree'"),
        ("kademlia", {"k": 4}, "no option 'k'"),
        ("tree", {"k": 4}, "no option 'k'"),
        ("ring", {"branching": 4}, "no option 'branching'"),
        ("kademlia", {"n": 1}, "nobody to talk to"),
        ("kademlia", {"n": 501}, "more than the 500"),
    ],
)
def test_what_makes_no_sense(kind: str, options: dict[str, float], says: str) -> None:
    arguments = {"n": 8, **options}
    with pytest.raises(LabFileError, match=says):
        make_topology(kind, name="x", seed=1, **arguments)  # type: ignore[arg-type]


def test_a_small_world_that_falls_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("orchestrator.generate.ATTEMPTS", 1)
    with pytest.raises(LabFileError, match="falls apart; choose a larger k"):
        make_topology("smallworld", 200, name="x", seed=1, k=2, p=1.0)


def test_the_first_lab_file_has_comments_and_is_read() -> None:
    text = first_lab_file("first")
    spec = load_lab_file(text, source="first.lab.yml")
    assert (spec.name, spec.node_names) == ("first", ["alice", "n01", "n02", "n03", "bob"])
    assert "bob" not in spec.neighbours("alice")
    assert text.count("#") > 10
    with pytest.raises(LabFileError):
        first_lab_file("No Name")


def test_the_topology_in_its_comment_works_as_well() -> None:
    lines = first_lab_file("first").splitlines()
    shape = next(line for line in lines if line.startswith("# topology:")).removeprefix("# ")
    spec = load_lab_file(f"apiVersion: lab/v1\nname: x\n{shape}\n", source="x")
    assert len(spec.nodes) == 8
