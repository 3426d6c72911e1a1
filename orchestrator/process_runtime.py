"""Nodes as child processes on loopback: no engine needed.

They outlive the command that started them. Each is known by process id and start time, and carries the lab's id in its
environment, so that it can be found when everything else about the lab is gone.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil

from orchestrator.engine import START_HINT
from orchestrator.errors import LabNotReady, OrchestratorError, RuntimeUnavailable
from orchestrator.runtime import ControlAddress, NodeState, Report
from orchestrator.spec import LabSpec, NodeSpec

LAB_ID_VARIABLE = "PSS_LAB_ID"
EXPIRES_VARIABLE = "PSS_LAB_EXPIRES"
"""RFC 3339, as the label of containers; empty: never."""
STOP_TIMEOUT_S = 4.0
"""From SIGTERM to SIGKILL; a node stops in two."""
LOG_POLL_S = 0.2
STARTED_BY_US = {"PYTHONDONTWRITEBYTECODE": None, "PYTHONUNBUFFERED": "1", "PYTHONWARNINGS": None}
"""Settings that nodes get whatever ours are; None removes one. Without compiled modules a start takes a second more."""


@dataclass(slots=True)
class _Process:
    """A node that was started."""

    pid: int
    started: float
    """Creation time, which with the pid names a process for good."""
    port: int = 0
    """TCP port for peers: a node that restarts must be found where it was."""


class ProcessRuntime:
    """Runs nodes as processes."""

    name = "process"

    def __init__(self, lab_id: str, directory: Path) -> None:
        """`directory` is the lab's own: logs, data and the list of processes live there."""
        self._lab_id, self._directory = lab_id, directory
        self._table = directory / "processes.json"
        self._lock = threading.Lock()
        self._spec: LabSpec | None = None

    # -- Runtime

    def prepare(self, spec: LabSpec, report: Report) -> None:
        foreign = [node.name for node in spec.nodes if node.reference]
        if foreign:
            raise RuntimeUnavailable(
                f"nodes of kind reference are images, which processes cannot be: {', '.join(foreign)}",
                hint=f"{START_HINT}; or leave those nodes out",
            )
        self._spec = spec
        (self._directory / "logs").mkdir(parents=True, exist_ok=True)
        self._sockets.mkdir(mode=0o700, parents=True, exist_ok=True)

    def start_node(self, node: NodeSpec) -> None:
        assert self._spec is not None
        known = self._processes().get(node.name)
        if known is not None and _find(known) is not None:
            return
        port = known.port if known else 0
        with open(self._log(node.name), "ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "node"],
                env=self._environment(self._spec, node, port),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self._record(node.name, _Process(process.pid, _created(process.pid), port))
        # Reaps the child when it ends while we are still here.
        threading.Thread(target=process.wait, name=f"wait for {node.name}", daemon=True).start()

    def remember_port(self, node: NodeSpec, port: int) -> None:
        """Use this port when the node is started again."""
        known = self._processes()[node.name]
        known.port = port
        self._record(node.name, known)

    def stop_node(self, node: NodeSpec, *, kill: bool = False) -> None:
        known = self._processes().get(node.name)
        if known is not None:
            _end([known], kill=kill)

    def pause_node(self, node: NodeSpec, paused: bool) -> None:
        known = self._processes().get(node.name)
        process = _find(known) if known is not None else None
        if process is not None:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.suspend() if paused else process.resume()

    def node_states(self) -> dict[str, NodeState]:
        return {name: _state(_find(process)) for name, process in self._processes().items()}

    def control_address(self, node: NodeSpec) -> ControlAddress:
        return ControlAddress(f"unix:{self._socket(node.name)}")

    def logs(self, node: NodeSpec, *, follow: bool = False, tail: int | None = None) -> Iterator[str]:
        path = self._log(node.name)
        if not path.exists():
            return
        with open(path, errors="replace") as file:
            lines = file.read().splitlines()
            yield from lines[-tail:] if tail is not None else lines
            while follow:
                line = file.readline()
                if line:
                    yield line.rstrip("\n")
                elif self.node_states().get(node.name) is not NodeState.RUNNING:
                    return
                else:
                    time.sleep(LOG_POLL_S)

    def execute(self, node: NodeSpec, command: Sequence[str]) -> tuple[int, str]:
        assert self._spec is not None
        done = subprocess.run(  # noqa: S603  -- what the user asked to run
            list(command),
            cwd=self._directory,
            env=self._environment(self._spec, node, 0),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        return done.returncode, done.stdout

    def down(self) -> list[str]:
        processes = self._processes()
        known = {process.pid for process in processes.values()}
        # The list may be gone, or its writer killed before it noted what it had started.
        strays = [process for process in _strays(self._lab_id) if process.pid not in known]
        _end([*processes.values(), *strays])
        removed = [f"process {name}" for name in [*processes, *(stray.pid for stray in strays)]]
        self._table.unlink(missing_ok=True)
        for socket in self._sockets.glob("*") if self._sockets.exists() else ():
            socket.unlink()
        if self._sockets.exists():
            self._sockets.rmdir()
        return removed

    def close(self) -> None:
        pass

    # -- one node

    def _environment(self, spec: LabSpec, node: NodeSpec, port: int) -> dict[str, str]:
        ours = {
            LAB_ID_VARIABLE: self._lab_id,
            EXPIRES_VARIABLE: spec.expires,
            "PSS_NAME": node.name,
            "PSS_DATADIR": str(self._directory / "data" / node.name),
            "PSS_IPCPATH": str(self._sockets / f"{node.name}.ipc"),
            "PSS_ADDR": "127.0.0.1",
            "PSS_PORT": str(port),
            "PSS_NAT": "extip:127.0.0.1",
            "PSS_NODEKEYHEX": node.node_key.secret.hex(),
            "PSS_BZZKEYHEX": node.bzz_key.secret.hex(),
            "PSS_BZZNETWORKID": str(spec.network_id),
            "PSS_MAXPEERS": str(max(len(spec.nodes), 50)),
            "PSS_DISABLE_AUTO_CONNECT": str(not spec.auto_connect).lower(),
            "PSS_FORGET_PEERS": "true",  # who is to be connected, the lab says
            "PSS_CONTROL": f"unix:{self._socket(node.name)}",
            "PSS_VERBOSITY": str(spec.verbosity),
            **(node.own.environment(node.own.directory) if node.own else {}),
        }
        inherited = {k: v for k, v in os.environ.items() if k not in STARTED_BY_US and not k.startswith("PSS_")}
        return inherited | ours | {k: v for k, v in STARTED_BY_US.items() if v is not None}

    @property
    def _sockets(self) -> Path:
        """A short place: paths of unix sockets end at 108 bytes."""
        base = os.environ.get("XDG_RUNTIME_DIR") or tempfile.gettempdir()
        return Path(base) / f"pss-{os.getuid()}-{self._lab_id}"

    def _socket(self, name: str) -> Path:
        return self._sockets / f"{name}.control"

    def _log(self, name: str) -> Path:
        return self._directory / "logs" / f"{name}.log"

    # -- the list of processes

    def _processes(self) -> dict[str, _Process]:
        try:
            table = json.loads(self._table.read_text())
        except FileNotFoundError:
            return {}
        return {name: _Process(**row) for name, row in table.items()}

    def _record(self, name: str, process: _Process) -> None:
        with self._lock:
            table = {**self._processes(), name: process}
            text = json.dumps({key: asdict(value) for key, value in table.items()}, indent=1)
            temporary = self._table.with_suffix(".tmp")
            temporary.write_text(text)
            temporary.replace(self._table)


def find_lab_processes(lab_id: str | None = None) -> dict[int, str]:
    """Processes of this user that carry a lab's id in their environment: pid to lab id."""
    found = {}
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            value = process.environ().get(LAB_ID_VARIABLE)
            if value and process.pid != os.getpid() and lab_id in (None, value):
                found[process.pid] = value
    return found


def _strays(lab_id: str) -> Iterator[_Process]:
    for pid in find_lab_processes(lab_id):
        with contextlib.suppress(psutil.NoSuchProcess):
            yield _Process(pid, psutil.Process(pid).create_time())


def _end(processes: Sequence[_Process], *, kill: bool = False) -> None:
    """Signal processes by their id, wait, and kill those that take too long."""
    running = [found for process in processes if (found := _find(process)) is not None]
    for process in running:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill() if kill else process.terminate()
            process.resume()  # one that is paused would not hear the signal
    _, left = psutil.wait_procs(running, timeout=STOP_TIMEOUT_S)
    for process in left:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    _, left = psutil.wait_procs(left, timeout=STOP_TIMEOUT_S)
    if left:
        raise OrchestratorError(f"process {left[0].pid} does not end")


def _find(process: _Process) -> psutil.Process | None:
    """This very process, if it runs; its number may be another's by now, and a zombie does not count."""
    try:
        found = psutil.Process(process.pid)
        if found.create_time() == process.started and found.status() != psutil.STATUS_ZOMBIE:
            return found
    except psutil.NoSuchProcess:
        pass
    return None


def _state(process: psutil.Process | None) -> NodeState:
    try:
        if process is None:
            return NodeState.STOPPED
        return NodeState.PAUSED if process.status() == psutil.STATUS_STOPPED else NodeState.RUNNING
    except psutil.NoSuchProcess:
        return NodeState.STOPPED


def _created(pid: int) -> float:
    try:
        return psutil.Process(pid).create_time()
    except psutil.NoSuchProcess:
        raise LabNotReady(f"process {pid} ended at once") from None
