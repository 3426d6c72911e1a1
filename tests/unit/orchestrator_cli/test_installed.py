"""orchestrator.cli.installed: the real labs, as far as that needs neither an engine nor nodes."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.cli.installed import InstalledLabs
from orchestrator.errors import LabNotFound, OrchestratorError, RuntimeUnavailable
from orchestrator.state import SavedLab, StateDir
from orchestrator.stock import load_stock


@pytest.fixture(autouse=True)
def _no_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    # Refused at once. docker-py forgets to close a unix socket that is refused, which warns.
    monkeypatch.setenv("DOCKER_HOST", "tcp://127.0.0.1:1")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A state directory that knows the lab `line3`, of which nothing runs."""
    root = tmp_path / "labs"
    saved = SavedLab(spec=load_stock("line3"), runtime="process", created="2026-01-01T00:00:00+00:00")
    StateDir("line3", root).save(saved)
    return root


def test_saved_labs(root: Path) -> None:
    labs = InstalledLabs(root)
    (root / "broken").mkdir()
    (root / "broken" / "state.json").write_text("{")
    saved = labs.saved()
    assert isinstance(saved["line3"], SavedLab)
    assert isinstance(saved["broken"], OrchestratorError)


def test_the_state_directory_comes_from_the_environment(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAB_STATE_DIR", str(root))
    assert list(InstalledLabs().saved()) == ["line3"]


def test_removing_leaves_nothing(root: Path) -> None:
    said: list[str] = []
    labs = InstalledLabs(root)
    assert labs.remove("line3", said.append) == [f"directory {root / 'line3'}"]
    assert not root.exists()
    assert said == []
    assert labs.remove("line3", said.append) == []
    assert not root.exists()
    assert "no containers were looked for" in said[0]


def test_removing_what_is_damaged(root: Path) -> None:
    (root / "line3" / "state.json").write_text("{")
    assert InstalledLabs(root).remove("line3", print) == [f"directory {root / 'line3'}"]
    assert not root.exists()


def test_containers_cannot_be_removed_without_their_engine(root: Path) -> None:
    saved = SavedLab(spec=load_stock("line3"), runtime="docker", created="2026-01-01T00:00:00+00:00")
    StateDir("line3", root).save(saved)
    with pytest.raises(RuntimeUnavailable):
        InstalledLabs(root).remove("line3", print)
    assert "line3" in InstalledLabs(root).saved()


def test_opening_what_is_not_there(root: Path) -> None:
    with pytest.raises(LabNotFound):
        InstalledLabs(root).open("other")


def test_the_last_digest_is_remembered(root: Path) -> None:
    labs = InstalledLabs(root)
    assert labs.last_digest("line3") == ""
    labs.remember_digest("line3", "ab" * 32)
    assert labs.last_digest("line3") == "ab" * 32
    labs.remember_digest("gone", "ab" * 32)
    assert labs.last_digest("gone") == ""
