"""Leftovers: labs whose state directory is gone or whose time is over, and node images that nothing needs.

Labs are found by what their objects carry, labels of containers and networks or the environment of processes. A lab
that somebody's state directory knows, and that has not expired, is never touched. Of a lab of another machine that uses
the same engine only that is known: it has expired or not. Without a record of where its state is, a lab is a leftover
only if its id says that it is from here.
"""

from __future__ import annotations

import contextlib
import datetime
import fcntl
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from orchestrator import labels, names
from orchestrator.docker_runtime import remove_lab
from orchestrator.engine import Engine
from orchestrator.errors import LabFileError, OrchestratorError
from orchestrator.process_runtime import EXPIRES_VARIABLE, ProcessRuntime, find_lab_processes
from orchestrator.state import StateDir

DATADIR_VARIABLE = "PSS_DATADIR"
"""``<the lab's directory>/data/<node>`` of a node that is a process."""
NODE_REPOSITORIES = ("pss-lab-node", "pss-lab-runtime")
IMAGE_KINDS = ("image", "runtime")
NO_NAME = "<none>:<none>"
NOWHERE = Path("/nonexistent")
IN_A_CONTAINER = "a container"
"""Instead of a host: of processes that see other files than we."""


@dataclass(kw_only=True)
class FoundLab:
    """A lab as its objects tell of it."""

    lab_id: str
    runtime: str
    directory: Path | None = None
    """Where its state is, as far as the objects know."""
    host: str = ""
    """On which machine that is, as :func:`orchestrator.labels.this_host`; empty: not known."""
    created: str = ""
    """RFC 3339; empty: not known."""
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

    @property
    def host_name(self) -> str:
        """Of the machine, for people."""
        return self.host.rpartition("-")[0] or self.host

    @property
    def is_from_elsewhere(self) -> bool:
        """Whether it is known to be of another machine."""
        return self.host not in ("", labels.this_host())


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
        if not _is_lab_id(container["Labels"][labels.LAB_ID]):
            continue
        lab = _note(found, container["Labels"])
        name = container["Labels"].get(labels.NODE, "")
        if name:
            (lab.running if container["State"] == "running" else lab.stopped).add(name)
    for network in engine.client.api.networks(filters=labels.filters()):
        if _is_lab_id(network["Labels"][labels.LAB_ID]):
            _note(found, network["Labels"])
    return list(found.values())


def find_process_labs() -> list[FoundLab]:
    """Labs of which this user has processes."""
    found: dict[str, FoundLab] = {}
    for pid, lab_id in find_lab_processes().items():
        if not _is_lab_id(lab_id):
            continue
        lab = found.setdefault(lab_id, FoundLab(lab_id=lab_id, runtime="process"))
        lab.objects += 1
        with contextlib.suppress(psutil.Error, OSError):
            process = psutil.Process(pid)
            environment = process.environ()
            lab.owner = lab.owner or process.username()
            started = datetime.datetime.fromtimestamp(process.create_time(), datetime.UTC)
            lab.created = _earlier(lab.created, labels.format_time(started))
            lab.expires = lab.expires or environment.get(EXPIRES_VARIABLE, "")
            datadir = environment.get(DATADIR_VARIABLE)
            if datadir:
                lab.directory = Path(datadir).parent.parent
                lab.host = labels.this_host() if _sees_our_files(pid) else IN_A_CONTAINER
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
        if _at_work(lab, root):
            continue
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


def remove_leftover(leftover: Leftover, engine: Engine | None, *, root: Path) -> list[str]:
    """Remove something; the names of what was removed, nothing if it is no leftover any more.

    Args:
        root: of the state directories here.

    Raises:
        OrchestratorError: the engine refuses.
    """
    if leftover.kind == "image":
        return _remove_image(leftover.id, engine)
    assert leftover.lab is not None
    # Whoever holds the lock starts it anew or removes it: nothing to wait for.
    if _at_work(leftover.lab, root):
        return []
    with _lock(leftover.lab, root) as state:
        now = datetime.datetime.now(datetime.UTC)
        labs = find_process_labs() + (find_container_labs(engine) if engine is not None else [])
        again = [lab for lab in labs if lab.lab_id == leftover.id]
        if not again or not all(_reason(lab, root, now) for lab in again):
            return []
        return _remove(leftover.id, engine, state)


