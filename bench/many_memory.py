"""Memory of the machine while a lab is on it: what there is, what is held on purpose, and a floor below it all."""

from __future__ import annotations

import os
import signal
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Self

import psutil

from orchestrator import labels
from orchestrator.doctor.capacity import MB
from orchestrator.engine import Engine

FLOOR_MB = 1536
"""Available memory of the machine below which a run ends. Ours: other programs live here too."""
WATCH_S = 0.1
PAGE_BYTES = 4096
ASKERS = 8
"""Questions to the engine at the same time; each takes it a second or two."""
INACTIVE_FILE = ("total_inactive_file", "inactive_file")
"""Of cgroup v1 and v2: file cache that the kernel drops first; the engine's own `stats` leaves it out too."""


def available_mb() -> float:
    """MemAvailable of this machine."""
    return psutil.virtual_memory().available / MB


def total_mb() -> float:
    return psutil.virtual_memory().total / MB


class Ballast:
    """Memory that this process holds, and a watch over what is available; use as a context.

    When less than FLOOR_MB is available it lets go of what it holds, and if there is still too little the block ends
    with KeyboardInterrupt, as by Ctrl-C.
    """

    def __init__(self, megabytes: int) -> None:
        """Nothing is held yet.

        Raises:
            ValueError: there is not so much that FLOOR_MB stays available.
        """
        room = int(available_mb()) - FLOOR_MB
        if not 0 <= megabytes <= max(room, 0):
            raise ValueError(f"a ballast of {megabytes} MB: expected 0 to {max(room, 0)}, so that {FLOOR_MB} stay free")
        self.megabytes = megabytes
        self.lowest_mb = available_mb()
        self.breached = False
        """Whether the floor was reached: what was measured is not worth anything then."""
        self._held = bytearray()
        self._stop = threading.Event()
        self._watcher = threading.Thread(target=self._watch, name="memory", daemon=True)

    def __enter__(self) -> Self:
        self._held = bytearray(self.megabytes * MB)
        # Zeroed memory is only promised until somebody writes to it.
        for at in range(0, len(self._held), PAGE_BYTES):
            self._held[at] = 1
        self.lowest_mb = available_mb()
        self._watcher.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._watcher.join()
        self._held = bytearray()

    def _watch(self) -> None:
        while not self._stop.wait(WATCH_S):
            self.lowest_mb = min(self.lowest_mb, available_mb())
            if self.lowest_mb < FLOOR_MB and not self.breached:
                self.breached = True
                self._held = bytearray()
                if available_mb() < FLOOR_MB:
                    # Not interrupt_main(): that does not wake a main thread that waits for something.
                    os.kill(os.getpid(), signal.SIGTERM)


def container_mb(lab_id: str) -> dict[str, float]:
    """Memory of each node's container as the engine counts it, without file cache that goes first; by name of node."""
    engine = Engine()
    try:
        found = engine.client.containers.list(
            filters=labels.filters(lab_id, kind=labels.KIND_NODE), ignore_removed=True
        )

        def ask(container: Any) -> tuple[str, float]:
            told = engine.client.api.stats(container.id, stream=False)
            return str(container.labels[labels.NODE]), used_bytes(told["memory_stats"]) / MB

        with ThreadPoolExecutor(ASKERS, thread_name_prefix="stats") as pool:
            return dict(pool.map(ask, found))
    finally:
        engine.close()


def used_bytes(memory_stats: dict[str, Any]) -> int:
    """What a container uses, from the engine's statistics of it."""
    details = memory_stats.get("stats") or {}
    dropped = next((details[name] for name in INACTIVE_FILE if name in details), 0)
    return max(int(memory_stats.get("usage", 0)) - int(dropped), 0)
