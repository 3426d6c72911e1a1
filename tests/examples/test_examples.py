"""Every example of the tutorial, run as its reader runs it: what it says, how it ends, and what it leaves (nothing)."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path

import psutil
import pytest

from tests.examples.expectations import EXPECTED, check

EXAMPLES = Path(__file__).parents[2] / "examples"
TIME_LIMIT_S = 5.0
"""What an example may take."""
SHARED = {"board", "pssnode", "stage"}


def said_by(output: str) -> dict[str, list[str]]:
    """The lines of each actor, in order."""
    said: dict[str, list[str]] = {}
    for line in output.splitlines():
        actor, _, text = line.partition("  ")
        said.setdefault(actor, []).append(text.strip())
    return said


def run(path: Path, *flags: str, home: Path) -> subprocess.CompletedProcess[str]:
    """Run a program to its end, in an empty directory of its own; nothing may be left there, or run on."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    with subprocess.Popen(
        [sys.executable, str(path), *flags],
        cwd=home,
        env=environment | {"TMPDIR": str(home), "HOME": str(home)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        try:
            out, err = process.communicate(timeout=TIME_LIMIT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            raise
    left = [other.pid for other in psutil.process_iter() if session_of(other.pid) == process.pid]
    assert not left, f"processes left: {left}"
    assert not list(home.iterdir()), "files or sockets left"
    return subprocess.CompletedProcess(process.args, process.returncode, out, err)


def session_of(pid: int) -> int | None:
    try:
        return os.getsid(pid)
    except ProcessLookupError:
        return None


def test_every_example_is_expected_to_say_something() -> None:
    assert {path.stem for path in EXAMPLES.glob("*.py")} - SHARED == set(EXPECTED)
    assert len(EXPECTED) == 23


@pytest.mark.parametrize("example", EXPECTED)
def test_example(example: str, tmp_path: Path) -> None:
    done = run(EXAMPLES / f"{example}.py", home=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    check(example, said_by(done.stdout))


def test_verbose_shows_what_the_library_does_and_says_the_same(tmp_path: Path) -> None:
    done = run(EXAMPLES / "a2_connect.py", "-v", home=tmp_path)
    assert done.returncode == 0
    assert "DEBUG" in done.stderr
    check("a2_connect", said_by(done.stdout))


@pytest.mark.parametrize(
    ("flags", "text"),
    [
        (["--role", "carol", "--board", "127.0.0.1:1"], "no actor 'carol'; there are: relay, alice, bob"),
        (["--role", "alice"], "--role and --board go together"),
        (["--board", "127.0.0.1:1"], "--role and --board go together"),
        (["--role", "alice", "--board", "nonsense"], "--board 'nonsense': expected HOST:PORT"),
    ],
)
def test_flags_that_make_no_sense(flags: Sequence[str], text: str, tmp_path: Path) -> None:
    done = run(EXAMPLES / "e2_dark.py", *flags, home=tmp_path)
    assert done.returncode == 2
    assert text in done.stderr


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


async def start(example: str, role: str, port: int) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable,
        str(EXAMPLES / f"{example}.py"),
        *("--role", role, "--board", f"127.0.0.1:{port}"),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )


@pytest.mark.parametrize("example", ["a2_connect", "e2_dark"])
async def test_each_actor_in_a_process_of_its_own(example: str) -> None:
    roles, port = list(EXPECTED[example]), free_port()
    async with asyncio.timeout(20):
        # The one that opens the board comes last: the others have to wait for it.
        processes = {role: await start(example, role, port) for role in reversed(roles)}
        outputs = await asyncio.gather(*(process.communicate() for process in processes.values()))
    assert [process.returncode for process in processes.values()] == [0] * len(roles), outputs
    check(example, said_by(b"".join(out for out, _ in outputs).decode()))


async def test_ctrl_c_ends_an_actor_that_waits_for_others() -> None:
    async with AsyncExitStack() as stack, asyncio.timeout(20):
        process = await start("a2_connect", "alice", free_port())
        stack.callback(lambda: process.returncode is None and process.kill())
        assert process.stdout is not None
        # It has the board open, and so is past its start, once one can connect to it.
        board = int(psutil.Process(process.pid).cmdline()[-1].rpartition(":")[2])
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", board)
            except OSError:
                await asyncio.sleep(0.02)
            else:
                writer.close()
                await writer.wait_closed()
                break
        process.send_signal(signal.SIGINT)
        out, err = await process.communicate()
    assert (process.returncode, out, err) == (130, b"", b"")


async def test_an_actor_whose_board_disappears_says_so() -> None:
    async with asyncio.timeout(30):
        port = free_port()
        arrived = asyncio.Event()
        server = await asyncio.start_server(lambda reader, writer: (arrived.set(), writer.close()), "127.0.0.1", port)
        process = await start("a2_connect", "bob", port)
        await arrived.wait()
        server.close()
        _, err = await process.communicate()
    assert process.returncode == 1
    assert "the board is gone: waiting for enode of alice" in err.decode()
