"""What nodes use while a soak runs: memory, file descriptors, sockets, threads, tasks; and whether it grows."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

import psutil

from orchestrator.errors import OrchestratorError
from orchestrator.lab import Lab
from orchestrator.node_handle import NodeHandle

MAX_RSS_SLOPE_MB_PER_MIN = 0.1
"""Resident memory of a node that was not restarted may grow so fast once everything that fills up has filled up (events
that are remembered). At five messages per second and node it is 350 bytes per message; at four restarts of peers per
minute 25 kB for each: less than what stays behind of a connection that is not let go."""
MAX_RSS_GROWTH_PER_RESTART_MB = 2.0
"""Between the first start of a node and a later one, at the same age: a restart brings no memory along."""
FD_SLACK = 2
"""Descriptors beyond one per peer may differ by so much: a dial or a probe that is just under way."""
TASKS_PER_PEER = 4
"""Asyncio tasks of a node for each peer: its session, and bzz, hive and pss on it."""
TASK_SLACK = 4
"""Tasks beyond those may differ by so much: calls and dials that are under way."""
SAMPLE_AGE_S = 5.0
"""Age at which restarts are compared: connected, and started long enough to have imported everything."""
MIN_SLOPE_SAMPLES = 12

_IN_CONTAINER = "cat /proc/{pid}/status && ls -l /proc/{pid}/fd"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One look at a node.

    Attributes:
        at: seconds, monotonic.
        incarnation: how often the node had been ended before.
        age_s: since it was started.
        peers: connected nodes.
    """

    at: float
    incarnation: int
    age_s: float
    rss_mb: float
    fds: int
    sockets: int
    threads: int
    tasks: int
    peers: int

    @property
    def tasks_beyond_peers(self) -> int:
        return self.tasks - TASKS_PER_PEER * self.peers

    @property
    def fds_beyond_peers(self) -> int:
        return self.fds - self.peers


def take_sample(lab: Lab, node: NodeHandle, *, at: float, incarnation: int) -> Sample:
    """Look at a node.

    Raises:
        ControlError, psutil.Error, OrchestratorError: it does not answer, or ends just now.
    """
    info, peers = node.info, len(node.control.peers())
    if lab.runtime.name == "docker":
        rss_mb, fds, sockets, threads = _in_container(lab, node, info.pid)
    else:
        process = psutil.Process(info.pid)
        with process.oneshot():
            rss_mb, threads = process.memory_info().rss / 1e6, process.num_threads()
            fds, sockets = process.num_fds(), len(process.net_connections(kind="all"))
    return Sample(
        at=at,
        incarnation=incarnation,
        age_s=info.uptime_s,
        rss_mb=rss_mb,
        fds=fds,
        sockets=sockets,
        threads=threads,
        tasks=info.tasks,
        peers=peers,
    )


def _in_container(lab: Lab, node: NodeHandle, pid: int) -> tuple[float, int, int, int]:
    code, said = lab.runtime.execute(node.spec, ["sh", "-c", _IN_CONTAINER.format(pid=pid)])
    if code:
        raise OrchestratorError(f"cannot look into {node.name}: {said.strip()}")
    return parse_proc(said)


def parse_proc(said: str) -> tuple[float, int, int, int]:
    """Resident MB, descriptors, sockets and threads from lines of /proc/PID/status and of a long listing of its fd/."""
    rss_mb, fds, sockets, threads = 0.0, 0, 0, 0
    for line in said.splitlines():
        if line.startswith("VmRSS:"):
            rss_mb = int(line.split()[1]) * 1024 / 1e6
        elif line.startswith("Threads:"):
            threads = int(line.split()[1])
        elif " -> " in line:
            fds += 1
            sockets += "socket:" in line
    return rss_mb, fds, sockets, threads


def rss_slope(samples: Sequence[Sample]) -> float | None:
    """Growth of resident memory in MB per minute by least squares; None from too few samples to tell."""
    if len(samples) < MIN_SLOPE_SAMPLES:
        return None
    return statistics.linear_regression([s.at / 60 for s in samples], [s.rss_mb for s in samples]).slope


def growth_over_restarts(samples: Sequence[Sample]) -> float | None:
    """Resident MB of the latest incarnation minus the first one's, each at SAMPLE_AGE_S; None without two of them."""
    young: dict[int, Sample] = {}
    for sample in samples:
        if sample.age_s >= SAMPLE_AGE_S:
            young.setdefault(sample.incarnation, sample)
    if len(young) < 2:
        return None
    return young[max(young)].rss_mb - young[min(young)].rss_mb
