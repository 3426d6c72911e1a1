"""How many nodes fit on this machine, and what is in the way of more. Arithmetic over facts."""

from __future__ import annotations

from dataclasses import dataclass

from orchestrator.doctor.facts import EngineFacts, Facts, GroupFacts
from orchestrator.subnets import MIN_PREFIX
from orchestrator.topology import MAX_NODES

MB = 1024 * 1024
CONTAINER_COST_MB = 36
"""For one more node in a container: 26 MB of its own, 5 MB in the kernel and for its shim, and what more of available
memory went with 48 nodes (docs/operations.md)."""
PRIVATE_FILES_MB = 10
"""Of the 24 MB that a node has mapped of its image, what it needs all the time; drivers that hand out the same file to
all containers have it once. Measured: with 40 MB in all a node works as with 160, with 34 it pages all the time."""
SHARING_DRIVERS = frozenset({"overlay2", "overlay", "overlayfs", "aufs", "btrfs"})
PROCESS_COST_MB = 32
"""For one more node that is a process: 29 MB, its part of what all map counted in, and the kernel's."""
FIXED_COST_MB = 200
"""Gateway, and the program that starts the lab."""
RESERVE_SHARE = 0.05
"""Of all memory is left alone: a machine without any kills what it likes."""
BRIDGE_PORTS = 1023
"""Linux: BR_PORT_BITS = 10, and port 0 is none."""
PORTS_NOT_FOR_NODES = 1
"""The gateway's, on the control network."""
SUBNET_HOSTS = 2 ** (32 - MIN_PREFIX) - 13
"""Addresses of the largest subnet, less its own, broadcast, the engine's, and those below the first node's."""
DEFAULT_BACKLOG = 1000
NEIGHBOURS_PER_NODE = 25
"""Entries of the kernel's neighbour table, of which there is one for all network namespaces: 20 peers of a node in a
healthy overlay of 48, the gateway, the gateway's own, and some of peers that came and went: with 46 nodes, 22 each, the
gateway did not reach all of them any more. In a line or ring it is 4."""
NEIGHBOURS_FIX = "sudo sysctl -w net.ipv4.neigh.default.gc_thresh3=16384 net.ipv4.neigh.default.gc_thresh2=8192"
THREADS_PER_NODE = 24
"""Of a container: the node's own, and those of its shim; the kernel counts threads as processes."""
THREADS_PER_PROCESS_NODE = 12
"""Of a node that is a process: 8 at rest, some more under load."""
FILES_PER_PROCESS_NODE = 4
"""That the lab's program holds open for each: a channel, a log, a pipe."""
DISK_PER_NODE_MB = 21
"""A log of two files of 10 MB at most, and what the engine writes down."""
SMALLER_LABS = "several smaller labs"
RAISE_GROUP_LIMIT = "raise it where it was set: docker run --{option}, {setting} of the systemd unit, the job's"
IMAGE_MB = 700
"""For building the node image: Debian base, packages, and their copies."""


@dataclass(frozen=True, kw_only=True)
class Bound:
    """How many nodes something allows."""

    what: str
    nodes: int
    fix: str = ""
    """What to do to get more; a command where there is one."""
    soft: bool = False
    """Whether only labs in which everybody knows many others are bound by it."""


@dataclass(frozen=True, kw_only=True)
class Capacity:
    """How many nodes fit."""

    runtime: str
    nodes: int
    blocker: Bound
    """What is in the way of more."""
    bounds: tuple[Bound, ...]
    """All of them, the tightest first."""

    @property
    def at_most(self) -> int:
        """How many nodes fit of a lab with few links, such as a line."""
        return min(bound.nodes for bound in self.bounds if not bound.soft)


def estimate(facts: Facts) -> Capacity:
    """How many more nodes of one lab fit: in containers where an engine answers, else as processes."""
    bounds = _container_bounds(facts) if facts.engine is not None else _process_bounds(facts)
    bounds.append(Bound(what=f"nodes of one lab: {MAX_NODES} at most", nodes=MAX_NODES, fix=SMALLER_LABS))
    ordered = tuple(sorted(bounds, key=lambda bound: bound.nodes))
    runtime = "docker" if facts.engine is not None else "process"
    return Capacity(runtime=runtime, nodes=ordered[0].nodes, blocker=ordered[0], bounds=ordered)


def container_cost_mb(engine: EngineFacts) -> int:
    """Memory for one more node."""
    return CONTAINER_COST_MB + (0 if engine.storage_driver in SHARING_DRIVERS else PRIVATE_FILES_MB)


def memory_bound(available_bytes: int, total_bytes: int, cost_mb: int) -> Bound:
    """Nodes for which memory is there."""
    usable_mb = available_bytes / MB - FIXED_COST_MB - RESERVE_SHARE * total_bytes / MB
    return Bound(
        what=f"memory: {available_bytes // MB} MB available, {cost_mb} MB a node",
        nodes=max(int(usable_mb / cost_mb), 0),
        fix="lab ls and lab down labs that nobody uses; close other programs; add memory",
    )


