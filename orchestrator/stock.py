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


def load_stock(stock: str, *, name: str | None = None, seed: int | None = None) -> LabSpec:
    """A stock lab.

    Args:
        name, seed: instead of the file's.

    Raises:
        LabFileError: there is none of that name.
    """
    if stock not in list_stock():
        hint = did_you_mean(stock, list_stock()) or "stock labs: " + ", ".join(list_stock())
        raise LabFileError(f"no stock lab {stock[:60]!r}", hint=hint)
    path = STOCK_DIRECTORY / f"{stock}{SUFFIX}"
    return load_lab_file(path.read_text(encoding="utf-8"), source=str(path), name=name, seed=seed)
