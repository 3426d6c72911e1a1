"""Everything needed to understand a failure, in one directory: `lab dump`, and by itself when `lab up` fails.

Works on what is left of a lab: what cannot be had is named in ``missing.txt`` and does not keep the rest from being
written. No secret gets in: whatever is written goes through :class:`Redactor` first.
"""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import json
import platform
import sys
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

from node import __version__
from node.errors import LabError
from orchestrator import dump_engine
from orchestrator.errors import OrchestratorError
from orchestrator.faults.store import FILE as FAULTS_FILE
from orchestrator.readiness import missing
from orchestrator.redaction import Redactor
from orchestrator.runtime import NodeState, Report
from orchestrator.spec import NodeSpec
from orchestrator.spec_json import spec_to_json

if TYPE_CHECKING:
    from orchestrator.lab import Lab

FAILED_DIRECTORY = "_failed"
"""Below the state directory, for what is written by itself. No lab can have that name."""
FAILED_KEPT = 5
"""Of those, the newest."""
DIRECTORY_MODE = 0o700
FILE_MODE = 0o600
AT_ONCE = 8
"""Nodes that are asked."""
CALL_TIMEOUT_S = 3.0
"""For a node's first answer; one that does not give it is asked for nothing else."""

README = """\
What lab {name} was like at {when}, written by lab {version}.

  lab.json           the lab as it was started and should be: nodes, addresses, links; no keys
  lab.yml            the lab file as it is now, if there is one and it can be read; missing.txt says if it was changed
                     after the lab was started
  state.json         what was remembered: runtime, when it was started, whether it came up
  faults.json        what faults it was meant to have; not there if none
  status.json        which nodes run, what each lacks to be as it should
  doctor.txt         what this machine is like and what it is short of
  versions.json      of this program, Python, the engine, the system
  missing.txt        what could not be had, and why; not there if nothing was missing
  nodes/NAME/
    log.txt          what the node wrote
    events.ndjson    what happened in it, oldest first, a JSON document a line
    info.json        who it says it is, memory, uptime
    peers.json       whom it is connected with
    kademlia.txt     its table for people, and
    kademlia.json    for programs
    health.json      what it lacks
    inspect.json     its container as the engine has it
  gateway/           log.txt, inspect.json of the gateway's container
  networks.json      the lab's networks as the engine has them

Nodes that did not run have no more than a log and a container. Times are UTC. Private keys, the lab's token and the
values of environment variables are left out; the seed is there, and the lab's keys, which are for this lab only,
follow from it. What your own programs wrote to a log is there as they wrote it.
"""


def write_dump(lab: Lab, directory: Path) -> Path:
    """Write down how a lab is, as far as that can be found out.

    Args:
        directory: is made; it must not exist, or be empty.

    Returns:
        The same directory, as an absolute path.

    Raises:
        OrchestratorError: there is something in it, or it cannot be made.
    """
    directory = directory.absolute()
    try:
        directory.mkdir(mode=DIRECTORY_MODE, parents=True, exist_ok=True)
        if any(directory.iterdir()):
            raise OrchestratorError(f"{directory} is not empty", hint="name a directory that does not exist")
    except OSError as error:
        raise OrchestratorError(f"{directory}: {(error.strerror or str(error)).lower()}") from None
    _Dump(lab, directory).write()
    return directory


def dump_failure(lab: Lab, report: Report) -> None:
    """Write down a lab that did not come up, below its state directory, and say where; never fails itself."""
    root = lab.state.root / FAILED_DIRECTORY
    stamp = datetime.datetime.now(datetime.UTC).strftime("%Y%m%dT%H%M%S.%fZ")
    try:
        directory = lab.dump(root / f"{lab.spec.name}-{stamp}")
        _keep_newest(root)
    except (LabError, OSError) as error:
        report(f"how it was could not be written down: {error}")
    else:
        report(f"how it was is written down in {directory}")


