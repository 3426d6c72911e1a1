"""The labs that come with the project, as lab files in ``stock_labs/``."""

from __future__ import annotations

from pathlib import Path

from orchestrator.errors import LabFileError
from orchestrator.labfile import load_lab_file
from orchestrator.names import did_you_mean
from orchestrator.spec import LabSpec

STOCK_DIRECTORY = Path(__file__).with_name("stock_labs")
SUFFIX = ".lab.yml"


def list_stock() -> list[str]:
    """Names of the stock labs."""
    return sorted(path.name.removesuffix(SUFFIX) for path in STOCK_DIRECTORY.glob(f"*{SUFFIX}"))


def load_stock(name: str) -> LabSpec:
    """A stock lab by name.

    Raises:
        LabFileError: there is none of that name.
    """
    if name not in list_stock():
        hint = did_you_mean(name, list_stock()) or "stock labs: " + ", ".join(list_stock())
        raise LabFileError(f"no stock lab {name[:60]!r}", hint=hint)
    path = STOCK_DIRECTORY / f"{name}{SUFFIX}"
    return load_lab_file(path.read_text(encoding="utf-8"), source=str(path))
