"""orchestrator.loop_thread: asynchronous work for synchronous callers."""

from __future__ import annotations

import asyncio
import threading

import pytest

from orchestrator import loop_thread
from orchestrator.loop_thread import LoopClosed, LoopThread

DEADLINE_S = 10.0


async def nothing() -> None:
    pass


async def add(a: int, b: int) -> int:
    return a + b


def threads(name: str) -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == name]


def test_results_and_errors_come_back() -> None:
    loop = LoopThread("loop a")
    assert not threads("loop a")
    assert loop.run(lambda: add(1, 2), timeout_s=DEADLINE_S) == 3

    async def fail() -> None:
        raise KeyError("x")

    with pytest.raises(KeyError, match="x"):
        loop.run(fail, timeout_s=None)
    loop.close(nothing)
    assert not threads("loop a")
    loop.close(nothing)


def test_one_that_never_began_ends_without_a_word() -> None:
    loop = LoopThread("loop b")
    loop.close(lambda: pytest.fail("there is nothing to end"))
    with pytest.raises(LoopClosed):
        loop.run(nothing, timeout_s=None)


def test_closing_ends_what_others_wait_for() -> None:
    loop = LoopThread("loop c")
    begun, ended = threading.Event(), []

    async def forever() -> None:
        begun.set()
        await asyncio.Event().wait()

    def wait() -> None:
        try:
            loop.run(forever, timeout_s=None)
        except LoopClosed:
            ended.append(True)

    waiter = threading.Thread(target=wait)
    waiter.start()
    assert begun.wait(DEADLINE_S)
    loop.close(nothing)
    waiter.join(DEADLINE_S)
    assert ended == [True]
    assert not threads("loop c")


def test_a_deadline() -> None:
    loop, cancelled = LoopThread("loop d"), threading.Event()

    async def forever() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    with pytest.raises(TimeoutError):
        loop.run(forever, timeout_s=0.01)
    assert cancelled.is_set()
    assert loop.run(lambda: add(1, 2), timeout_s=DEADLINE_S) == 3
    loop.close(nothing)


@pytest.mark.parametrize("hangs", [False, True])
def test_it_ends_whatever_becomes_of_the_end(hangs: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop_thread, "END_TIMEOUT_S", 0.05 if hangs else DEADLINE_S)
    name = f"loop e {hangs}"
    thread, loops = LoopThread(name), []

    async def note() -> None:
        loops.append(asyncio.get_running_loop())

    async def end() -> None:
        if hangs:
            await asyncio.Event().wait()
        raise RuntimeError("the end failed")

    thread.run(note, timeout_s=DEADLINE_S)
    with pytest.raises(TimeoutError if hangs else RuntimeError):
        thread.close(end)
    assert not threads(name)
    assert loops[0].is_closed()
    with pytest.raises(LoopClosed):
        thread.run(nothing, timeout_s=None)


def test_a_task_that_does_not_let_itself_be_cancelled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop_thread, "END_TIMEOUT_S", 0.05)
    loop = LoopThread("loop f")

    async def stubborn() -> None:
        while True:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                refused.append(True)

    async def begin() -> None:
        tasks.append(asyncio.create_task(stubborn()))
        await asyncio.sleep(0)

    tasks: list[asyncio.Task[None]] = []
    refused: list[bool] = []
    loop.run(begin, timeout_s=DEADLINE_S)
    loop.close(nothing)
    assert refused == [True]
    assert not threads("loop f")
