"""orchestrator.gc: what may go and what must stay."""

from __future__ import annotations

import contextlib
import datetime
import errno
import fcntl
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from orchestrator import gc, labels
from orchestrator.gc import (
    FoundLab,
    Leftover,
    choose_leftover_images,
    choose_leftover_labs,
    find_container_labs,
    find_process_labs,
    remove_leftover,
    remove_objects,
)
from orchestrator.process_runtime import LAB_ID_VARIABLE
from orchestrator.state import StateDir

NOW = datetime.datetime(2026, 6, 1, 12, tzinfo=datetime.UTC)
HERE = labels.this_host()
LONG_AGO, FAR_AWAY = "2026-01-01T00:00:00Z", "2999-01-01T00:00:00Z"


def _known(root: Path, name: str = "x") -> StateDir:
    state = StateDir(name, root)
    state.directory.mkdir(parents=True)
    (state.directory / "state.json").write_text("{}")
    return state


def _reasons(lab: FoundLab, root: Path) -> list[str]:
    return [leftover.reason for leftover in choose_leftover_labs([lab], root=root, now=NOW)]


def test_a_known_lab_stays(tmp_path: Path) -> None:
    state = _known(tmp_path)
    lab = FoundLab(lab_id=state.lab_id, runtime="docker")
    assert _reasons(lab, tmp_path) == []
    lab.directory, lab.host = state.directory, HERE
    assert _reasons(lab, Path("/elsewhere")) == []


def test_a_lab_without_its_state_goes(tmp_path: Path) -> None:
    state = StateDir("x", tmp_path)
    here = FoundLab(lab_id=state.lab_id, runtime="docker")
    assert _reasons(here, tmp_path) == [f"its state directory {state.directory} is gone"]
    there = FoundLab(lab_id="x-123456", runtime="process", directory=tmp_path / "gone", host=HERE)
    assert _reasons(there, Path("/elsewhere")) == [f"its state directory {tmp_path / 'gone'} is gone"]
    (tmp_path / "file").write_text("")
    there.directory = tmp_path / "file" / "x"
    assert _reasons(there, Path("/elsewhere")) == [f"its state directory {tmp_path / 'file' / 'x'} is gone"]


@pytest.mark.parametrize("number", [errno.EACCES, errno.ESTALE, errno.EIO], ids=errno.errorcode.get)
def test_what_another_user_has_closed_to_us_is_not_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    closed = tmp_path / "closed"
    look = Path.stat

    def stat(path: Path, **options: Any) -> Any:
        if closed in path.parents:
            raise OSError(number, "no")
        return look(path, **options)

    monkeypatch.setattr(Path, "stat", stat)
    theirs = FoundLab(lab_id="x-123456", runtime="docker", directory=closed / "x", host=HERE)
    gone = FoundLab(lab_id="y-123456", runtime="docker", directory=tmp_path / "gone" / "y", host=HERE)
    chosen = choose_leftover_labs([theirs, gone], root=tmp_path, now=NOW)
    assert [leftover.id for leftover in chosen] == ["y-123456"]


def test_of_a_lab_of_another_machine_only_its_time_counts(tmp_path: Path) -> None:
    """Several machines may use one engine; their directories are not ours, though they may have the same path."""
    for directory in (tmp_path / "not-here", StateDir("x", tmp_path).directory):
        lab = FoundLab(lab_id=StateDir("x", tmp_path).lab_id, runtime="docker", directory=directory, host="other-1234")
        assert _reasons(lab, tmp_path) == []
        lab.expires = "2026-06-01T11:00:00Z"
        assert _reasons(lab, tmp_path) == ["expired 2026-06-01T11:00:00Z"]


def test_a_directory_of_nobody_knows_which_machine_counts_only_if_the_id_is_from_here(tmp_path: Path) -> None:
    """As of labs from before the machine was noted."""
    lab = FoundLab(lab_id="x-123456", runtime="docker", directory=tmp_path / "gone")
    assert _reasons(lab, tmp_path) == []
    lab.lab_id = StateDir("x", tmp_path).lab_id
    assert _reasons(lab, tmp_path) == [f"its state directory {tmp_path / 'x'} is gone"]


def test_a_lab_that_somebody_is_at_work_on_stays(tmp_path: Path) -> None:
    """As a chapter that plays: it has a directory and a lock, and is never saved."""
    state = StateDir("x", tmp_path)
    lab = FoundLab(lab_id=state.lab_id, runtime="docker", directory=state.directory, expires="2026-06-01T11:00:00Z")
    with state.lock():
        assert _reasons(lab, tmp_path) == []
    assert _reasons(lab, tmp_path) == ["expired 2026-06-01T11:00:00Z"]
    lab.expires = ""
    assert _reasons(lab, tmp_path) == [f"its state directory {state.directory} is gone"]


