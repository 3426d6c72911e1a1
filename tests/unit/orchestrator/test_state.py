"""orchestrator.state: what is remembered of a lab, and by whom it can be read."""

from __future__ import annotations

import dataclasses
import json
import stat
import threading
from pathlib import Path

import pytest

from orchestrator.errors import OrchestratorError
from orchestrator.spec import LabSpec
from orchestrator.state import SavedLab, StateDir, saved_names
from orchestrator.topology import make_spec

DEADLINE_S = 10.0


def saved(spec: LabSpec) -> SavedLab:
    return SavedLab(spec=spec, runtime="process", created="2026-01-01T00:00:00+00:00")


def test_a_lab_comes_back_as_it_was(tmp_path: Path) -> None:
    spec = make_spec("kept", kind="ring", n=4, seed=9)
    state = StateDir("kept", tmp_path)
    assert state.load() is None
    state.save(saved(spec))
    found = StateDir("kept", tmp_path).load()
    assert found is not None
    assert found.runtime == "process"
    assert [node.id for node in found.spec.nodes] == [node.id for node in spec.nodes]
    assert [node.overlay for node in found.spec.nodes] == [node.overlay for node in spec.nodes]
    assert found.spec.links == spec.links
    assert found.spec.limits == spec.limits
    assert found.spec.network_id == spec.network_id
    assert saved_names(tmp_path) == ["kept"]


def test_whether_it_came_up_is_remembered(tmp_path: Path) -> None:
    state = StateDir("kept", tmp_path)
    whole = saved(make_spec("kept", kind="line", n=2, seed=1))
    state.save(dataclasses.replace(whole, complete=False))
    assert (found := state.load()) is not None
    assert not found.complete
    state.save(whole)
    assert (found := state.load()) is not None
    assert found.complete


def test_a_file_from_before_that_was_remembered_is_of_a_whole_lab(tmp_path: Path) -> None:
    state = StateDir("kept", tmp_path)
    state.save(saved(make_spec("kept", kind="line", n=2, seed=1)))
    path = state.directory / "state.json"
    record = json.loads(path.read_text())
    del record["complete"]
    path.write_text(json.dumps(record))
    assert (found := state.load()) is not None
    assert found.complete


def test_an_edited_token_file_may_end_in_a_newline(tmp_path: Path) -> None:
    state = StateDir("kept", tmp_path)
    token = state.token
    (state.directory / "token").write_text(token + "\n")
    assert state.token == token


def test_keys_and_token_are_for_the_owner_only(tmp_path: Path) -> None:
    state = StateDir("kept", tmp_path / "root")
    state.save(saved(make_spec("kept", kind="line", n=2, seed=1)))
    assert state.token == StateDir("kept", tmp_path / "root").token
    for path in state.directory.iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, path
    assert stat.S_IMODE(state.directory.stat().st_mode) == 0o700


def test_nothing_is_left_after_the_last_lab(tmp_path: Path) -> None:
    root = tmp_path / "root"
    state = StateDir("kept", root)
    with state.lock():
        state.save(saved(make_spec("kept", kind="line", n=2, seed=1)))
        state.remove()
    assert not root.exists()
    state.remove()


@pytest.mark.parametrize("text", ["", "[]", "{", '{"version": 1}', '{"version": 1, "runtime": "x", "spec": {}}'])
def test_a_damaged_file_is_named(tmp_path: Path, text: str) -> None:
    state = StateDir("kept", tmp_path)
    state.directory.mkdir()
    (state.directory / "state.json").write_text(text)
    with pytest.raises(OrchestratorError, match=r"state\.json is damaged") as refused:
        state.load()
    assert refused.value.hint == "lab down kept"


def test_a_file_of_another_version_is_refused(tmp_path: Path) -> None:
    state = StateDir("kept", tmp_path)
    state.directory.mkdir()
    (state.directory / "state.json").write_text(json.dumps({"version": 99}))
    with pytest.raises(OrchestratorError, match="version 99"):
        state.load()


def test_labs_of_two_checkouts_do_not_meet(tmp_path: Path) -> None:
    assert StateDir("same", tmp_path / "a").lab_id != StateDir("same", tmp_path / "b").lab_id
    assert StateDir("same", tmp_path / "a").lab_id == StateDir("same", tmp_path / "a").lab_id


def test_one_command_at_a_time(tmp_path: Path) -> None:
    """Also when the one before removed the lab, and the lock file with it."""
    order: list[str] = []
    first, second = StateDir("kept", tmp_path / "root"), StateDir("kept", tmp_path / "root")
    waiting = threading.Event()

    def other() -> None:
        waiting.set()
        with second.lock():
            order.append("second")
            second.save(saved(make_spec("kept", kind="line", n=2, seed=1)))

    with first.lock():
        thread = threading.Thread(target=other)
        thread.start()
        assert waiting.wait(DEADLINE_S)
        order.append("first")
        first.remove()
    thread.join(DEADLINE_S)
    assert order == ["first", "second"]
    assert first.load() is not None
