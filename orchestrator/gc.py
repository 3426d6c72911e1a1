"""Leftovers: labs whose state directory is gone or whose time is over, and node images that nothing needs.

Labs are found by what their objects carry, labels of containers and networks or the environment of processes. A lab
that somebody's state directory knows, and that has not expired, is never touched. Without a record of where its state
is, a lab is a leftover only if its id says that it is from here.
"""

from __future__ import annotations

import contextlib
import datetime
import fcntl
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from orchestrator import labels
from orchestrator.docker_runtime import remove_lab
from orchestrator.engine import Engine
from orchestrator.errors import OrchestratorError
from orchestrator.process_runtime import EXPIRES_VARIABLE, ProcessRuntime, find_lab_processes
from orchestrator.state import StateDir

DATADIR_VARIABLE = "PSS_DATADIR"
"""``<the lab's directory>/data/<node>`` of a node that is a process."""
NODE_REPOSITORIES = ("pss-lab-node", "pss-lab-runtime")
IMAGE_KINDS = ("image", "runtime")
NO_NAME = "<none>:<none>"


@dataclass(kw_only=True)
class FoundLab:
    """A lab as its objects tell of it."""

    lab_id: str
    runtime: str
    directory: Path | None = None
    """Where its state is, as far as the objects know."""
    expires: str = ""
    """RFC 3339; empty: never."""
    owner: str = ""
    """User name of who started it, as far as the objects know."""
    running: set[str] = field(default_factory=set)
    """Nodes that run."""
    stopped: set[str] = field(default_factory=set)
    objects: int = 0
    """Containers, networks or processes."""

    @property
    def name(self) -> str:
        return self.lab_id.rpartition("-")[0]


@dataclass(frozen=True, kw_only=True)
class Leftover:
    """Something to remove, and why."""

    kind: str
    """"lab" or "image"."""
    id: str
    reason: str
    lab: FoundLab | None = None


def find_container_labs(engine: Engine) -> list[FoundLab]:
    """Labs of which the engine has objects."""
    found: dict[str, FoundLab] = {}
    for container in engine.client.api.containers(all=True, filters=labels.filters()):
        lab = _note(found, container["Labels"])
        name = container["Labels"].get(labels.NODE, "")
        if name:
            (lab.running if container["State"] == "running" else lab.stopped).add(name)
    for network in engine.client.api.networks(filters=labels.filters()):
        _note(found, network["Labels"])
    return list(found.values())


def find_process_labs() -> list[FoundLab]:
    """Labs of which this user has processes."""
    found: dict[str, FoundLab] = {}
    for pid, lab_id in find_lab_processes().items():
        lab = found.setdefault(lab_id, FoundLab(lab_id=lab_id, runtime="process"))
        lab.objects += 1
        with contextlib.suppress(psutil.Error, OSError):
            process = psutil.Process(pid)
            environment = process.environ()
            lab.owner = lab.owner or process.username()
            lab.expires = lab.expires or environment.get(EXPIRES_VARIABLE, "")
            datadir = environment.get(DATADIR_VARIABLE)
            if datadir:
                lab.directory = Path(datadir).parent.parent
                lab.running.add(Path(datadir).name)
    return list(found.values())


def choose_leftover_labs(
    labs: Iterable[FoundLab], *, root: Path, now: datetime.datetime | None = None
) -> list[Leftover]:
    """Which labs may go.

    Args:
        root: of the state directories here.
        now: with a time zone; default the present.
    """
    now = now or datetime.datetime.now(datetime.UTC)
    leftovers = []
    for lab in labs:
        if reason := _reason(lab, root, now):
            leftovers.append(Leftover(kind="lab", id=lab.lab_id, reason=reason, lab=lab))
    return leftovers