class _Dump:
    """One dump that is being written."""

    def __init__(self, lab: Lab, directory: Path) -> None:
        self._lab, self._directory = lab, directory
        self._redactor = Redactor.of(lab)
        self._absent: list[str] = []

    def write(self) -> None:
        lab = self._lab
        now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
        self._write("README.txt", README.format(name=lab.spec.name, when=now, version=__version__))
        self._json("lab.json", lambda: spec_to_json(lab.spec))
        if lab.spec.source and Path(lab.spec.source).is_file():
            self._text("lab.yml", lambda: self._lab_file(Path(lab.spec.source)))
        self._json("state.json", self._state)
        if (faults := lab.state.directory / FAULTS_FILE).is_file():
            self._text("faults.json", faults.read_text)
        self._json("versions.json", self._versions)
        states: dict[str, NodeState] = {}
        with self._noting("the runtime's nodes"):
            states = lab.runtime.node_states()
        with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="dump") as pool:
            nodes = lab.spec.nodes
            told = pool.map(lambda node: self._node(node, states.get(node.name, NodeState.MISSING)), nodes)
            lacks = {node.name: lack for node, lack in zip(nodes, told, strict=True)}
        self._json("status.json", lambda: self._status(states, lacks))
        for path, text in dump_engine.files(lab, self._note):
            self._write(path, text)
        self._text("doctor.txt", self._doctor)
        if self._absent:
            self._write("missing.txt", "".join(f"{line}\n" for line in sorted(self._absent)))

    # -- one node

    def _node(self, spec: NodeSpec, state: NodeState) -> list[str] | None:
        """Write a node's files; what it lacks, None where it does not answer."""
        folder = f"nodes/{spec.name}"
        if state is not NodeState.MISSING:
            self._text(f"{folder}/log.txt", lambda: _lines(self._lab.runtime.logs(spec)))
        if state is not NodeState.RUNNING:
            self._note(f"{folder}: {spec.name} is {state}")
            return None
        try:
            node = self._lab[spec.name]
            info = node.control.info(timeout_s=CALL_TIMEOUT_S)
        except LabError as error:
            self._note(f"{folder}: {error}")
            return None
        self._json(f"{folder}/info.json", lambda: _plain(info))
        self._json(f"{folder}/peers.json", lambda: [_plain(peer) for peer in node.control.peers()])
        self._json(f"{folder}/kademlia.json", lambda: _plain(node.control.kademlia()))
        self._text(f"{folder}/kademlia.txt", lambda: str(node.rpc("hive_string")))
        if spec.reference is None:
            self._text(f"{folder}/events.ndjson", lambda: _lines(map(_event_line, node.control.history())))
        lacks = missing(self._lab.spec, node)
        self._json(f"{folder}/health.json", lambda: {"ready": not lacks, "missing": lacks})
        return lacks

    # -- the lab

    def _status(self, states: dict[str, NodeState], lacks: dict[str, list[str] | None]) -> list[dict[str, Any]]:
        return [
            {
                "name": name,
                "state": str(states.get(name, NodeState.MISSING)),
                "answers": lacks.get(name) is not None,
                "missing": lacks.get(name) or [],
            }
            for name in self._lab.spec.node_names
        ]

    def _lab_file(self, path: Path) -> str:
        text = path.read_text()
        # To the second, as that is how the start is remembered.
        changed = datetime.datetime.fromtimestamp(int(path.stat().st_mtime), datetime.UTC)
        saved = self._lab.state.load()
        if saved is not None and changed > datetime.datetime.fromisoformat(saved.created):
            when = changed.isoformat()
            self._note(f"lab.yml as it was when the lab was started: the file was changed at {when}; see lab.json")
        return text

    def _state(self) -> dict[str, Any]:
        saved = self._lab.state.load()
        known = {"lab_id": self._lab.state.lab_id, "runtime": self._lab.runtime.name}
        known["directory"] = str(self._lab.state.directory)
        if saved is None:
            return {**known, "remembered": False}
        expires = saved.spec.expires or None
        return {**known, "remembered": True, "created": saved.created, "complete": saved.complete, "expires": expires}

    def _versions(self) -> dict[str, Any]:
        return {
            "lab": __version__,
            "python": sys.version,
            "system": platform.platform(),
            "engine": dump_engine.version(self._lab),
        }

    def _doctor(self) -> str:
        from orchestrator.doctor import examine

        # Without the helper container: this is no moment to start more.
        return _lines(examine(kernel=False).lines())

    # -- writing

    def _json(self, name: str, make: Callable[[], Any]) -> None:
        self._text(name, lambda: json.dumps(make(), indent=2) + "\n")

    def _text(self, name: str, make: Callable[[], str]) -> None:
        with self._noting(name):
            self._write(name, make())

    @contextlib.contextmanager
    def _noting(self, what: str) -> Iterator[None]:
        """Whatever goes wrong is one thing less in the dump, and no reason to lose the others."""
        try:
            yield
        except Exception as error:
            self._note(f"{what}: {type(error).__name__}: {error}")

    def _note(self, line: str) -> None:
        self._absent.append(line)

    def _write(self, name: str, text: str) -> None:
        path = self._directory / name
        path.parent.mkdir(mode=DIRECTORY_MODE, parents=True, exist_ok=True)
        with open(path, "x", encoding="utf-8", errors="replace") as file:  # "x": never over something
            path.chmod(FILE_MODE)
            file.write(self._redactor.clean(text))


def _plain(message: Any) -> dict[str, Any]:
    """A message of the control interface as JSON types: bytes in hex, as everywhere else."""
    document: dict[str, Any] = {}
    for field, value in message.ListFields():
        document[field.name] = _plain_value(value)
    return document


def _plain_value(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, str | int | float | bool):
        return value
    if hasattr(value, "ListFields"):
        return _plain(value)
    return [_plain_value(one) for one in value]


def _event_line(event: Any) -> str:
    return json.dumps(dataclasses.asdict(event), default=str)


def _lines(lines: Iterable[str]) -> str:
    return "".join(f"{line}\n" for line in lines)


def _keep_newest(root: Path) -> None:
    import shutil

    old = sorted(root.iterdir(), key=lambda path: path.name.rpartition("-")[2], reverse=True)[FAILED_KEPT:]
    for directory in old:
        shutil.rmtree(directory, ignore_errors=True)
