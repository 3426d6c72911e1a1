"""What a lab can fail with, and the exit code that the command line makes of it.

::

    OrchestratorError      1   something about the lab failed
      LabFileError         2   a lab file, topology or name makes no sense; .line, .column where known
      UnknownNode          2   no such node in this lab
      PreflightError       4   this machine cannot carry the lab, as it is
      LabNotFound          5   no such lab
      LabNotReady          6   some nodes are not up, connected or healthy in time
      RuntimeUnavailable   7   no engine answers, or it refuses
        ImageError         7   an image cannot be built, or not be pulled
      DeliveryFailed     124   a message did not arrive in time
"""

from __future__ import annotations

from node.errors import LabError


class OrchestratorError(LabError):
    """Something about a lab failed.

    Attributes:
        exit_code: of the command line (docs/cli.md).
        hint: what to do about it, a sentence or a command; may be empty.
    """

    exit_code = 1

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


class LabFileError(OrchestratorError):
    """A lab file, a topology or a name makes no sense; `line` and `column` count from 1, 0 where unknown."""

    exit_code = 2

    def __init__(self, message: str, *, source: str = "", line: int = 0, column: int = 0, hint: str = "") -> None:
        where = ":".join(str(part) for part in (source, line, column) if part)
        super().__init__(f"{where}: {message}" if where else message, hint=hint)
        self.line, self.column = line, column


class UnknownNode(OrchestratorError):
    """No such node in this lab."""

    exit_code = 2


class PreflightError(OrchestratorError):
    """This machine cannot carry the lab, as it is: a port is taken, memory is short."""

    exit_code = 4


class LabNotFound(OrchestratorError):
    """No lab of that name is running."""

    exit_code = 5


class LabNotReady(OrchestratorError):
    """Some nodes are not up, connected or healthy in time."""

    exit_code = 6


class RuntimeUnavailable(OrchestratorError):
    """No engine answers, or it refuses."""

    exit_code = 7


class ImageError(RuntimeUnavailable):
    """The node image cannot be built, or that of a node of kind reference not be pulled."""


class DeliveryFailed(OrchestratorError):
    """A message did not arrive in time.

    Attributes:
        digest: which message; 32 bytes.
    """

    exit_code = 124

    def __init__(self, message: str, *, digest: bytes = b"", hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.digest = digest
