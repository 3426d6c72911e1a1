"""What control groups leave for more: of memory and of processes. Version 1 and 2 (kernel docs, cgroup-v1, cgroup-v2).

In a container, a job or a service a limit is mostly here, and the machine's own memory says nothing of it.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from orchestrator.doctor.facts import GroupFacts

MOUNT = Path("/sys/fs/cgroup")
MEMBERSHIP = Path("/proc/self/cgroup")
NO_LIMIT_BYTES = 1 << 60
"""Version 1 writes the largest number of pages for no limit, some 8 EB; no machine has a seventh of that."""
MEMORY_FILES = (
    ("memory.max", "memory.current", "inactive_file"),
    ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
)
"""Limit, usage, and what of the usage is files that the kernel lets go first; of version 2, and of version 1."""


def own_limits(*, mount: Path = MOUNT, membership: Path = MEMBERSHIP) -> GroupFacts:
    """What this program, and the processes that it starts, have left: the least of its group and of all above it."""
    try:
        lines = membership.read_text().splitlines()
    except OSError:
        lines = []
    places = [line.split(":", 2)[1:] for line in lines if line.count(":") >= 2]
    return _least(
        [group for kinds, path in places if "memory" in kinds.split(",") for group in _up(mount / "memory", path)]
        + [group for kinds, path in places if not kinds for group in _up(mount, path)],
        [group for kinds, path in places if "pids" in kinds.split(",") for group in _up(mount / "pids", path)]
        + [group for kinds, path in places if not kinds for group in _up(mount, path)],
    )


def limits_of_all(*, mount: Path = MOUNT) -> GroupFacts:
    """What everything that runs here has left, containers of an engine that runs here too: those of the first group.

    A machine has none there; in a container it is the container's.
    """
    return _least([mount, mount / "memory"], [mount, mount / "pids"])


def _up(mount: Path, path: str) -> Iterator[Path]:
    """A group and those above it. In a container its path may be the host's, of which only the end is mounted here."""
    group = mount / path.lstrip("/")
    while group != mount:
        yield group
        group = group.parent
    yield mount


def _least(memory_groups: list[Path], process_groups: list[Path]) -> GroupFacts:
    memory = [left for group in memory_groups if (left := _memory(group)) is not None]
    processes = [more for group in process_groups if (more := _processes(group)) is not None]
    free, limit = min(memory, default=(None, None))
    return GroupFacts(memory_free_bytes=free, memory_limit_bytes=limit, processes_free=min(processes, default=None))


def _memory(group: Path) -> tuple[int, int] | None:
    """Bytes left and the limit; None where there is none."""
    for limit_file, usage_file, inactive in MEMORY_FILES:
        with contextlib.suppress(OSError, ValueError):  # no such file, or the word max
            limit = int((group / limit_file).read_text())
            if limit < NO_LIMIT_BYTES:
                used = int((group / usage_file).read_text()) - _inactive_files(group, inactive)
                return max(limit - used, 0), limit
    return None


def _inactive_files(group: Path, row: str) -> int:
    try:
        rows = dict(line.split() for line in (group / "memory.stat").read_text().splitlines())
        return int(rows.get(row, 0))
    except (OSError, ValueError):
        return 0


def _processes(group: Path) -> int | None:
    """How many more, threads counted, the group may have; None where there is no limit."""
    with contextlib.suppress(OSError, ValueError):
        return max(int((group / "pids.max").read_text()) - int((group / "pids.current").read_text()), 0)
    return None
