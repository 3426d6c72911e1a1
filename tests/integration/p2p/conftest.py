"""Servers that are stopped at the end of each test."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any

import pytest

from node.p2p.protocol import Protocol
from node.p2p.server import Server
from tests.support.servers import make_protocol, running_server

Start = Callable[..., Awaitable[Server]]


@pytest.fixture
async def start() -> AsyncIterator[Start]:
    """Start a server: ``await start(key_number, *protocols, **options)``."""
    async with AsyncExitStack() as stack:

        async def start_server(key: int, *protocols: Protocol, **options: Any) -> Server:
            return await stack.enter_async_context(running_server(key, *protocols, **options))

        yield start_server


@pytest.fixture
async def server(start: Start) -> Server:
    """Key 1, protocol echo/1."""
    return await start(1, make_protocol())
