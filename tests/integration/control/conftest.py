"""A node with a control interface on each kind of address."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.control import Caller, controlled
from tests.support.nodes import LabNode, lab_node


@pytest.fixture
async def node() -> AsyncIterator[LabNode]:
    async with lab_node(1) as running:
        yield running


@pytest.fixture(params=["unix", "tcp"])
async def control(node: LabNode, tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[Caller]:
    async with controlled(node, tmp_path, tcp=request.param == "tcp") as caller:
        yield caller


@pytest.fixture
async def unix(node: LabNode, tmp_path: Path) -> AsyncIterator[Caller]:
    async with controlled(node, tmp_path) as caller:
        yield caller