def choose_leftover_images(images: Iterable[Mapping[str, Any]], used: set[str]) -> list[Leftover]:
    """Which node and runtime images may go: all but the newest of each kind and those that containers use.

    Args:
        images: as the engine lists them.
        used: image ids of all containers.
    """
    by_kind: dict[str, list[Mapping[str, Any]]] = {kind: [] for kind in IMAGE_KINDS}
    for image in images:
        kind = (image.get("Labels") or {}).get(labels.KIND, "")
        tags = _tags(image)
        if kind in by_kind and all(tag.partition(":")[0] in NODE_REPOSITORIES for tag in tags):
            by_kind[kind].append(image)
    leftovers = []
    for kind in IMAGE_KINDS:
        newest_first = sorted(by_kind[kind], key=lambda image: int(image["Created"]), reverse=True)
        for image in newest_first[1:]:
            if image["Id"] not in used:
                name = (_tags(image) or [str(image["Id"])])[0]
                leftovers.append(Leftover(kind="image", id=name, reason="there is a newer one"))
    return leftovers


def find_leftover_images(engine: Engine) -> list[Leftover]:
    """Images in the engine that may go."""
    used = {container["ImageID"] for container in engine.client.api.containers(all=True)}
    return choose_leftover_images(engine.client.api.images(), used)


def remove_leftover(leftover: Leftover, engine: Engine | None) -> list[str]:
    """Remove something; the names of what was removed.

    Raises:
        OrchestratorError: the engine refuses.
    """
    if leftover.kind == "image":
        return _remove_image(leftover.id, engine)
    assert leftover.lab is not None
    return remove_objects(leftover.lab, engine)


def remove_objects(lab: FoundLab, engine: Engine | None) -> list[str]:
    """Remove everything that carries a lab's id, and its state directory where it is known."""
    removed = remove_lab(engine, lab.lab_id) if engine is not None else []
    processes = find_lab_processes(lab.lab_id)
    ProcessRuntime(lab.lab_id, lab.directory or Path("/nonexistent")).down()
    removed += [f"process {pid}" for pid in processes]
    if lab.directory is not None and StateDir(lab.name, lab.directory.parent).lab_id == lab.lab_id:
        shutil.rmtree(lab.directory, ignore_errors=True)
    return removed


def _note(found: dict[str, FoundLab], carried: Mapping[str, str]) -> FoundLab:
    lab_id = carried[labels.LAB_ID]
    lab = found.setdefault(lab_id, FoundLab(lab_id=lab_id, runtime="docker"))
    lab.objects += 1
    lab.expires = lab.expires or carried.get(labels.EXPIRES, "")
    lab.owner = lab.owner or carried.get(labels.OWNER, "")
    if carried.get(labels.STATE_DIR):
        lab.directory = Path(carried[labels.STATE_DIR])
    return lab


def _reason(lab: FoundLab, root: Path, now: datetime.datetime) -> str:
    """Why a lab may go; empty if it may not."""
    if lab.directory is not None and _at_work(lab.directory):
        return ""
    if lab.expires and labels.is_expired({labels.EXPIRES: lab.expires}, now):
        return f"expired {lab.expires}"
    directory = lab.directory
    if directory is None:
        here = StateDir(lab.name, root)
        if here.lab_id != lab.lab_id:
            return ""
        directory = here.directory
    return "" if (directory / "state.json").exists() else f"its state directory {directory} is gone"


def _at_work(directory: Path) -> bool:
    """Whether somebody starts or removes the lab just now, or plays a chapter: they hold its lock."""
    try:
        with open(directory.parent / f"{directory.name}.lock") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        pass  # no lock, or not ours to read: what the rest says counts
    return False


def _tags(image: Mapping[str, Any]) -> list[str]:
    return [tag for tag in image.get("RepoTags") or () if tag != NO_NAME]


def _remove_image(name: str, engine: Engine | None) -> list[str]:
    import docker.errors

    assert engine is not None
    removed = []
    try:
        # An image goes with its last name.
        for one in engine.client.images.get(name).tags or [name]:
            engine.client.images.remove(one)
            removed.append(f"image {one}")
    except docker.errors.NotFound:
        pass  # somebody was faster
    except docker.errors.APIError as error:
        raise OrchestratorError(f"removing image {name}: {error.explanation or error}") from None
    return removed
