"""Names, ranges, selectors, suggestions."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.errors import LabFileError, UnknownNode
from orchestrator.identity import make_node
from orchestrator.names import (
    MAX_NAME_CHARS,
    MAX_RANGE_NAMES,
    check_lab_name,
    check_node_name,
    did_you_mean,
    expand_range,
    lab_id,
    select_nodes,
)

NODES = [make_node(1, "x", name, role=role) for name, role in (("alice", ""), ("n01", "relay"), ("n02", "relay"))]


@pytest.mark.parametrize("name", ["a", "line3", "0", "a-b", "no", "x" * MAX_NAME_CHARS])
def test_good_names(name: str) -> None:
    assert check_lab_name(name) == check_node_name(name) == name


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("", "empty"),
        ("x" * (MAX_NAME_CHARS + 1), "31 characters, more than 30"),
        ("Alice", "lower-case"),
        ("-a", "not DNS-like"),
        ("a-", "not DNS-like"),
        ("a_b", "not DNS-like"),
        ("a.b", "not DNS-like"),
        ("a\n", "not DNS-like"),
        ("ä", "not DNS-like"),
    ],
)
def test_bad_names(name: str, why: str) -> None:
    with pytest.raises(LabFileError, match=f"^lab name.*{why}"):
        check_lab_name(name)
    with pytest.raises(LabFileError, match=f"^node name.*{why}"):
        check_node_name(name)


def test_a_bad_name_comes_with_one_that_would_do() -> None:
    with pytest.raises(LabFileError) as caught:
        check_lab_name("My Lab_2")
    assert caught.value.hint == "'my-lab-2' would do"


@pytest.mark.parametrize(("name", "why"), [("localhost", "means itself"), ("gateway", "the name of the lab's gateway")])
def test_names_that_no_node_can_have(name: str, why: str) -> None:
    with pytest.raises(LabFileError, match=f"node name '{name}' is reserved: .*{why}"):
        check_node_name(name)
    assert check_lab_name(name) == name


def test_lab_id_tells_checkouts_apart() -> None:
    one, two = lab_id("line3", "/home/a/.lab:ann"), lab_id("line3", "/home/b/.lab:ann")
    assert one != two
    assert one == lab_id("line3", "/home/a/.lab:ann")
    assert re.fullmatch(r"line3-[0-9a-f]{6}", one)


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("alice", ["alice"]),
        ("n00..n03", ["n00", "n01", "n02", "n03"]),
        ("n8..n11", ["n8", "n9", "n10", "n11"]),
        ("a1b09..a1b10", ["a1b09", "a1b10"]),
        ("n5..n5", ["n5"]),
        ("1..3", ["1", "2", "3"]),
    ],
)
def test_ranges(text: str, names: list[str]) -> None:
    assert expand_range(text) == names


@given(st.from_regex(r"[a-z]([a-z0-9-]*[a-z-])?", fullmatch=True), st.integers(0, 999), st.integers(0, 50))
def test_a_range_has_all_between_its_ends(prefix: str, low: int, more: int) -> None:
    names = expand_range(f"{prefix}{low:04}..{prefix}{low + more:04}")
    assert len(names) == more + 1
    assert names == sorted(names)
    assert [int(name.removeprefix(prefix)) for name in names] == list(range(low, low + more + 1))


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("n3..n1", "runs backwards"),
        ("n00..n9", "padded differently"),
        ("n0..m3", "differ in their last number"),
        ("n..n3", "differ in their last number"),
        ("..", "differ in their last number"),
        ("n1..n2..n3", "differ in their last number"),
        ("n0..n999999999", f"more than {MAX_RANGE_NAMES}"),
        ("n0..n" + "9" * 5000, "differ in their last number"),
    ],
)
def test_bad_ranges(text: str, why: str) -> None:
    with pytest.raises(LabFileError, match=why):
        expand_range(text)


@pytest.mark.parametrize(
    ("selectors", "picked"),
    [
        ([], ["alice", "n01", "n02"]),
        (["n02", "alice"], ["alice", "n02"]),
        (["n0*"], ["n01", "n02"]),
        (["n01,alice", "n0[1]"], ["alice", "n01"]),
        (["role=relay"], ["n01", "n02"]),
        (["role=re*"], ["n01", "n02"]),
        (["*"], ["alice", "n01", "n02"]),
    ],
)
def test_selectors(selectors: list[str], picked: list[str]) -> None:
    assert [node.name for node in select_nodes(NODES, selectors)] == picked


@pytest.mark.parametrize(
    ("selector", "hint"),
    [
        ("alcie", "did you mean 'alice'?"),
        ("x*", "nodes: alice, n01, n02"),
        ("role=rely", "did you mean 'role=relay'?"),
        ("role=qqq", "nodes: alice, n01, n02"),
        ("color=red", ""),
    ],
)
def test_selectors_that_pick_nobody(selector: str, hint: str) -> None:
    with pytest.raises(UnknownNode, match=re.escape(selector)) as caught:
        select_nodes(NODES, [selector])
    assert caught.value.hint == hint


def test_did_you_mean() -> None:
    assert did_you_mean("topologie", ["nodes", "topology"]) == "did you mean 'topology'?"
    assert did_you_mean("Alice", ["alice"]) == "did you mean 'alice'?"
    assert did_you_mean("zzz", ["alice"]) == ""
