"""Starting labs for tests: from what a marker says to a lab, under a name that no other worker has."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

from orchestrator.errors import LabFileError
from orchestrator.lab import Lab
from orchestrator.names import MAX_NAME_CHARS
from orchestrator.source import resolve
from orchestrator.spec import LabSpec
from orchestrator.topology import make_spec

DEFAULT_SOURCE = "default"
DEFAULT_SEED = 1


class LabFactory:
    """Starts labs, and takes them down at the end of the block.

    Attributes:
        labs: those that were started.
        failed: gets a lab that does not come up, while there is something to look at: before it is removed.
    """

    def __init__(
        self,
        *,
        runtime: str,
        state_root: Path,
        directory: Path,
        worker: str = "",
        started: Callable[[Lab], object] = lambda lab: None,
        failed: Callable[[Lab], None] = lambda lab: None,
    ) -> None:
        """
        Args:
            runtime: of labs that do not say theirs.
            state_root: where labs are remembered; one of this test alone.
            directory: where lab files are looked for first, then the working directory.
            worker: of pytest-xdist, such as `gw0`.
            started: gets each lab that was started.
            failed: gets each that does not come up, before it is removed.
        """
        self.labs: list[Lab] = []
        self.failed = failed
        self._started = started
        self._runtime, self._state_root, self._directory, self._worker = runtime, state_root, directory, worker

    def __call__(
        self,
        source: LabSpec | str | Path | None = None,
        *,
        topology: str = "",
        nodes: int | None = None,
        runtime: str | None = None,
        name: str = "",
        seed: int = DEFAULT_SEED,
        **options: Any,
    ) -> Lab:
        """Start a lab and wait until it is ready.

        Args:
            source: a stock lab, a lab file or a spec.
            topology, nodes: a shape and how many, in place of `source`.
            runtime: "docker", "process" or "auto", in place of what the run was started with.
            name: of a lab that is a topology; default the topology and the number of nodes.
            seed, options: as for :func:`orchestrator.topology.make_spec`.

        Raises:
            LabFileError: what was asked for makes no sense.
            OrchestratorError: the lab does not come up.
        """
        if topology:
            if source is not None:
                raise LabFileError("source and topology exclude each other")
            if nodes is None:
                raise LabFileError(f"topology {topology!r} of how many nodes?", hint="nodes=8")
            spec = make_spec(name or f"{topology}{nodes}", kind=topology, n=nodes, seed=seed, **options)
        else:
            if nodes is not None or name or options or seed != DEFAULT_SEED:
                raise LabFileError("nodes, name, seed and other options are for a topology", hint="topology='ring'")
            spec = source if isinstance(source, LabSpec) else resolve(beside(self._directory, source or DEFAULT_SOURCE))
        lab = Lab.up(
            self._named_apart(spec),
            runtime=runtime or self._runtime,
            state_root=self._state_root,
            on_failure=self.failed,
        )
        self.labs.append(lab)
        self._started(lab)
        return lab

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        failures = []
        for lab in self.labs:
            try:
                lab.down()
            except Exception as error:  # the others have to go all the same
                failures.append(error)
        if failures:
            raise failures[0]

    def _named_apart(self, spec: LabSpec) -> LabSpec:
        """The same lab, keys included, under a name that no other worker and no other lab of this test has."""
        same = [lab.spec.name for lab in self.labs]
        suffix = f"-{self._worker}" if self._worker else ""
        name = _append(spec.name, suffix)
        for number in range(2, len(same) + 2):
            if name not in same:
                break
            name = _append(spec.name, f"{suffix}-{number}")
        return dataclasses.replace(spec, name=name)


def beside(directory: Path, source: str | Path) -> str | Path:
    """The file that is meant if there is one in the test's directory, else what was said."""
    file = directory / source
    return file if file.is_file() else source


def _append(name: str, suffix: str) -> str:
    return name[: MAX_NAME_CHARS - len(suffix)].rstrip("-") + suffix
