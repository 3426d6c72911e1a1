"""The labs of this machine: :class:`orchestrator.cli.labs.Labs` over the state directory, the engine and processes."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from orchestrator.errors import OrchestratorError, RuntimeUnavailable

if TYPE_CHECKING:
    from orchestrator.chapter.examples import Example
    from orchestrator.chapter.transcript import Said, Transcript
    from orchestrator.doctor import Examination
    from orchestrator.engine import Engine
    from orchestrator.gc import FoundLab, Leftover
    from orchestrator.image import ImageInfo
    from orchestrator.lab import Lab
    from orchestrator.runtime import Report
    from orchestrator.spec import LabSpec
    from orchestrator.state import SavedLab

LAST_DIGEST_FILE = "last_digest"


class InstalledLabs:
    """The real ones."""

    def __init__(self, root: Path | None = None) -> None:
        self._given_root = root

    @property
    def _root(self) -> Path:
        from orchestrator.state import default_root

        return (self._given_root or default_root()).absolute()

    def up(
        self,
        spec: LabSpec,
        *,
        runtime: str,
        port: int,
        report: Report,
        progress: Callable[[str, int, int], None],
        keep_on_failure: bool,
    ) -> Lab:
        from orchestrator.lab import Lab

        return Lab.up(
            spec,
            runtime=runtime,
            state_root=self._root,
            port=port,
            report=report,
            progress=progress,
            keep_on_failure=keep_on_failure,
            on_failure=lambda lab: self.dump_failure(lab, report),
        )

    def play(self, example: Example, *, runtime: str, show: Callable[[Said], None], report: Report) -> Transcript:
        from orchestrator.chapter.play import play

        return play(example, runtime=runtime, state_root=self._root, show=show, report=report)

    def open(self, name: str) -> Lab:
        from orchestrator.lab import Lab

        return Lab.open(name, state_root=self._root)

    def saved(self) -> dict[str, SavedLab | OrchestratorError]:
        from orchestrator.state import StateDir, saved_names

        labs: dict[str, SavedLab | OrchestratorError] = {}
        for name in saved_names(self._root):
            try:
                if (lab := StateDir(name, self._root).load()) is not None:
                    labs[name] = lab
            except OrchestratorError as error:
                labs[name] = error
        return labs

    def lab_id(self, name: str) -> str:
        from orchestrator.state import StateDir

        return StateDir(name, self._root).lab_id

    def found(self, report: Report) -> list[FoundLab]:
        from orchestrator import gc

        with _engine(report) as engine:
            containers = gc.find_container_labs(engine) if engine is not None else []
        return containers + gc.find_process_labs()

    def remove(self, name: str, report: Report) -> list[str]:
        from orchestrator.docker_runtime import remove_lab
        from orchestrator.process_runtime import ProcessRuntime, find_lab_processes
        from orchestrator.state import StateDir

        state = StateDir(name, self._root)
        with state.lock():
            saved = self.saved().get(name)
            in_containers = getattr(saved, "runtime", "") == "docker"
            # Both runtimes, whatever the state says: it may be gone, damaged or from before.
            strays = find_lab_processes(state.lab_id)
            removed = ProcessRuntime(state.lab_id, state.directory).down()
            removed = removed or [f"process {pid}" for pid in strays]
            with _engine(report if saved is None else _ignore, required=in_containers) as engine:
                if engine is not None:
                    removed += remove_lab(engine, state.lab_id)
            if state.directory.exists():
                removed.append(f"directory {state.directory}")
            state.remove()
        return removed

    def remove_found(self, lab: FoundLab) -> list[str]:
        from orchestrator import gc

        with _engine(_ignore, required=lab.runtime == "docker") as engine:
            return gc.remove_objects(lab, engine, root=self._root)

    def leftovers(self, report: Report) -> list[Leftover]:
        from orchestrator import gc

        labs = gc.choose_leftover_labs(self.found(report), root=self._root)
        with _engine(_ignore) as engine:
            return labs + (gc.find_leftover_images(engine) if engine is not None else [])

    def remove_leftover(self, leftover: Leftover) -> list[str]:
        from orchestrator import gc

        with _engine(_ignore) as engine:
            return gc.remove_leftover(leftover, engine, root=self._root)

    def image(self, report: Report, *, rebuild: bool) -> ImageInfo:
        from orchestrator.image import ensure_image

        with _engine(report, required=True) as engine:
            assert engine is not None
            return ensure_image(engine.client, report=report, rebuild=rebuild)

    def dump_failure(self, lab: Lab, report: Report) -> None:
        from orchestrator.dump import dump_failure

        dump_failure(lab, report)

    def examine(self, *, runtime: str, nodes: int, port: int, kernel: bool) -> Examination:
        from orchestrator.doctor import examine

        return examine(root=self._root, runtime=runtime, nodes=nodes, port=port, kernel=kernel)

    def last_digest(self, name: str) -> str:
        try:
            return (self._root / name / LAST_DIGEST_FILE).read_text().strip()
        except OSError:
            return ""

    def remember_digest(self, name: str, digest: str) -> None:
        # A message is not worth failing for when the lab has been removed meanwhile.
        with contextlib.suppress(OSError):
            (self._root / name / LAST_DIGEST_FILE).write_text(digest + "\n")


@contextlib.contextmanager
def _engine(report: Report, *, required: bool = False) -> Iterator[Engine | None]:
    """The engine if one answers."""
    from orchestrator.engine import Engine

    try:
        engine = Engine()
    except RuntimeUnavailable as error:
        if required:
            raise
        report(f"no containers were looked for: {error}")
        yield None
        return
    try:
        yield engine
    finally:
        engine.close()


def _ignore(line: str) -> None:
    pass
