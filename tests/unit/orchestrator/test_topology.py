"""Shapes: connected, of the right size, the same for the same seed, alice and bob far apart."""

from __future__ import annotations

import itertools
import re

import networkx as nx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from node.config import DEFAULT_MAX_PEERS as NODE_MAX_PEERS
from node.ids import OverlayAddress
from node.swarm.address import BzzAddr
from node.swarm.health import check_health
from node.swarm.kademlia import Kademlia
from orchestrator.errors import LabFileError
from orchestrator.ideal import Network, next_hops
from orchestrator.oracle import peer_pot
from orchestrator.topology import (
    DEFAULT_MAX_PEERS,
    MAX_NODES,
    Kind,
    Topology,
    farthest_pair,
    generate,
    make_spec,
    max_peers_for,
)


def graph_of(topology: Topology) -> nx.Graph[str]:
    graph: nx.Graph[str] = nx.Graph()
    graph.add_nodes_from(topology.names)
    graph.add_edges_from((link.a, link.b) for link in topology.links)
    return graph


@settings(deadline=None)
@given(st.sampled_from(list(Kind)), st.integers(3, 40), st.integers(0, 1000))
def test_every_shape_is_connected_and_alice_is_far_from_bob(kind: Kind, n: int, seed: int) -> None:
    topology = generate(kind, n, name="x", seed=seed)
    graph = graph_of(topology)
    assert len(topology.names) == len(set(topology.names)) == len(graph) == n
    assert len({frozenset((link.a, link.b)) for link in topology.links}) == len(topology.links)
    assert all(link.a != link.b for link in topology.links)
    assert nx.is_connected(graph)
    if kind is not Kind.KADEMLIA:  # whose links follow from addresses
        assert nx.shortest_path_length(graph, "alice", "bob") == nx.diameter(graph)
    assert topology == generate(kind, n, name="x", seed=seed)


@pytest.mark.parametrize(
    ("kind", "n", "links", "apart"),
    [
        ("line", 5, 4, 4),
        ("ring", 8, 8, 4),
        ("ring", 7, 7, 3),
        ("star", 6, 5, 2),
        ("full", 5, 10, 1),
        ("tree", 7, 6, 4),
        ("random", 10, 15, None),
    ],
)
def test_counts(kind: str, n: int, links: int, apart: int | None) -> None:
    topology = generate(kind, n, name="x", seed=1)
    assert len(topology.links) == links
    if apart is not None:
        assert nx.shortest_path_length(graph_of(topology), "alice", "bob") == apart


def test_names_along_a_line() -> None:
    topology = generate("line", 5, name="x", seed=1)
    assert topology.names == ("alice", "n01", "n02", "n03", "bob")
    assert [str(link) for link in topology.links] == ["alice-n01", "n01-n02", "n02-n03", "n03-bob"]


def test_two_nodes() -> None:
    for kind in ("line", "full", "tree", "random"):
        assert [str(link) for link in generate(kind, 2, name="x", seed=1).links] == ["alice-bob"]


def test_numbers_are_as_wide_as_the_largest() -> None:
    names = generate("line", 102, name="x", seed=1).names
    assert (names[1], names[-2]) == ("n001", "n100")


def test_a_tree_of_another_branching() -> None:
    degrees = dict(graph_of(generate("tree", 13, name="x", seed=1, branching=3)).degree)
    assert sorted(degrees.values()) == [1] * 9 + [3] + [4] * 3


