"""pss-node as its users run it: a process with flags, an environment, a log and an exit code."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

from node.rpc.client import RPCClient

START_S = 20.0
"""For a process on a busy machine to be up."""


class NodeProcess:
    """A running pss-node; everything it logs is kept."""

    def __init__(self, process: asyncio.subprocess.Process, directory: Path) -> None:
        self.process, self.directory = process, directory
        self.log: list[str] = []
        self._reading = asyncio.create_task(self._read())
        self._changed = asyncio.Condition()

    @property
    def ipc(self) -> Path:
        return self.directory / "bzzd.ipc"

    async def _read(self) -> None:
        assert self.process.stderr is not None
        async for line in self.process.stderr:
            self.log.append(line.decode(errors="replace"))
            async with self._changed:
                self._changed.notify_all()
        async with self._changed:
            self._changed.notify_all()

    async def logged(self, text: str, *, timeout_s: float = START_S) -> str:
        """The first line with that text.

        Raises:
            AssertionError: the process ended without it.
        """
        async with asyncio.timeout(timeout_s), self._changed:
            while True:
                for line in self.log:
                    if text in line:
                        return line
                assert not self._reading.done(), "".join(self.log)
                await self._changed.wait()

    async def ended(self, *, timeout_s: float = START_S) -> int:
        """The exit code, once the log is complete."""
        async with asyncio.timeout(timeout_s):
            await self._reading
            return await self.process.wait()

    async def stop(self, number: int = signal.SIGTERM, *, timeout_s: float = 2.0) -> int:
        """Send a signal; the exit code, which has to come in time."""
        self.process.send_signal(number)
        return await self.ended(timeout_s=timeout_s)

    async def client(self) -> RPCClient:
        return await RPCClient.connect(str(self.ipc))


@contextlib.asynccontextmanager
async def pss_node(directory: Path, *flags: str, up: bool = True, **environ: str) -> AsyncIterator[NodeProcess]:
    """Run a node on a free port of 127.0.0.1; with `up`, from when it says that it is up."""
    argv = ["--datadir", str(directory), "--addr", "127.0.0.1", *flags]
    if "--port" not in flags:
        argv += ["--port", "0"]
    clean = {name: value for name, value in os.environ.items() if not name.startswith("PSS_")}
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "node",
        *argv,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        env=clean | environ,
    )
    node = NodeProcess(process, directory)
    try:
        if up:
            await node.logged(" is up: ")
        yield node
    finally:
        if process.returncode is None:
            process.kill()
        await node.ended()