def test_a_lab_of_whom_nothing_is_known_stays(tmp_path: Path) -> None:
    assert _reasons(FoundLab(lab_id="x-123456", runtime="docker"), tmp_path) == []


@pytest.mark.parametrize(
    ("expires", "goes"),
    [("2026-06-01T11:59:59Z", True), ("2026-06-01T12:00:01Z", False), ("yesterday", False), ("", False)],
)
def test_expired_labs_go_though_they_are_known(tmp_path: Path, expires: str, goes: bool) -> None:
    state = _known(tmp_path)
    lab = FoundLab(lab_id=state.lab_id, runtime="docker", directory=state.directory, expires=expires)
    assert bool(_reasons(lab, tmp_path)) is goes


def _image(number: int, kind: str, *tags: str) -> dict[str, Any]:
    return {"Id": f"sha256:{number}", "Created": number, "Labels": {labels.KIND: kind}, "RepoTags": list(tags)}


def test_old_images_that_nobody_uses_go() -> None:
    images = [
        _image(1, "image", "pss-lab-node:old"),
        _image(2, "image", "pss-lab-node:used"),
        _image(3, "image", "pss-lab-node:new", "pss-lab-node:latest"),
        _image(4, "runtime", "pss-lab-runtime:old"),
        _image(5, "runtime", "pss-lab-runtime:new"),
        _image(0, "image", "<none>:<none>"),
        _image(1, "image", "somebody/else:1"),
        _image(1, "base", "pss-lab-base:old"),
        {"Id": "sha256:9", "Created": 1, "Labels": None, "RepoTags": None},
    ]
    chosen = choose_leftover_images(images, used={"sha256:2"})
    assert [leftover.id for leftover in chosen] == ["pss-lab-node:old", "sha256:0", "pss-lab-runtime:old"]


class _Api:
    """The two lists of the engine that gc asks for."""

    def containers(self, **_: Any) -> list[dict[str, Any]]:
        common = {labels.LAB_ID: "x-123456", labels.STATE_DIR: "/labs/x", labels.EXPIRES: "2026-06-01T12:00:00Z"}
        later, sooner = {labels.CREATED: "2026-06-01T11:00:07Z"}, {labels.CREATED: "2026-06-01T11:00:02Z"}
        return [
            {"Labels": {labels.LAB_ID: "Not one of ours"}, "State": "running"},
            {"Labels": common | {labels.NODE: "alice"} | later, "State": "running"},
            {"Labels": common | {labels.NODE: "bob", labels.HOST: "other-1234"} | sooner, "State": "exited"},
            {"Labels": common, "State": "running"},
        ]

    def networks(self, **_: Any) -> list[dict[str, Any]]:
        ids = ("x-123456", "only-net-abcdef", "")
        return [{"Labels": {labels.LAB_ID: lab_id}} for lab_id in ids]


class _Engine:
    class client:
        api = _Api()


def test_labs_are_found_by_their_labels() -> None:
    lab, rest = find_container_labs(_Engine())  # type: ignore[arg-type]
    assert (lab.name, lab.running, lab.stopped, lab.objects) == ("x", {"alice"}, {"bob"}, 4)
    assert (lab.directory, lab.expires) == (Path("/labs/x"), "2026-06-01T12:00:00Z")
    assert (lab.created, lab.host, lab.host_name) == ("2026-06-01T11:00:02Z", "other-1234", "other")
    assert lab.is_from_elsewhere
    assert not rest.is_from_elsewhere
    assert (rest.name, rest.running) == ("only-net", set())


@pytest.fixture
def process_lab(tmp_path: Path) -> Iterator[str]:
    """The id of a lab with one process; its state directory is gone."""
    lab_id = f"gone-{os.getpid():06x}"
    environment = {gc.DATADIR_VARIABLE: str(tmp_path / "gone" / "data" / "alice"), LAB_ID_VARIABLE: lab_id}
    waits = [sys.executable, "-c", "import sys; print(flush=True); sys.stdin.read()"]
    with subprocess.Popen(waits, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()  # from then on it has its environment
        yield lab_id


def test_processes_tell_where_and_since_when(process_lab: str, tmp_path: Path) -> None:
    [lab] = [lab for lab in find_process_labs() if lab.lab_id == process_lab]
    assert (lab.directory, lab.host, lab.running) == (tmp_path / "gone", HERE, {"alice"})
    age = datetime.datetime.now(datetime.UTC) - datetime.datetime.fromisoformat(lab.created)
    assert 0 <= age.total_seconds() < 60
    assert [one.id for one in choose_leftover_labs([lab], root=tmp_path)] == [process_lab]


def test_what_a_process_in_a_container_calls_its_directory_is_none_of_ours(
    process_lab: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "readlink", lambda path: f"mnt:[{path}]")
    [lab] = [lab for lab in find_process_labs() if lab.lab_id == process_lab]
    assert lab.is_from_elsewhere
    assert choose_leftover_labs([lab], root=tmp_path) == []


# -- removing


class _Everything:
    """An engine that has one lab, and forgets it when it is removed."""

    def __init__(self, state: StateDir, **carried: str) -> None:
        own = {labels.LAB_ID: state.lab_id, labels.STATE_DIR: str(state.directory), labels.HOST: HERE}
        self.carried: dict[str, str] | None = own | carried
        self.client = self.api = self
        self.lock = state.root / f"{state.name}.lock"
        self.locked = False
        """Whether the lab was locked when it was removed."""

    def containers(self, **_: Any) -> list[dict[str, Any]]:
        return [{"Labels": self.carried, "State": "running"}] if self.carried else []

    def networks(self, **_: Any) -> list[dict[str, Any]]:
        return []

    def remove(self, lab_id: str) -> list[str]:
        found = self.containers()
        self.carried = None
        with contextlib.suppress(FileNotFoundError), open(self.lock) as file:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                self.locked = True
        return [f"container of {lab_id}" for _ in found]

    def leftover(self, root: Path) -> Leftover:
        """As `lab gc` finds it."""
        [chosen] = choose_leftover_labs(find_container_labs(self), root=root)  # type: ignore[arg-type]
        return chosen


@pytest.fixture(autouse=True)
def _pretended_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gc, "remove_lab", lambda engine, lab_id: engine.remove(lab_id))


