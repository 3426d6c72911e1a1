"""Which runtime a lab gets, by name."""

from __future__ import annotations

from orchestrator.docker_runtime import DockerRuntime
from orchestrator.engine import Engine, engine_required
from orchestrator.errors import LabFileError, RuntimeUnavailable
from orchestrator.process_runtime import ProcessRuntime
from orchestrator.runtime import Report, Runtime
from orchestrator.state import StateDir


def open_runtime(kind: str, state: StateDir, port: int, report: Report) -> Runtime:
    """The runtime of that name; "auto" prefers containers and says so where there are none.

    Raises:
        RuntimeUnavailable: containers are wanted or required, and no engine answers.
        LabFileError: no such runtime.
    """
    if kind == "process":
        return ProcessRuntime(state.lab_id, state.directory)
    if kind not in ("docker", "auto"):
        raise LabFileError(f"no runtime {kind!r}", hint="runtimes: docker, process, auto")
    try:
        return DockerRuntime(state, Engine(), port=port)
    except RuntimeUnavailable as error:
        if kind == "docker" or engine_required():
            raise
        report(f"{error}\nRunning the lab as local processes instead. For containers: {error.hint}")
        return ProcessRuntime(state.lab_id, state.directory)
