"""orchestrator.gc: what may go and what must stay."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import Any

import pytest

from orchestrator import labels
from orchestrator.gc import FoundLab, choose_leftover_images, choose_leftover_labs, find_container_labs
from orchestrator.state import StateDir

NOW = datetime.datetime(2026, 6, 1, 12, tzinfo=datetime.UTC)


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
    lab.directory = state.directory
    assert _reasons(lab, Path("/elsewhere")) == []


def test_a_lab_without_its_state_goes(tmp_path: Path) -> None:
    state = StateDir("x", tmp_path)
    here = FoundLab(lab_id=state.lab_id, runtime="docker")
    assert _reasons(here, tmp_path) == [f"its state directory {state.directory} is gone"]
    there = FoundLab(lab_id="x-123456", runtime="process", directory=tmp_path / "gone")
    assert _reasons(there, Path("/elsewhere")) == [f"its state directory {tmp_path / 'gone'} is gone"]


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
        return [
            {"Labels": common | {labels.NODE: "alice"}, "State": "running"},
            {"Labels": common | {labels.NODE: "bob"}, "State": "exited"},
            {"Labels": common, "State": "running"},
        ]

    def networks(self, **_: Any) -> list[dict[str, Any]]:
        return [{"Labels": {labels.LAB_ID: "x-123456"}}, {"Labels": {labels.LAB_ID: "only-net-abcdef"}}]


class _Engine:
    class client:
        api = _Api()


def test_labs_are_found_by_their_labels() -> None:
    lab, rest = find_container_labs(_Engine())  # type: ignore[arg-type]
    assert (lab.name, lab.running, lab.stopped, lab.objects) == ("x", {"alice"}, {"bob"}, 4)
    assert (lab.directory, lab.expires) == (Path("/labs/x"), "2026-06-01T12:00:00Z")
    assert (rest.name, rest.running) == ("only-net", set())
