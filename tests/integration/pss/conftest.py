"""Two nodes, and three in a row, auto-connect off."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.support.nodes import LabNode, line


@pytest.fixture
async def pair() -> AsyncIterator[list[LabNode]]:
    async with line(1, 2) as nodes:
        yield nodes


@pytest.fixture
async def three() -> AsyncIterator[list[LabNode]]:
    async with line(1, 2, 3) as nodes:
        assert not nodes[0].knows(nodes[2])
        yield nodes