def group_bounds(groups: GroupFacts, cost_mb: int, threads: int) -> list[Bound]:
    """Nodes for which limits of control groups leave memory and processes.

    Args:
        cost_mb, threads: of one node.
    """
    bounds = []
    if groups.memory_free_bytes is not None and groups.memory_limit_bytes is not None:
        room = memory_bound(groups.memory_free_bytes, groups.memory_limit_bytes, cost_mb)
        limit = f"of {groups.memory_limit_bytes // MB} MB left by the control group"
        bounds.append(
            Bound(
                what=f"memory: {groups.memory_free_bytes // MB} {limit}, {cost_mb} MB a node",
                nodes=room.nodes,
                fix=RAISE_GROUP_LIMIT.format(option="memory", setting="MemoryMax"),
            )
        )
    if groups.processes_free is not None:
        bounds.append(
            Bound(
                what=f"processes: {groups.processes_free} more left by the control group, threads counted",
                nodes=groups.processes_free // threads,
                fix=RAISE_GROUP_LIMIT.format(option="pids-limit", setting="TasksMax"),
            )
        )
    return bounds


def _container_bounds(facts: Facts) -> list[Bound]:
    engine = facts.engine
    assert engine is not None
    bounds = [
        Bound(what="ports of a Linux bridge", nodes=BRIDGE_PORTS - PORTS_NOT_FOR_NODES, fix=SMALLER_LABS),
        Bound(what=f"addresses of a /{MIN_PREFIX} subnet", nodes=SUBNET_HOSTS, fix=SMALLER_LABS),
    ]
    if not engine.local:
        # Nothing is known of how much of it is used.
        total = engine.memory_bytes or 0
        return [*bounds, memory_bound(int(total * (1 - RESERVE_SHARE)), total, container_cost_mb(engine))]
    bounds.append(memory_bound(facts.memory_available_bytes, facts.memory_total_bytes, container_cost_mb(engine)))
    bounds += group_bounds(engine.groups, container_cost_mb(engine), THREADS_PER_NODE)
    if (backlog := facts.sysctl.get("net.core.netdev_max_backlog")) is not None:
        # One broadcast reaches every port of a bridge at once; what the queue does not hold is lost.
        bounds.append(
            Bound(
                what=f"net.core.netdev_max_backlog {backlog}",
                nodes=backlog * 9 // 10,
                fix=f"sudo sysctl -w net.core.netdev_max_backlog={max(4 * DEFAULT_BACKLOG, 4 * backlog)}",
            )
        )
    if (neighbours := facts.sysctl.get("net.ipv4.neigh.default.gc_thresh3")) is not None:
        bounds.append(
            Bound(
                what=f"net.ipv4.neigh.default.gc_thresh3 {neighbours}, for healthy overlays (a line needs less)",
                nodes=max(neighbours - facts.neighbours_used, 0) // NEIGHBOURS_PER_NODE,
                fix=NEIGHBOURS_FIX,
                soft=True,
            )
        )
    for name in ("kernel.pid_max", "kernel.threads-max"):
        if (threads := facts.sysctl.get(name)) is not None:
            bounds.append(
                Bound(what=f"{name} {threads}", nodes=threads // THREADS_PER_NODE, fix=f"sudo sysctl -w {name}=131072")
            )
    if engine.root_free_bytes is not None:
        bounds.append(
            Bound(
                what=f"disk: {engine.root_free_bytes // MB} MB free in {engine.root}",
                nodes=max(engine.root_free_bytes // MB // DISK_PER_NODE_MB, 0),
                fix="docker system prune; lab gc --images",
            )
        )
    return bounds


def _process_bounds(facts: Facts) -> list[Bound]:
    bounds = [memory_bound(facts.memory_available_bytes, facts.memory_total_bytes, PROCESS_COST_MB)]
    bounds += group_bounds(facts.groups, PROCESS_COST_MB, THREADS_PER_PROCESS_NODE)
    if facts.user_processes_free is not None:
        bounds.append(
            Bound(
                what=f"processes of this user: {facts.user_processes_free} more, threads counted",
                nodes=facts.user_processes_free // THREADS_PER_PROCESS_NODE,
                fix="ulimit -u 65536",
            )
        )
    if facts.open_files is not None:
        bounds.append(
            Bound(
                what=f"open files: {facts.open_files}",
                nodes=facts.open_files // FILES_PER_PROCESS_NODE,
                fix="ulimit -n 65536",
            )
        )
    if (threads := facts.sysctl.get("kernel.pid_max")) is not None:
        bounds.append(
            Bound(
                what=f"kernel.pid_max {threads}",
                nodes=threads // THREADS_PER_PROCESS_NODE,
                fix="sudo sysctl -w kernel.pid_max=131072",
            )
        )
    return bounds