def _remove(engine: _Everything, leftover: Leftover, root: Path) -> list[str]:
    return remove_leftover(leftover, engine, root=root)  # type: ignore[arg-type]


def test_with_a_lab_go_its_directory_and_lock(tmp_path: Path) -> None:
    state = _known(tmp_path / ".lab")
    with state.lock():
        pass
    engine = _Everything(state, **{labels.EXPIRES: LONG_AGO})
    removed = _remove(engine, engine.leftover(Path("/elsewhere")), Path("/elsewhere"))
    assert removed == [f"container of {state.lab_id}", f"directory {state.directory}"]
    assert engine.locked
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_made_where_the_directories_above_are_gone(tmp_path: Path) -> None:
    state = StateDir("x", tmp_path / "gone" / ".lab")
    engine = _Everything(state)
    assert _remove(engine, engine.leftover(tmp_path), tmp_path) == [f"container of {state.lab_id}"]
    assert list(tmp_path.iterdir()) == []


def test_a_lab_that_was_started_anew_meanwhile_stays(tmp_path: Path) -> None:
    state = StateDir("x", tmp_path / ".lab")
    engine = _Everything(state)
    leftover = engine.leftover(tmp_path)
    assert "is gone" in leftover.reason
    _known(tmp_path / ".lab")
    assert _remove(engine, leftover, tmp_path) == []
    assert engine.carried
    assert (state.directory / "state.json").exists()


def test_a_lab_whose_time_is_another_meanwhile_stays(tmp_path: Path) -> None:
    engine = _Everything(_known(tmp_path), **{labels.EXPIRES: LONG_AGO})
    leftover = engine.leftover(tmp_path)
    assert engine.carried
    engine.carried[labels.EXPIRES] = FAR_AWAY
    assert _remove(engine, leftover, tmp_path) == []
    assert engine.carried
    engine.carried = None  # somebody else was faster
    assert _remove(engine, leftover, tmp_path) == []


def test_a_lab_that_somebody_is_at_work_on_meanwhile_stays_and_is_not_waited_for(tmp_path: Path) -> None:
    state = _known(tmp_path)
    engine = _Everything(state, **{labels.EXPIRES: LONG_AGO})
    leftover = engine.leftover(tmp_path)
    with state.lock():
        assert _remove(engine, leftover, tmp_path) == []
    assert engine.carried


def test_by_its_id_a_lab_goes_with_its_directory_and_lock(tmp_path: Path) -> None:
    state = _known(tmp_path / ".lab")
    engine = _Everything(state)
    [lab] = find_container_labs(engine)  # type: ignore[arg-type]
    removed = remove_objects(lab, engine, root=tmp_path)  # type: ignore[arg-type]
    assert removed == [f"container of {state.lab_id}", f"directory {state.directory}"]
    assert engine.locked
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("carried", [{labels.HOST: "other-1234"}, {labels.LAB_ID: "x-123456"}], ids=["host", "user"])
def test_of_what_is_anothers_only_the_objects_go(tmp_path: Path, carried: dict[str, str]) -> None:
    """The same path may be another lab on another machine; another user's directory is that user's to remove."""
    state = _known(tmp_path)
    (state.directory / "processes.json").write_text("not ours to read")
    engine = _Everything(state, **{labels.EXPIRES: LONG_AGO} | carried)
    leftover = engine.leftover(tmp_path)
    assert _remove(engine, leftover, tmp_path) == [f"container of {leftover.id}"]
    assert (state.directory / "state.json").exists()
    assert not (tmp_path / "x.lock").exists()
