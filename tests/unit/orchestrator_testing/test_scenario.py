"""Scenarios as files: the same lab and the same steps come back."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.errors import LabFileError
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


def test_a_file_that_makes_no_sense_is_an_exit_code(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "wrong.lab.yml"
    file.write_text("apiVersion: lab/v1\nname: wrong\ntopology: {kind: line, n: 2}\nx-steps: [burn alice]\n")
    assert scenario.main([str(file), "--runtime", "process"]) == 2
    assert capsys.readouterr().err == "error: no step 'burn'\n"
