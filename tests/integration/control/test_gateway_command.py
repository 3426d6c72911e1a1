"""``python -m node.control.gateway``: the gateway as it runs in a container."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.control import TOKEN, free_port
from tests.support.gateway import Target, caller, credentials, request, running_target


@pytest.fixture
async def target() -> AsyncIterator[Target]:
    async with running_target() as running:
        yield running


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_the_command_stops_at_once_with_connections_open(tmp_path: Path, target: Target, number: int) -> None:
    port, token_file = free_port(), tmp_path / "token"
    token_file.write_text(TOKEN + "\n")
    argv = ["--host", "127.0.0.1", "--port", str(port), "--token-file", str(token_file), "--allow", str(target.port)]
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "node.control.gateway", *argv, stderr=subprocess.PIPE
    )
    try:
        assert process.stderr is not None
        async with asyncio.timeout(10):
            assert b"gateway on" in await process.stderr.readline()
        async with caller(port) as (reader, writer):
            writer.write(request(f"localhost:{target.port}", credentials()))
            await reader.readuntil(b"\r\n\r\n")
            process.send_signal(number)
            async with asyncio.timeout(2):
                assert await process.wait() == 0
            log = (await process.stderr.read()).decode()
            assert "Traceback" not in log
            assert TOKEN not in log
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
