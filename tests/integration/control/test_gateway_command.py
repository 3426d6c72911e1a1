"""``python -m node.control.gateway``: the gateway as it runs in a container."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from node.control.gateway import main
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
    argv = ["--host", "127.0.0.1", "--port", str(port), "--token-file", str(token_file), "--allow", "1"]
    argv += ["--only", f"localhost:{target.port}"]
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


@pytest.mark.parametrize("value", ["8546", ":8546", "n01", "n01:", "n01:x"])
def test_a_target_that_is_none_is_refused(value: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as refused:
        main(["--allow", "1", "--only", value])
    assert refused.value.code == 2
    assert f"expected NODE:PORT, got {value!r}" in capsys.readouterr().err
