"""A lab written as a lab file comes back as the same lab, or is not written."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from orchestrator.errors import LabFileError
from orchestrator.faults.model import Conditions
from orchestrator.identity import make_node
from orchestrator.labfile import load_lab_file
from orchestrator.spec import LabSpec, Link
from orchestrator.testing import lab_text
from orchestrator.topology import make_spec

EVERYTHING = """\
apiVersion: lab/v1
name: all
metadata: {title: all of it}
seed: 9
defaults: {image: mine:1, mem: 200m, cpus: 0.5, pids: 90, log: debug}
nodes:
  alice: {overlay: 0b0110, services: ["mine:A"], protocols: ["mine:B"]}
  n01: {role: relay, overlay: 0x3a8}
  n02: {protocols_over_pss: ["mine:C"]}
  reference: {kind: reference, image: "swarm:0.5.8", ws_port: 9000, command: [swarm, "{nodekey_file}", "{bzzkey_file}"]}
  bob:
links:
- alice-n01
- {endpoints: [n01, bob], net: {delay: 40ms, jitter: 0.7ms, loss: 0.07%, rate: 1234.567kbit}}
- {endpoints: [n02, n01], net: {loss: 5%}}
- reference-bob
autoconnect: true
ready: {when: connected, timeout: 1m30s}
"""


def written(spec: LabSpec, folder: Path) -> LabSpec:
    file = folder / "kept.lab.yml"
    lab_text.write(file, spec)
    assert [path.name for path in folder.glob("*kept*")] == [file.name]
    return load_lab_file(file.read_text(), source=str(file))


def same(a: LabSpec, b: LabSpec) -> bool:
    """But for where the file is; keys compare by identity only."""
    return repr(dataclasses.replace(a, source=b.source)) == repr(b) and [
        (node.node_key.secret, node.bzz_key.secret) for node in a.nodes
    ] == [(node.node_key.secret, node.bzz_key.secret) for node in b.nodes]


def read(text: str, folder: Path) -> LabSpec:
    (folder / "mine.py").write_text("")
    file = folder / "first.lab.yml"
    file.write_text(text)
    return load_lab_file(text, source=str(file))


def test_everything_that_can_be_said_comes_back(tmp_path: Path) -> None:
    spec = read(EVERYTHING, tmp_path)
    assert spec.net[0].conditions == Conditions(delay_s=0.04, jitter_s=0.0007, loss=0.07 / 100, rate_bps=1234567)
    assert same(written(spec, tmp_path), spec)


def test_a_plain_lab_is_a_plain_file(tmp_path: Path) -> None:
    spec = make_spec("plain", kind="line", n=2, seed=3)
    assert same(written(spec, tmp_path), spec)
    assert (tmp_path / "kept.lab.yml").read_text() == (
        "apiVersion: lab/v1\nname: plain\nseed: 3\nnodes:\n  alice: {}\n  bob: {}\n"
        "links:\n- endpoints:\n  - alice\n  - bob\n"
    )


@pytest.mark.parametrize("length", [1, 4, 7, 10])
def test_a_placed_address_is_found_again(length: int, tmp_path: Path) -> None:
    prefix = "0110101110"[:length]
    node = make_node(1, "placed", "alice", overlay_prefix=prefix)
    spec = make_spec("placed", kind="line", n=2, seed=1)
    spec = dataclasses.replace(spec, nodes=(node, spec.node("bob")))
    assert written(spec, tmp_path).node("alice").overlay == node.overlay


LINE = "apiVersion: lab/v1\nname: line\nnodes: {alice: {}, bob: {}}\nlinks: [alice-bob]\n"


@pytest.mark.parametrize(
    ("more", "what", "hint"),
    [
        ("faults: [{at: 1s, kill: alice}]", "faults", "without: dataclasses.replace(spec, timeline=())"),
        ("traffic: [{at: 1s, from: alice, to: bob}]", "traffic", "without: dataclasses.replace(spec, traffic=())"),
    ],
)
def test_what_cannot_be_said_is_refused(more: str, what: str, hint: str, tmp_path: Path) -> None:
    spec = read(LINE + more, tmp_path)
    with pytest.raises(LabFileError, match=f"lab line cannot be kept: what it has of {what} cannot") as refused:
        written(spec, tmp_path)
    assert hint in refused.value.hint
    assert [path.name for path in tmp_path.glob("*kept*")] == []


def test_a_lab_that_was_renamed_has_the_keys_of_another_name(tmp_path: Path) -> None:
    spec = dataclasses.replace(read(LINE, tmp_path), name="line-gw0")
    with pytest.raises(LabFileError, match="keys of alice do not follow from the lab's name") as refused:
        written(spec, tmp_path)
    assert "keep it under the name that it had" in refused.value.hint


def test_conditions_that_are_no_link_s_are_refused(tmp_path: Path) -> None:
    spec = read(LINE.replace("alice-bob", "{endpoints: [alice, bob], net: {delay: 1ms}}"), tmp_path)
    for fault in (
        dataclasses.replace(spec.net[0], direction="egress"),
        dataclasses.replace(spec.net[0], peers=()),
        dataclasses.replace(spec.net[0], conditions=Conditions(delay_s=1e-9)),
    ):
        with pytest.raises(LabFileError):
            written(dataclasses.replace(spec, net=(fault,)), tmp_path)
    assert spec.links == (Link("alice", "bob"),)


def test_modules_are_beside_it_or_it_is_refused(tmp_path: Path) -> None:
    spec = read(EVERYTHING, tmp_path)
    other = tmp_path / "other"
    other.mkdir()
    (other / "mine.py").write_text("")
    with pytest.raises(LabFileError, match=f"cannot be kept in {other}: node alice loads modules from {tmp_path}"):
        written(spec, other)


def test_a_node_that_chooses_its_keys_is_refused(tmp_path: Path) -> None:
    spec = read(EVERYTHING.replace(', "{bzzkey_file}"', ""), tmp_path)
    with pytest.raises(LabFileError, match="node reference chooses keys of its own"):
        written(spec, tmp_path)
