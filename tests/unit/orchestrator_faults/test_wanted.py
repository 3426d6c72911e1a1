"""orchestrator.faults.wanted: from faults to steps."""

from __future__ import annotations

from typing import Literal

import pytest

from orchestrator.errors import LabFileError
from orchestrator.faults.model import Conditions, Fault
from orchestrator.faults.tc import Kernel
from orchestrator.faults.wanted import (
    NodeFaults,
    complete_groups,
    plan,
    random_halves,
    wanted_edges,
    wanted_nodes,
)

NAMES = ["alice", "n01", "n02", "bob"]
BLOCKED = Conditions(blocked=True)


def shape(direction: Literal["egress", "ingress", "both"], *, peers: tuple[str, ...] = (), **said: float) -> Fault:
    return Fault(
        name="s", kind="shape", nodes=("n01",), peers=peers, conditions=Conditions(**said), direction=direction
    )


def partition(*groups: tuple[str, ...]) -> Fault:
    return Fault(name="p", kind="partition", groups=groups)


def test_a_partition_blocks_both_directions_between_groups_and_none_within() -> None:
    edges = wanted_edges([partition(("alice", "n01"), ("n02", "bob"))], NAMES)
    across = {("alice", "n02"), ("alice", "bob"), ("n01", "n02"), ("n01", "bob")}
    assert edges == dict.fromkeys(across | {(b, a) for a, b in across}, BLOCKED)


def test_three_groups() -> None:
    edges = wanted_edges([partition(("alice",), ("n01",), ("bob",))], NAMES)
    assert len(edges) == 6
    assert not any("n02" in edge for edge in edges)


@pytest.mark.parametrize(
    ("direction", "expected"),
    [
        ("egress", {("n01", "alice"), ("n01", "n02"), ("n01", "bob")}),
        ("ingress", {("alice", "n01"), ("n02", "n01"), ("bob", "n01")}),
    ],
)
def test_directions(direction: Literal["egress", "ingress"], expected: set[tuple[str, str]]) -> None:
    assert set(wanted_edges([shape(direction, delay_s=0.1)], NAMES)) == expected


def test_only_with_some_peers() -> None:
    assert set(wanted_edges([shape("both", peers=("bob",), loss=0.1)], NAMES)) == {("n01", "bob"), ("bob", "n01")}


def test_faults_are_merged_and_the_later_wins() -> None:
    edges = wanted_edges(
        [
            shape("egress", delay_s=0.2, jitter_s=0.02),
            partition(("n01",), ("bob",)),
            shape("egress", peers=("alice",), delay_s=0.1, loss=0.05),
        ],
        NAMES,
    )
    assert edges["n01", "alice"] == Conditions(delay_s=0.1, jitter_s=0.02, loss=0.05)
    assert edges["n01", "n02"] == Conditions(delay_s=0.2, jitter_s=0.02)
    assert edges["n01", "bob"] == Conditions(delay_s=0.2, jitter_s=0.02, blocked=True)


def test_what_nodes_are_to_do() -> None:
    nodes = wanted_nodes(
        [shape("egress", peers=("bob",), delay_s=0.2), partition(("n01",), ("bob",)), pause("n02")], NAMES
    )
    assert nodes == {
        "n01": NodeFaults(frozenset({"bob"}), {"bob": Conditions(delay_s=0.2)}),
        "bob": NodeFaults(frozenset({"n01"})),
        "n02": NodeFaults(paused=True),
    }


def pause(*nodes: str) -> Fault:
    return Fault(name="z", kind="pause", nodes=nodes)


def steps(*arguments: dict[str, NodeFaults], unsure: set[str] | None = None, process: bool = False) -> list[str]:
    found = plan(*arguments, unsure=unsure or set(), blocking_shapes=process)
    return [f"{step.action} {step.node}" for step in found]


