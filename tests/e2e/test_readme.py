"""The code that the README shows runs as it stands there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from orchestrator.labfile import load_lab_file
from tests.e2e.conftest import in_containers

README = (Path(__file__).parents[2] / "README.md").read_text()


def block(language: str) -> str:
    found = re.search(rf"```{language}\n(.*?)```", README, re.DOTALL)
    assert found is not None
    return found[1]


def test_the_pytest_example(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, default_runtime: str, request: pytest.FixtureRequest
) -> None:
    if default_runtime == "docker":
        in_containers.add(request.node.nodeid)
    monkeypatch.setenv("LAB_STATE_DIR", str(tmp_path))
    names: dict[str, object] = {}
    exec(compile(block("python"), "README.md", "exec"), names)
    test = names["test_relay_without_reading"]
    assert callable(test)
    test()


def test_the_lab_file() -> None:
    spec = load_lab_file(block("yaml"), source="README.md")
    assert spec.node_names == ["alice", "n01", "n02", "n03", "n04", "bob"]
    assert spec.neighbours("bob") == {"n03"}
