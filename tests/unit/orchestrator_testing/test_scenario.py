"""Scenarios as files: the same lab and the same steps come back."""

from __future__ import annotations

from pathlib import Path

import grpc
import pytest

from node.control.client import ControlError
from orchestrator.errors import DeliveryFailed, LabFileError, LabNotReady
from orchestrator.lab import Lab
from orchestrator.labfile import load_lab_file
from orchestrator.spec import LabSpec
from orchestrator.testing import scenario
from orchestrator.testing.scenario import Step
from orchestrator.topology import make_spec

STEPS = ["disconnect alice n01", "kill n02", "partition alice,n01 bob,n02", "heal", "lose alice bob", "send bob alice"]


def test_there_and_back(tmp_path: Path) -> None:
    spec = make_spec("kept", kind="ring", n=4, seed=11)
    file = tmp_path / "kept.lab.yml"
    scenario.save(file, spec, [Step.parse(text) for text in STEPS])
    found, steps = scenario.load(file)
    assert [str(step) for step in steps] == STEPS
    assert (found.name, found.seed, found.links, found.network_id) == ("kept", 11, spec.links, spec.network_id)
    assert [(node.id, node.overlay) for node in found.nodes] == [(node.id, node.overlay) for node in spec.nodes]
    assert "python -m orchestrator.testing.scenario kept.lab.yml" in file.read_text()


def test_a_lab_file_without_steps_has_none(tmp_path: Path) -> None:
    file = tmp_path / "plain.lab.yml"
    file.write_text("apiVersion: lab/v1\nname: plain\ntopology: {kind: line, n: 2}\n")
    assert scenario.load(file)[1] == []


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("burn alice", "no step 'burn'"),
        ("", "no step ''"),
        ("kill", "step 'kill': kill wants 1 names"),
        ("send alice", "send wants 2 names"),
        ("heal alice", "heal wants 0 names"),
    ],
)
def test_steps_that_there_are_not(text: str, error: str) -> None:
    with pytest.raises(LabFileError, match=error):
        Step.parse(text)


@pytest.mark.parametrize(
    ("step", "error", "hint"),
    [
        ("burn alice", "no step 'burn'", "steps: connect, "),
        ("kill bobb", "step 'kill bobb': lab wrong has no node 'bobb'", "nodes: alice, n01, bob"),
        ("partition alice,n1* bob", "step 'partition alice,n1* bob': ", ""),
    ],
)
def test_a_file_that_makes_no_sense_is_an_exit_code_and_nothing_starts(
    step: str,
    error: str,
    hint: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Lab, "up", None)
    file = tmp_path / "wrong.lab.yml"
    file.write_text(f"apiVersion: lab/v1\nname: wrong\ntopology: {{kind: line, n: 3}}\nx-steps: ['{step}']\n")
    assert scenario.main([str(file), "--runtime", "process"]) == 2
    said = capsys.readouterr().err
    assert f"error: {error}" in said
    assert f"hint: {hint}" in said


def test_selectors_of_a_partition_are_nodes() -> None:
    Step.parse("partition alice,n0* role=end").check(
        load_lab_file("apiVersion: lab/v1\nname: x\nnodes: {alice: {}, n01: {}, bob: {role: end}}\nlinks: []\n")
    )


class FailingLab:
    """Comes up, and then nothing works."""

    def __init__(self, failure: Exception) -> None:
        self.failure = failure

    def up(self, spec: LabSpec, **options: object) -> FailingLab:
        return self

    def __enter__(self) -> FailingLab:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def send(self, *_: object, **options: object) -> None:
        raise self.failure


@pytest.mark.parametrize(
    "failure",
    [
        DeliveryFailed("bob did not get the message from alice", hint="lab trace, of a lab that is gone by now"),
        LabNotReady("node bob does not come up"),
        ControlError("bob", grpc.StatusCode.UNAVAILABLE, "gone"),
        AssertionError("which must not be"),
    ],
    ids=lambda failure: type(failure).__name__,
)
def test_a_step_that_fails_is_exit_code_1_whatever_fails(
    failure: Exception, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    lab = FailingLab(failure)
    monkeypatch.setattr(Lab, "up", lab.up)
    file = tmp_path / "failing.lab.yml"
    scenario.save(file, make_spec("failing", kind="line", n=2, seed=1), [Step.parse("send alice bob")])
    assert scenario.main([str(file)]) == 1
    assert capsys.readouterr() == ("1. send alice bob\n", f"error: {failure}\n")


def test_a_lab_that_does_not_come_up_is_the_exit_code_of_lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def up(spec: LabSpec, **options: object) -> None:
        raise LabNotReady("node bob does not come up")

    monkeypatch.setattr(Lab, "up", up)
    file = tmp_path / "down.lab.yml"
    scenario.save(file, make_spec("down", kind="line", n=2, seed=1), [])
    assert scenario.main([str(file)]) == LabNotReady.exit_code == 6
