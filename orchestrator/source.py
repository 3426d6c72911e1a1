"""What a lab is made from: a lab file, a stock lab by name, or the only lab file of the working directory."""

from __future__ import annotations

import sys
from pathlib import Path

from orchestrator import stock
from orchestrator.errors import LabFileError
from orchestrator.labfile import load_lab_file
from orchestrator.names import did_you_mean
from orchestrator.spec import LabSpec

LAB_FILE_PATTERN = "*.lab.yml"
STDIN = "-"


def resolve(source: str | Path, *, name: str | None = None, seed: int | None = None) -> LabSpec:
    """The spec that a path, a stock name or ``-`` (standard input) stands for.

    Args:
        name, seed: instead of the file's.

    Raises:
        LabFileError: neither a file nor a stock lab, or the file is wrong.
    """
    if source == STDIN:
        return load_lab_file(sys.stdin.read(), source="<stdin>", name=name, seed=seed)
    path = Path(source)
    if path.suffix in (".yml", ".yaml") or path.is_file():
        return load_lab_file(read_file(path), source=str(path), name=name, seed=seed)
    if str(source) in stock.list_stock():
        return stock.load_stock(str(source), name=name, seed=seed)
    beside = f"{source}{LAB_FILE_PATTERN.removeprefix('*')}"
    hint = f"did you mean {beside!r}?" if Path(beside).is_file() else did_you_mean(str(source), stock.list_stock())
    raise LabFileError(
        f"no lab file and no stock lab {str(source)!r}", hint=hint or "stock labs: " + ", ".join(stock.list_stock())
    )


def read_file(path: Path) -> str:
    """The text of a lab file.

    Raises:
        LabFileError: it cannot be read.
    """
    try:
        return path.read_text()
    except OSError as error:
        raise LabFileError(f"{path}: {(error.strerror or str(error)).lower()}") from None
    except UnicodeDecodeError:
        raise LabFileError(f"{path}: not a text file") from None


def find_lab_file(directory: Path) -> Path | None:
    """The lab file of a directory, if there is exactly one; None if there is none.

    Raises:
        LabFileError: there are several.
    """
    found = sorted(directory.glob(LAB_FILE_PATTERN))
    if len(found) > 1:
        names = ", ".join(path.name for path in found)
        raise LabFileError(f"several lab files here: {names}", hint="choose one with --file")
    return found[0] if found else None
