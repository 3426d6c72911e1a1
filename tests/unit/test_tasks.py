"""node.tasks: every background task has an owner."""

from __future__ import annotations

import asyncio
import logging

import pytest

from node.tasks import TaskOwner


async def forever() -> None:
    await asyncio.Event().wait()


async def fail() -> None:
    raise LookupError("no such thing")


async def test_finished_tasks_are_forgotten() -> None:
    owner = TaskOwner()
    task = owner.spawn(asyncio.sleep(0), name="short")
    assert len(owner) == 1
    assert task.get_name() == "short"
    await task
    await asyncio.sleep(0)
    assert len(owner) == 0


async def test_aclose_ends_what_runs() -> None:
    owner = TaskOwner()
    tasks = [owner.spawn(forever(), name=f"task {n}") for n in range(3)]
    await asyncio.sleep(0)
    await owner.aclose()
    assert all(task.cancelled() for task in tasks)
    assert len(owner) == 0
    await owner.aclose()


async def test_aclose_ends_what_has_not_even_begun() -> None:
    owner = TaskOwner()
    task = owner.spawn(forever(), name="early")
    await owner.aclose()
    assert task.cancelled()


async def test_aclose_ends_what_is_started_during_it() -> None:
    owner = TaskOwner()
    started: list[asyncio.Task[None]] = []

    async def leaves_one_behind() -> None:
        try:
            await forever()
        finally:
            started.append(owner.spawn(forever(), name="late"))

    owner.spawn(leaves_one_behind(), name="first")
    await asyncio.sleep(0)
    await owner.aclose()
    assert started[0].cancelled()
    assert len(owner) == 0


async def test_wait_gives_time_but_not_more() -> None:
    owner = TaskOwner()
    await owner.wait(timeout_s=1.0)
    done = asyncio.Event()
    ending = owner.spawn(done.wait(), name="ends")
    done.set()
    await owner.wait(timeout_s=1.0)
    assert ending.done()
    endless = owner.spawn(forever(), name="does not end")
    await owner.wait(timeout_s=0.001)
    assert not endless.done()
    await owner.aclose()


async def test_a_failure_is_reported_with_the_name(caplog: pytest.LogCaptureFixture) -> None:
    owner = TaskOwner()
    with caplog.at_level(logging.ERROR):
        owner.spawn(fail(), name="p2p something")
        await owner.wait(timeout_s=1.0)
    assert "task p2p something failed" in caplog.text
    assert "no such thing" in caplog.text


async def test_cancelling_is_no_failure(caplog: pytest.LogCaptureFixture) -> None:
    owner = TaskOwner()
    owner.spawn(forever(), name="quiet")
    await asyncio.sleep(0)
    await owner.aclose()
    assert caplog.text == ""
