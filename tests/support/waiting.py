"""Waiting for conditions, never for time to pass."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterator

from node.events import EventBus, Kind, NodeEvent

DEADLINE_S = 5.0
"""For anything that should happen at once; long enough for a busy machine."""


async def until(condition: Callable[[], object], *, timeout_s: float = DEADLINE_S) -> None:
    """Return as soon as `condition` holds.

    Raises:
        TimeoutError: it did not in time.
    """
    async with asyncio.timeout(timeout_s):
        while not condition():  # noqa: ASYNC110 - conditions here span objects that have no event to wait for
            await asyncio.sleep(0.002)


class Recorder:
    """Every event of a bus, in order."""

    def __init__(self) -> None:
        self.events: list[NodeEvent] = []

    def of(self, *kinds: Kind) -> list[NodeEvent]:
        return [event for event in self.events if event.kind in kinds]

    def kinds(self) -> list[Kind]:
        return [event.kind for event in self.events]

    async def wait(self, kind: Kind, *, count: int = 1, timeout_s: float = DEADLINE_S) -> NodeEvent:
        """The `count`-th event of that kind."""
        await until(lambda: len(self.of(kind)) >= count, timeout_s=timeout_s)
        return self.of(kind)[count - 1]


@contextlib.contextmanager
def recording(bus: EventBus) -> Iterator[Recorder]:
    """Record a bus while the block runs."""
    recorder = Recorder()
    with bus.listening(recorder.events.append):
        yield recorder
