"""`net:` and `faults:` of a lab file."""

from __future__ import annotations

import pytest

from orchestrator.errors import LabFileError
from orchestrator.faults.churn import Churn
from orchestrator.faults.model import Conditions
from orchestrator.labfile import load_lab_file
from orchestrator.spec import LabSpec

HEAD = """\
apiVersion: lab/v1
name: x
nodes: {alice: {}, n01..n03: {role: relay}, bob: {}}
"""


def load(text: str) -> LabSpec:
    return load_lab_file(HEAD + text)


def test_conditions_of_a_link() -> None:
    spec = load(
        "links: [alice-n01, {endpoints: [n01, n02], net: {delay: 40ms, jitter: 5ms, loss: 0.5%, rate: 5mbit}}, n02-bob]"
    )
    assert [str(link) for link in spec.links] == ["alice-n01", "n01-n02", "n02-bob"]
    [fault] = spec.net
    assert (fault.name, fault.nodes, fault.peers, fault.direction) == ("net-n01-n02", ("n01",), ("n02",), "both")
    assert fault.conditions == Conditions(delay_s=0.04, jitter_s=0.005, loss=0.005, rate_bps=5e6)
    assert fault.from_file


def test_a_timeline() -> None:
    spec = load(
        """\
faults:
- {at: 20s, for: 30s, name: split, partition: [[alice, n0*], bob]}
- {at: 60s, for: 20s, shape: {nodes: [n02], delay: 200ms, loss: 5%, direction: ingress}}
- {at: 90s, churn: {nodes: role=relay, rate: 6/min, down: 3s, protect: [n01], count: 5}}
- {at: 0s, cut: [alice, n01]}
- {at: 1s, pause: role=relay}
- {at: 2s, for: 1s, kill: n03}
- {at: 3s, restart: [alice, bob]}
"""
    )
    split, shape, churn, cut, pause, kill, restart = spec.timeline
    assert split.fault is not None
    assert (split.name, split.at_s, split.for_s) == ("split", 20, 30)
    assert split.fault.groups == (("alice", "n01", "n02", "n03"), ("bob",))
    assert shape.fault is not None
    assert shape.fault.conditions == Conditions(delay_s=0.2, loss=0.05)
    assert (shape.name, shape.fault.nodes, shape.fault.direction) == ("shape-at-60s", ("n02",), "ingress")
    assert churn.churn == Churn(nodes=("n02", "n03"), rate_per_s=0.1, down_s=3, count=5)
    assert cut.fault is not None
    assert (cut.at_s, cut.fault.groups) == (0, (("alice",), ("n01",)))
    assert pause.fault is not None
    assert pause.fault.nodes == ("n01", "n02", "n03")
    assert (kill.kill, restart.restart) == (("n03",), ("alice", "bob"))


@pytest.mark.parametrize(
    ("text", "position", "message", "hint"),
    [
        (
            "links: [{endpoints: [alice, bob], net: {delya: 1s}}]",
            "4:41",
            "unknown key 'delya'",
            "did you mean 'delay'?",
        ),
        ("links: [{endpoints: [alice, bob], net: {delay: 1}}]", "4:48", "delay: expected a duration", ""),
        ("links: [{endpoints: [alice, bob], net: {}}]", "4:35", "net: expected delay, jitter, loss or rate", ""),
        ("links: [{endpoints: [alice, bob], net: {loss: 200%}}]", "4:47", "loss: expected a percentage", ""),
        ("faults: [{at: 1s}]", "4:10", r"faults\[0\] says nothing; expected exactly one of partition", ""),
        ("faults: [{at: 1s, cut: [alice, bob], pause: bob}]", "4:10", "has cut and pause", ""),
        ("faults: [{pause: bob}]", "4:10", "the key 'at' is missing", ""),
        ("faults: [{at: 1s, puase: bob}]", "4:19", "unknown key 'puase'", "did you mean 'pause'?"),
        ("faults: [{at: 1s, fro: 1s, pause: bob}]", "4:19", "unknown key 'fro'", "did you mean 'for'?"),
        ("faults: [{at: 1s, pause: bbo}]", "4:26", "no node matches 'bbo'", "did you mean 'bob'?"),
        ("faults: [{at: 1s, partition: [alice, nn]}]", "4:38", "no node matches 'nn'", ""),
        ("faults: [{at: 1s, partition: [alice, 'a*']}]", "4:19", "alice is in two groups", ""),
        ("faults: [{at: 1s, partition: ['*']}]", "4:19", "needs two groups", ""),
        ("faults: [{at: 1s, pause: []}]", "4:26", "pause: expected at least one node", ""),
        ("faults: [{at: 1s, cut: [alice]}]", "4:24", "cut: expected two nodes", ""),
        ("faults: [{at: 1s, cut: [alice, alice]}]", "4:19", "two different nodes", ""),
        ("faults: [{at: 1s, shape: {nodes: bob}}]", "4:19", "shape: expected delay", ""),
        ("faults: [{at: 1s, shape: {nodes: bob, dealy: 1s}}]", "4:39", "unknown key 'dealy'", "did you mean 'delay'?"),
        (
            "faults: [{at: 1s, churn: {nodes: bob, rate: 6, down: 1s, count: 1}}]",
            "4:45",
            "rate: expected how often",
            "",
        ),
        ("faults: [{at: 1s, for: 1s, restart: bob}]", "4:19", "restart ends by itself", ""),
        ("faults: [{at: 1s, name: a, kill: bob}, {at: 2s, name: a, kill: bob}]", "4:55", "two faults called 'a'", ""),
        ("faults: [{at: 1s, name: slowmo, kill: bob}]", "4:25", "is taken", ""),
    ],
)
def test_mistakes(text: str, position: str, message: str, hint: str) -> None:
    with pytest.raises(LabFileError, match=f"^{position}: .*{message}") as caught:
        load(text)
    assert hint in caught.value.hint


REFERENCE = """\
apiVersion: lab/v1
name: x
nodes: {alice: {}, n01: {kind: reference, image: other, command: [node]}, bob: {}}
"""


def test_what_nodes_of_kind_reference_can_is_for_the_kernel_to_say_and_not_for_the_file() -> None:
    text = """\
links: [{endpoints: [alice, n01], net: {delay: 1s}}]
faults: [{at: 1s, cut: [alice, n01]}, {at: 1s, shape: {nodes: n01, rate: 1mbit}}, {at: 1s, pause: n01}]
"""
    spec = load_lab_file(REFERENCE + text)
    assert (len(spec.net), len(spec.timeline)) == (1, 3)