@settings(deadline=None)
@given(st.integers(2, 40), st.data())
def test_random_has_the_degree_asked_for(n: int, data: st.DataObject) -> None:
    links = data.draw(st.integers(n - 1, n * (n - 1) // 2))
    topology = generate("random", n, name="x", seed=3, degree=2 * links / n)
    assert len(topology.links) == links
    assert nx.is_connected(graph_of(topology))
    assert len(generate("random", n, name="x", seed=3, p=links / (n * (n - 1) / 2)).links) == links


def test_random_follows_the_seed() -> None:
    assert generate("random", 12, name="x", seed=1) != generate("random", 12, name="x", seed=2)


@settings(deadline=None)
@given(st.integers(2, 25), st.integers(0, 10_000))
def test_farthest_pair_against_networkx(n: int, seed: int) -> None:
    graph = nx.connected_watts_strogatz_graph(n, min(4, n), 0.3, seed=seed) if n > 4 else nx.path_graph(n)
    a, b = farthest_pair(graph)
    assert nx.shortest_path_length(graph, a, b) == nx.diameter(graph)


@pytest.mark.parametrize(
    ("kind", "n", "options", "why"),
    [
        ("line", 1, {}, "a topology of 1 node has nobody to talk to"),
        ("full", 1, {}, "a topology of 1 node"),
        ("line", 0, {}, "a topology of 0 nodes"),
        ("line", -5, {}, "a topology of -5 nodes"),
        ("ring", 2, {}, "a ring of 2 nodes is a line; expected at least 3"),
        ("star", 2, {}, "a star of 2 nodes"),
        ("line", MAX_NODES + 1, {}, "501 nodes are more than the 500 of one lab"),
        ("lien", 3, {}, "no topology kind 'lien'"),
        ("smallworld", 2, {}, "a smallworld of 2 nodes is a line"),
        ("smallworld", 8, {"k": 5}, "not an even number"),
        ("smallworld", 8, {"k": 8}, "cannot have a k of 8"),
        ("smallworld", 8, {"p": 1.5}, "not between 0 and 1"),
        ("smallworld", 8, {"degree": 2.0}, "no option 'degree'"),
        ("kademlia", 8, {"k": 0}, "no links out of its neighbourhoods"),
        ("tree", 8, {"k": 4}, "no option 'k'"),
        ("kademlia", 1, {}, "nobody to talk to"),
        ("kademlia", 501, {}, "more than the 500"),
        ("ring", 3, {"branching": 2}, "'ring' has no option 'branching'"),
        ("tree", 3, {"p": 0.5}, "'tree' has no option 'p'"),
        ("tree", 3, {"branching": 0}, "does not grow"),
        ("random", 9, {"degree": 3.0, "p": 0.5}, "degree and p"),
        ("random", 10, {"degree": 1.0}, "degree of 1 is too little to connect 10 nodes; expected at least 1.8"),
        ("random", 10, {"degree": 9.5}, "more than 10 nodes have others"),
        ("random", 10, {"p": 0.1}, "p of 0.1 is too little"),
        ("random", 10, {"p": 1.5}, "p of 1.5 is more"),
        ("random", 10, {"p": -1.0}, "too little"),
    ],
)
def test_refused(kind: str, n: int, options: dict[str, float], why: str) -> None:
    with pytest.raises(LabFileError, match=re.escape(why)):
        generate(kind, n, name="x", seed=1, **options)  # type: ignore[arg-type]


def test_a_kind_is_suggested() -> None:
    with pytest.raises(LabFileError) as caught:
        generate("lien", 3, name="x", seed=1)
    assert caught.value.hint == "did you mean 'line'?"


@pytest.mark.parametrize("kind", list(Kind))
def test_the_largest(kind: Kind) -> None:
    assert len(generate(kind, MAX_NODES, name="x", seed=1).names) == MAX_NODES


def test_chance_follows_from_the_seed() -> None:
    shapes = {generate("smallworld", 12, name="x", seed=seed).links for seed in range(5)}
    assert len(shapes) == 5


def test_a_small_world_has_as_many_links_as_the_ring_it_comes_from() -> None:
    for k, p in ((2, 0.0), (4, 0.3), (6, 1.0)):
        assert len(generate("smallworld", 20, name="x", seed=2, k=k, p=p).links) == 20 * k // 2


def test_a_small_world_that_falls_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("orchestrator.topology.ATTEMPTS", 1)
    with pytest.raises(LabFileError, match="falls apart; choose a larger k"):
        generate("smallworld", 200, name="x", seed=1, k=2, p=1.0)


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize("n", [2, 5, 16, 40])
def test_links_of_kademlia_make_healthy_tables(n: int, seed: int) -> None:
    """Judged by the health check of the node, from the links alone."""
    spec = make_spec("healthy", kind="kademlia", n=n, seed=seed)
    for node in spec.nodes:
        table: Kademlia[str] = Kademlia(node.overlay)
        for other in sorted(spec.neighbours(node.name)):
            record = BzzAddr(overlay=OverlayAddress(spec.node(other).overlay), underlay=b"x")
            table.register([record], now=0.0)
            table.on(record, other, 0.0)
        health = check_health(table, peer_pot(spec, node.name))
        assert health.connect_nn, node.name
        assert health.saturated, node.name


@pytest.mark.parametrize("seed", range(1, 6))
def test_with_few_links_in_each_bin_no_message_strands(seed: int) -> None:
    """By the rules of pss: there is always a peer nearer to the receiver."""
    spec = make_spec("few", kind="kademlia", n=30, seed=seed, k=1)
    assert len(spec.links) < len(make_spec("few", kind="kademlia", n=30, seed=seed).links)
    network = Network.of({node.name: node.overlay for node in spec.nodes}, [(link.a, link.b) for link in spec.links])
    for sender, receiver in itertools.permutations(spec.node_names, 2):
        assert next_hops(network, sender, bytes(spec.node(receiver).overlay)), (sender, receiver)


def test_make_spec() -> None:
    spec = make_spec("abc", kind="ring", n=4, seed=9, auto_connect=True)
    assert (spec.name, spec.seed, spec.auto_connect, len(spec.nodes), len(spec.links)) == ("abc", 9, True, 4, 4)
    with pytest.raises(LabFileError, match="DNS"):
        make_spec("A", kind="ring", n=4, seed=9)


def test_peers_that_a_node_has_room_for() -> None:
    assert DEFAULT_MAX_PEERS == NODE_MAX_PEERS
    assert [max_peers_for(degree) for degree in (1, 25, 26, 499)] == [50, 50, 52, 998]