def test_a_plan_does_only_what_changes() -> None:
    blocked, slow = NodeFaults(frozenset({"bob"})), NodeFaults(shaped={"bob": Conditions(delay_s=0.1)})
    assert steps({}, {"n01": blocked}) == ["network n01"]
    assert steps({"n01": blocked}, {"n01": blocked}) == []
    assert steps({"n01": blocked}, {"n01": slow}) == ["network n01", "shape n01"]
    assert steps({"n01": slow}, {}) == ["shape n01"]
    assert steps({}, {"n01": NodeFaults(paused=True)}) == ["pause n01"]


def test_what_the_kernel_makes_is_no_work_for_the_shaper() -> None:
    faults = [shape("egress", rate_bps=1e6), shape("egress", peers=("bob",), delay_s=0.1)]
    kernel = Kernel(htb=True)
    [node] = wanted_nodes(faults, NAMES, kernel.can).values()
    rate = Conditions(rate_bps=1e6)
    assert node == NodeFaults(
        traffic={"alice": rate, "n02": rate}, shaped={"bob": Conditions(rate_bps=1e6, delay_s=0.1)}
    )
    assert steps({}, {"n01": node}) == ["network n01", "shape n01"]
    assert steps({"n01": node}, {"n01": NodeFaults(shaped=node.shaped)}) == ["network n01"]
    [node] = wanted_nodes(faults, NAMES, Kernel(htb=True, netem=True).can).values()
    assert (set(node.traffic), node.shaped) == ({"alice", "n02", "bob"}, {})
    [node] = wanted_nodes(faults, NAMES).values()
    assert (set(node.shaped), node.traffic) == ({"alice", "n02", "bob"}, {})


def test_where_shapers_block_that_is_one_step() -> None:
    blocked = NodeFaults(frozenset({"bob"}))
    assert steps({}, {"n01": blocked}, process=True) == ["shape n01"]
    assert steps({"n01": blocked}, {}, process=True) == ["shape n01"]


def test_what_opens_comes_first_and_freezing_last() -> None:
    frozen = NodeFaults(paused=True)
    found = steps({"a": frozen}, {"b": NodeFaults(frozenset({"c"}), {"c": Conditions(delay_s=0.1)}, paused=True)})
    assert found == ["unpause a", "network b", "shape b", "pause b"]


def test_nodes_of_which_nobody_knows_are_told_everything() -> None:
    assert steps({}, {}, unsure={"a"}) == ["unpause a", "network a", "shape a"]
    assert steps({"a": NodeFaults(paused=True)}, {"a": NodeFaults(paused=True)}, unsure={"a"}) == [
        "network a",
        "shape a",
        "pause a",
    ]


def test_who_is_in_no_group_is_in_the_last_one() -> None:
    assert complete_groups([["alice"], ["bob"]], NAMES) == (("alice",), ("bob",), ("n01", "n02"))
    assert complete_groups([["alice", "n01"]], NAMES) == (("alice", "n01"), ("n02", "bob"))
    assert complete_groups([["alice", "n01"], ["n02", "bob"]], NAMES) == (("alice", "n01"), ("n02", "bob"))


@pytest.mark.parametrize(
    ("groups", "error"),
    [([["alice"], ["bob", "alice"]], "alice is in two groups"), ([NAMES], "needs two groups")],
)
def test_groups_that_make_no_sense(groups: list[list[str]], error: str) -> None:
    with pytest.raises(LabFileError, match=error):
        complete_groups(groups, NAMES)


def test_random_halves_share_out_who_runs_and_are_the_same_with_the_same_seed() -> None:
    names = [f"n{index:02}" for index in range(12)]
    running = set(names[:7])
    halves = random_halves(names, running, seed=5)
    assert halves == random_halves(names, running, seed=5)
    assert len({random_halves(names, running, seed=seed) for seed in range(20)}) > 10
    for seed in range(20):
        one, other = random_halves(names, running, seed=seed)
        assert sorted(one + other) == names
        assert (len(one), sorted(len(running & set(half)) for half in (one, other))) == (6, [3, 4])


def test_one_node_has_no_halves() -> None:
    with pytest.raises(LabFileError, match="two nodes that run"):
        random_halves(NAMES, {"bob"}, seed=1)