def remove_objects(lab: FoundLab, engine: Engine | None, *, root: Path) -> list[str]:
    """Remove everything that carries a lab's id, and its state directory if it is ours; the names of what was removed.

    Waits for whoever starts or removes it just now.
    """
    with _lock(lab, root) as state:
        return _remove(lab.lab_id, engine, state)


def _remove(lab_id: str, engine: Engine | None, state: StateDir | None) -> list[str]:
    removed = remove_lab(engine, lab_id) if engine is not None else []
    processes = find_lab_processes(lab_id)
    # What another user's directory, or one of another machine, says of processes is not for us.
    ProcessRuntime(lab_id, state.directory if state else NOWHERE).down()
    removed += [f"process {pid}" for pid in processes]
    if state is not None:
        if state.directory.exists():
            removed.append(f"directory {state.directory}")
        state.remove()
    return removed


@contextlib.contextmanager
def _lock(lab: FoundLab, root: Path) -> Iterator[StateDir | None]:
    """Let nobody else change a lab. Gives its state if that is ours; None, and no lock, if it is not."""
    directory = _directory(lab, root)
    with contextlib.ExitStack() as stack:
        state: StateDir | None = None
        # Locking makes the directory of the locks, but is to leave no directories above it behind.
        if directory is not None and _exists(directory.parent.parent):
            candidate = StateDir(lab.name, directory.parent)
            # Not so of another user's: what we made there would be in that user's way.
            if (candidate.lab_id, candidate.directory) == (lab.lab_id, directory):
                with contextlib.suppress(OSError):  # a file system for reading only has no state to change either
                    stack.enter_context(candidate.lock())
                    state = candidate
        yield state


def _note(found: dict[str, FoundLab], carried: Mapping[str, str]) -> FoundLab:
    lab_id = carried[labels.LAB_ID]
    lab = found.setdefault(lab_id, FoundLab(lab_id=lab_id, runtime="docker"))
    lab.objects += 1
    lab.expires = lab.expires or carried.get(labels.EXPIRES, "")
    lab.owner = lab.owner or carried.get(labels.OWNER, "")
    lab.created = _earlier(lab.created, carried.get(labels.CREATED, ""))
    lab.host = lab.host or carried.get(labels.HOST, "")
    if carried.get(labels.STATE_DIR):
        lab.directory = Path(carried[labels.STATE_DIR])
    return lab


def _reason(lab: FoundLab, root: Path, now: datetime.datetime) -> str:
    """Why a lab may go; empty if it may not."""
    if labels.is_expired({labels.EXPIRES: lab.expires}, now):
        return f"expired {lab.expires}"
    directory = _directory(lab, root)
    if directory is None or _exists(directory / "state.json"):
        return ""
    return f"its state directory {directory} is gone"


def _directory(lab: FoundLab, root: Path) -> Path | None:
    """Where on this machine the lab's state is, or was; None if it is on another, or nobody knows."""
    if lab.is_from_elsewhere:
        return None
    if lab.directory is not None and lab.host:
        return lab.directory
    here = StateDir(lab.name, root)
    return here.directory if here.lab_id == lab.lab_id else None


def _exists(path: Path) -> bool:
    """Whether something is there, or may be: what another user has closed to us is not gone."""
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:
        pass
    return True


def _at_work(lab: FoundLab, root: Path) -> bool:
    """Whether somebody starts or removes the lab just now, or plays a chapter: they hold its lock."""
    directory = _directory(lab, root)
    if directory is None:
        return False
    try:
        with open(directory.parent / f"{directory.name}.lock") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        pass  # no lock, or not ours to read: what the rest says counts
    return False


def _is_lab_id(text: str) -> bool:
    """Whether an object is a lab's; anybody can put anything in a label."""
    try:
        names.check_lab_name(text.rpartition("-")[0])
    except LabFileError:
        return False
    return True


def _sees_our_files(pid: int) -> bool:
    """Whether a path means the same to a process and to us; it does not to one in a container."""
    try:
        return os.readlink(f"/proc/{pid}/ns/mnt") == os.readlink("/proc/self/ns/mnt")
    except OSError:  # not Linux
        return True


def _earlier(a: str, b: str) -> str:
    """The first of two times in the form of labels, which sort as they read; empty is none."""
    return min(filter(None, (a, b)), default="")


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
