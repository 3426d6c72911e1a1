"""The labs that come with the project."""

from __future__ import annotations

import pytest

from orchestrator.errors import LabFileError
from orchestrator.stock import STOCK_DIRECTORY, list_stock, load_stock


def test_what_there_is() -> None:
    assert list_stock() == ["default", "line3", "ring8"]


@pytest.mark.parametrize(
    ("name", "links"),
    [
        ("default", "alice-n01 n01-n02 n02-n03 n03-bob"),
        ("line3", "alice-n01 n01-bob"),
        ("ring8", "alice-n01 alice-n06 n01-n02 n02-n03 n03-bob bob-n04 n04-n05 n05-n06"),
    ],
)
def test_stock_labs(name: str, links: str) -> None:
    spec = load_stock(name)
    assert (spec.name, spec.auto_connect) == (name, False)
    assert spec.title
    assert [str(link) for link in spec.links] == links.split()
    assert "bob" not in spec.neighbours("alice")
    assert spec.source == str(STOCK_DIRECTORY / f"{name}.lab.yml")


def test_unknown() -> None:
    with pytest.raises(LabFileError, match="no stock lab 'ring9'") as caught:
        load_stock("ring9")
    assert caught.value.hint == "did you mean 'ring8'?"
    with pytest.raises(LabFileError, match="no stock lab"):
        load_stock("../stock/line3")
