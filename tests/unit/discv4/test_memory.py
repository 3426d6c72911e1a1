"""node.discv4.memory: record numbers that are used once, and nodes that come back."""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path

import pytest

from node.discv4 import memory
from node.discv4.database import Database, Remembered
from node.discv4.memory import NodeMemory
from node.enode import Node, parse_ip
from tests.support.keys import make_key
from tests.support.waiting import until

NODE = Node(make_key(2).public, parse_ip("10.0.0.2"), 1, 1)


def test_without_a_directory_every_run_is_the_first() -> None:
    assert NodeMemory(None).begin() == NodeMemory(None).begin() == Database(seq=1)


def test_the_number_grows_with_every_run_however_it_ended(tmp_path: Path) -> None:
    assert [NodeMemory(tmp_path / "nodes").begin().seq for _ in range(3)] == [1, 2, 3]


async def test_what_is_saved_is_there_in_the_next_run(tmp_path: Path) -> None:
    first, pong_at = NodeMemory(tmp_path), float(int(time.time()) - 60)
    first.begin()
    await first.save(Database(5, (Remembered(NODE, pong_at),)))
    assert NodeMemory(tmp_path).begin() == Database(6, (Remembered(NODE, pong_at),))


async def test_it_is_saved_while_the_node_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "SAVE_INTERVAL_S", 0.001)
    kept, numbers = NodeMemory(tmp_path), iter(range(2, 1_000_000))
    kept.begin()
    task = asyncio.create_task(kept.keep(lambda: Database(next(numbers))))
    try:
        await until(lambda: json.loads((tmp_path / "nodes.json").read_text())["seq"] > 5)
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def test_nothing_new_is_not_written(tmp_path: Path) -> None:
    kept = NodeMemory(tmp_path)
    database = kept.begin()
    (tmp_path / "nodes.json").unlink()
    asyncio.run(kept.save(database))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"format": 1, "seq": -7, "nodes": []}'])
def test_a_foreign_file_counts_as_absent(tmp_path: Path, text: str, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "nodes.json").write_text(text)
    assert NodeMemory(tmp_path).begin() == Database(seq=1)
    assert f"{tmp_path / 'nodes.json'} is " in caplog.text
    assert NodeMemory(tmp_path).begin() == Database(seq=2)


async def test_what_could_not_be_written_is_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = NodeMemory(tmp_path)
    kept.begin()
    (tmp_path / "nodes.json").unlink()
    (tmp_path / "nodes.json").mkdir()  # nothing can be put in its place
    await kept.save(Database(7))
    (tmp_path / "nodes.json").rmdir()
    await kept.save(Database(7))
    assert NodeMemory(tmp_path).begin().seq == 8


async def test_a_save_that_was_cancelled_is_made_by_the_next(tmp_path: Path) -> None:
    kept = NodeMemory(tmp_path)
    kept.begin()
    task = asyncio.create_task(kept.save(Database(7)))
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await kept.save(Database(7))
    assert NodeMemory(tmp_path).begin().seq == 8
