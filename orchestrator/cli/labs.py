"""Where the commands get labs from. The seam for tests: they hand in an object of their own."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from orchestrator.errors import LabFileError, OrchestratorError

if TYPE_CHECKING:
    from orchestrator.chapter.examples import Example
    from orchestrator.chapter.transcript import Said, Transcript
    from orchestrator.doctor import Examination
    from orchestrator.gc import FoundLab, Leftover
    from orchestrator.image import ImageInfo
    from orchestrator.lab import Lab
    from orchestrator.runtime import Report
    from orchestrator.spec import LabSpec
    from orchestrator.state import SavedLab

DEFAULT_NAME = "default"


class Labs(Protocol):
    """The labs of one state directory, and what else runs on this machine."""

    def up(
        self,
        spec: LabSpec,
        *,
        runtime: str,
        port: int,
        report: Report,
        progress: Callable[[str, int, int], None],
        keep_on_failure: bool,
    ) -> Lab: ...

    def play(self, example: Example, *, runtime: str, show: Callable[[Said], None], report: Report) -> Transcript:
        """Play an example of the tutorial to its end; nothing of it stays."""

    def open(self, name: str) -> Lab: ...

    def saved(self) -> dict[str, SavedLab | OrchestratorError]:
        """Labs of the state directory by name; the error where what was saved cannot be read."""

    def lab_id(self, name: str) -> str:
        """What the objects of a lab of this state directory carry."""

    def found(self, report: Report) -> list[FoundLab]:
        """Labs of which there are containers or processes, from wherever they were started."""

    def remove(self, name: str, report: Report) -> list[str]:
        """Remove a lab by its name, whatever is left of it; the names of what was removed."""

    def remove_found(self, lab: FoundLab) -> list[str]:
        """Remove a lab that was found."""

    def leftovers(self, report: Report) -> list[Leftover]: ...

    def remove_leftover(self, leftover: Leftover) -> list[str]: ...

    def image(self, report: Report, *, rebuild: bool) -> ImageInfo:
        """The node image, built if need be."""

    def dump_failure(self, lab: Lab, report: Report) -> None:
        """Write down how a lab is that failed, and say where; never fails itself."""

    def examine(self, *, runtime: str, nodes: int, port: int, kernel: bool) -> Examination:
        """What this machine is like."""

    def last_digest(self, name: str) -> str:
        """Of the message sent last, in hex; empty if none was."""

    def remember_digest(self, name: str, digest: str) -> None: ...


def choose_lab(labs: Labs, name: str | None, *, how: str = "--lab NAME") -> str:
    """The name that was given, or that of the only lab of the state directory, or `default`.

    Args:
        how: a name is given.

    Raises:
        LabFileError: the name is none, or several labs run and none was named.
    """
    from orchestrator.names import check_lab_name

    if name:
        return check_lab_name(name)
    names = sorted(labs.saved())
    if len(names) > 1:
        raise LabFileError(f"several labs run: {', '.join(names)}", hint=f"choose one with {how}")
    return names[0] if names else DEFAULT_NAME
