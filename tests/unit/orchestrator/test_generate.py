"""Lab files by rule: what is written is read as the same lab."""

from __future__ import annotations

import networkx as nx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.errors import LabFileError
from orchestrator.generate import first_lab_file, lab_file
from orchestrator.labfile import load_lab_file
from orchestrator.topology import Kind, generate


@pytest.mark.parametrize("kind", list(Kind))
@given(n=st.integers(3, 60), seed=st.integers(0, 1000))
@settings(max_examples=15, deadline=None)
def test_what_is_written_is_read_as_the_same_lab(kind: str, n: int, seed: int) -> None:
    topology = generate(kind, n, name="written", seed=seed)
    text = lab_file(topology, name="written", seed=seed, made_by="a test")
    spec = load_lab_file(text, source="written.lab.yml")
    assert (spec.name, spec.seed) == ("written", seed)
    assert spec.node_names == list(topology.names)
    assert spec.links == topology.links
    assert max(map(len, text.splitlines())) <= 120 or n > 20
    graph = nx.Graph([(link.a, link.b) for link in spec.links])
    assert nx.is_connected(graph)
    assert len(graph) == n


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
