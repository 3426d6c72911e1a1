"""orchestrator.loop_thread: asynchronous work for synchronous callers."""

from __future__ import annotations

import asyncio
import threading

import pytest

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
    assert loop.run(lambda: add(1, 2)) == 3

    async def fail() -> None:
        raise KeyError("x")

    with pytest.raises(KeyError, match="x"):
        loop.run(fail)
    loop.close(nothing)
    assert not threads("loop a")
    loop.close(nothing)


def test_one_that_never_began_ends_without_a_word() -> None:
    loop = LoopThread("loop b")
    loop.close(lambda: pytest.fail("there is nothing to end"))
    with pytest.raises(LoopClosed):
        loop.run(nothing)


def test_closing_ends_what_others_wait_for() -> None:
    loop = LoopThread("loop c")
    begun, ended = threading.Event(), []

    async def forever() -> None:
        begun.set()
        await asyncio.Event().wait()

    def wait() -> None:
        try:
            loop.run(forever)
        except LoopClosed:
            ended.append(True)

    waiter = threading.Thread(target=wait)
    waiter.start()
    assert begun.wait(DEADLINE_S)
    loop.close(nothing)
    waiter.join(DEADLINE_S)
    assert ended == [True]
    assert not threads("loop c")
