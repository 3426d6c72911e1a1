"""Judging what was gathered: facts in, findings out. Nothing is asked here."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from ipaddress import IPv4Network
from typing import Any

from orchestrator.doctor.capacity import IMAGE_MB, MB, NEIGHBOURS_FIX, Capacity, estimate
from orchestrator.doctor.facts import EngineFacts, Facts
from orchestrator.doctor.kernel import BLACKHOLE, FEATURES
from orchestrator.subnets import POOLS

MIN_PYTHON = (3, 11)
SMALLEST_LAB = 3
"""Nodes of the lab that `lab up line3` starts."""
LOW_MEMORY_MB = 1024
LOW_DISK_MB = 1024
MIN_STATE_FREE_MB = 10
MIN_OPEN_FILES = 256
MIN_ENGINE_FILES = 4096
MIN_INOTIFY_INSTANCES = 128
"""Of fs.inotify.max_user_instances: what most distributions ship; below that container tools begin to fail."""
DEFAULT_POOL_NETWORKS = 30
"""About as many networks as Docker's own pools hold; ours choose their subnets themselves, others' do not."""
BUSY_PER_CPU = 2.0
VPN_INTERFACES = ("tun", "tap", "wg", "ppp", "utun", "tailscale", "zt")
SUBNET_PREFIX = 24


class Level(StrEnum):
    """How bad something is."""

    OK = "ok"
    NOTE = "note"
    WARN = "warn"
    REFUSE = "refuse"
    """No lab will start."""


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing that was looked at."""

    level: Level
    topic: str
    text: str
    fix: str = ""
    """A command to paste, or what to do; empty where nothing is to be done."""


@dataclass(frozen=True, kw_only=True)
class Examination:
    """What `lab doctor` found."""

    findings: tuple[Finding, ...]
    capacity: Capacity | None = field(repr=False)
    """None: containers are wanted, and there is no engine."""

    @property
    def refused(self) -> bool:
        """Whether something is in the way of any lab."""
        return any(finding.level is Level.REFUSE for finding in self.findings)

    def lines(self) -> Iterator[str]:
        """For people: a finding a line, its fix below."""
        width = max(len(finding.topic) for finding in self.findings)
        for finding in self.findings:
            yield f"{finding.level:<6} {finding.topic:<{width}}  {finding.text}"
            if finding.fix:
                yield f"{'':6} {'':{width}}  fix: {finding.fix}"
        if self.capacity is None:
            return
        yield ""
        noun = "containers" if self.capacity.runtime == "docker" else "processes"
        yield f"about {self.capacity.nodes} more nodes fit here, as {noun}"
        yield f"in the way of more: {self.capacity.blocker.what}"
        if self.capacity.blocker.fix:
            yield f"for more: {self.capacity.blocker.fix}"

    def to_json(self) -> dict[str, Any]:
        capacity = self.capacity
        return {
            "refused": self.refused,
            "findings": [
                {"level": str(one.level), "topic": one.topic, "text": one.text, "fix": one.fix} for one in self.findings
            ],
            "capacity": None
            if capacity is None
            else {
                "runtime": capacity.runtime,
                "nodes": capacity.nodes,
                "blocker": capacity.blocker.what,
                "fix": capacity.blocker.fix,
                "bounds": [{"what": one.what, "nodes": one.nodes, "fix": one.fix} for one in capacity.bounds],
            },
        }


def judge(facts: Facts, *, runtime: str = "auto", nodes: int = 0) -> Examination:
    """Judge a machine.

    Args:
        runtime: "docker" makes a missing engine a reason to refuse; "process" asks for none.
        nodes: of the lab that is wanted; 0: any.
    """
    findings = [*_python(facts), *_engine(facts, runtime)]
    if facts.engine is not None:
        findings += [*_kernel(facts), *_image(facts, facts.engine), *_networks(facts, facts.engine)]
    findings += [*_limits(facts), *_disk(facts), *_ports(facts), *_machine(facts)]
    capacity = None if facts.engine is None and runtime == "docker" else estimate(facts)
    wanted = nodes or SMALLEST_LAB
    if capacity is not None and capacity.nodes < wanted:
        level = Level.REFUSE if capacity.at_most < wanted else Level.WARN
        bound = next(one for one in capacity.bounds if level is Level.WARN or not one.soft)
        text = f"{wanted} nodes do not fit: about {bound.nodes} do; {bound.what}"
        findings.append(Finding(level=level, topic="capacity", text=text, fix=bound.fix))
    return Examination(findings=tuple(findings), capacity=capacity)


def _python(facts: Facts) -> Iterator[Finding]:
    version = ".".join(map(str, facts.python))
    if facts.python[:2] < MIN_PYTHON:
        yield Finding(
            level=Level.REFUSE,
            topic="python",
            text=f"{version}; {'.'.join(map(str, MIN_PYTHON))} or later is needed",
            fix="apt install python3.11 python3.11-venv, or uv python install 3.11",
        )
    if facts.modules_missing:
        yield Finding(
            level=Level.REFUSE,
            topic="python",
            text=f"packages are missing: {', '.join(facts.modules_missing)}",
            fix="make install, or pip install -e .",
        )
    if facts.python[:2] >= MIN_PYTHON and not facts.modules_missing:
        where = "in a virtual environment" if facts.virtual_environment else "not in a virtual environment"
        level = Level.OK if facts.virtual_environment else Level.NOTE
        yield Finding(level=level, topic="python", text=f"{version}, {where}")


def _engine(facts: Facts, runtime: str) -> Iterator[Finding]:
    engine = facts.engine
    if engine is None:
        if runtime != "process":
            level = Level.REFUSE if runtime == "docker" else Level.WARN
            text = facts.engine_error + ("" if runtime == "docker" else "; lab up starts processes instead")
            yield Finding(level=level, topic="engine", text=text, fix=facts.engine_hint)
        return
    cgroups = f"cgroup v{engine.cgroup_version} ({engine.cgroup_driver})" if engine.cgroup_version else "no cgroups"
    kind = ", rootless" if engine.rootless else ""
    yield Finding(
        level=Level.OK,
        topic="engine",
        text=f"{engine.version} at {engine.address}{kind}, {engine.storage_driver}, {cgroups}",
    )
    absent = [
        name
        for name, there in (
            ("memory", engine.limits_memory),
            ("processes", engine.limits_pids),
            ("CPU", engine.limits_cpu),
        )
        if not there
    ]
    if absent:
        yield Finding(
            level=Level.WARN,
            topic="engine",
            text=f"it cannot limit {', '.join(absent)}: one node can starve the others",
            fix="on a kernel with cgroup v1 add cgroup_enable=memory to its command line; rootless needs cgroup v2",
        )
    if not engine.local:
        yield Finding(level=Level.NOTE, topic="engine", text="it is on another machine: its limits were not looked at")
    if engine.open_files is not None and engine.open_files < MIN_ENGINE_FILES:
        yield Finding(
            level=Level.WARN,
            topic="engine",
            text=f"its process may open {engine.open_files} files; each container and each published port takes some",
            fix="LimitNOFILE=1048576 in its systemd unit, then restart it",
        )


def _kernel(facts: Facts) -> Iterator[Finding]:
    kernel = facts.kernel
    if kernel is None:
        return
    if kernel.error:
        text = f"what faults can use was not found out: {kernel.error}"
        yield Finding(level=Level.WARN, topic="kernel", text=text, fix="make image")
        return
    there = [name for name in FEATURES if kernel.features.get(name)]
    if there:
        yield Finding(level=Level.OK, topic="kernel", text=f"it has {', '.join(there)}")
    for name, fallback in FEATURES.items():
        if not kernel.features.get(name):
            level = Level.WARN if name == BLACKHOLE else Level.NOTE
            yield Finding(level=level, topic="kernel", text=f"{name} is missing: {fallback}")


def _image(facts: Facts, engine: EngineFacts) -> Iterator[Finding]:
    if facts.image_error:
        yield Finding(level=Level.WARN, topic="image", text=facts.image_error, fix="make image")
    elif facts.image is not None:
        yield Finding(level=Level.OK, topic="image", text=f"{facts.image} is there")
    else:
        free = engine.root_free_bytes
        if free is not None and free < IMAGE_MB * MB:
            text = f"the node image is to be built, for which {engine.root} has too little room: {free // MB} MB"
            yield Finding(level=Level.REFUSE, topic="image", text=text, fix="docker system prune")
        else:
            yield Finding(
                level=Level.NOTE, topic="image", text="the first lab up builds it: a minute or two", fix="make image"
            )


def _networks(facts: Facts, engine: EngineFacts) -> Iterator[Finding]:
    free = sum(_free_subnets(pool, facts, engine) for pool in POOLS)
    taken = [route for route in facts.routes if any(route.network.overlaps(pool) for pool in POOLS)]
    vpn = [route for route in taken if route.interface.startswith(VPN_INTERFACES)]
    if free < 2:
        names = ", ".join(f"{route.network} ({route.interface})" for route in vpn) or "networks and routes"
        yield Finding(
            level=Level.REFUSE,
            topic="subnets",
            text=f"a lab needs two, and {free} of {', '.join(map(str, POOLS))} are free; taken by {names}",
            fix="lab gc; docker network prune; or leave the VPN",
        )
        return
    yield Finding(level=Level.OK, topic="subnets", text=f"{free} of /{SUBNET_PREFIX} are free: {free // 2} labs")
    for route in vpn:
        text = f"the VPN on {route.interface} has {route.network}; labs stay out of it"
        yield Finding(level=Level.NOTE, topic="subnets", text=text)
    if len(engine.networks) >= DEFAULT_POOL_NETWORKS:
        yield Finding(
            level=Level.NOTE,
            topic="subnets",
            text=f"the engine has {len(engine.networks)} networks: its own pools may be used up; labs do not use them",
            fix="docker network prune",
        )


def _free_subnets(pool: IPv4Network, facts: Facts, engine: EngineFacts) -> int:
    """How many subnets of a pool overlap with nothing."""
    used = [*engine.networks, *(route.network for route in facts.routes if route.network.prefixlen > 7)]
    near = [network for network in used if network.overlaps(pool)]
    if not near:
        return 1 << (SUBNET_PREFIX - pool.prefixlen)
    return sum(
        not any(subnet.overlaps(network) for network in near) for subnet in pool.subnets(new_prefix=SUBNET_PREFIX)
    )


def _limits(facts: Facts) -> Iterator[Finding]:
    if facts.open_files is not None and facts.open_files < MIN_OPEN_FILES:
        text = f"this shell may open {facts.open_files} files"
        yield Finding(level=Level.WARN, topic="limits", text=text, fix="ulimit -n 4096")
    if facts.neighbours_refused:
        yield Finding(
            level=Level.WARN,
            topic="limits",
            text=f"the kernel's neighbour table was full {facts.neighbours_refused} times since this machine started: "
            "in large labs nodes do not find each other",
            fix=NEIGHBOURS_FIX,
        )
    instances = facts.sysctl.get("fs.inotify.max_user_instances")
    if instances is not None and instances < MIN_INOTIFY_INSTANCES:
        yield Finding(
            level=Level.WARN,
            topic="limits",
            text=f"fs.inotify.max_user_instances is {instances}: `docker logs -f` and editors fail when it is used up",
            fix="sudo sysctl -w fs.inotify.max_user_instances=512",
        )


def _disk(facts: Facts) -> Iterator[Finding]:
    if not facts.state_writable:
        yield Finding(
            level=Level.REFUSE,
            topic="disk",
            text=f"labs cannot be remembered: {facts.state_directory} is not writable",
            fix="lab --state-dir DIR ..., or LAB_STATE_DIR=DIR",
        )
    elif facts.state_free_bytes is not None and facts.state_free_bytes < MIN_STATE_FREE_MB * MB:
        yield Finding(
            level=Level.REFUSE,
            topic="disk",
            text=f"{facts.state_free_bytes // MB} MB are free in {facts.state_directory}",
            fix="make room, or lab --state-dir DIR ...",
        )
    root = facts.engine.root_free_bytes if facts.engine else None
    if root is not None and facts.engine is not None:
        level = Level.WARN if root < LOW_DISK_MB * MB else Level.OK
        fix = "docker system prune; lab gc --images" if level is Level.WARN else ""
        free = f"{root // (1024 * MB)} GB" if root >= 1024 * MB else f"{root // MB} MB"
        text = f"{free} free in {facts.engine.root}"
        yield Finding(level=level, topic="disk", text=text, fix=fix)


def _ports(facts: Facts) -> Iterator[Finding]:
    if facts.port_error:
        text = f"port {facts.port_wanted} on 127.0.0.1: {facts.port_error}"
        yield Finding(level=Level.REFUSE, topic="ports", text=text, fix="choose another, or leave --port out")
    if facts.loopback_error:
        text = f"no port on 127.0.0.1 can be had: {facts.loopback_error}"
        yield Finding(level=Level.REFUSE, topic="ports", text=text, fix="ip link set lo up")


def _machine(facts: Facts) -> Iterator[Finding]:
    available = facts.memory_available_bytes // MB
    swap = f", {facts.swap_free_bytes // MB} MB swap" if facts.swap_free_bytes else ", no swap"
    groups = facts.engine.groups if facts.engine else facts.groups
    grouped = available if groups.memory_free_bytes is None else groups.memory_free_bytes // MB
    group = f", {grouped} MB of it to the control group" if grouped < available else ""
    level = Level.WARN if min(available, grouped) < LOW_MEMORY_MB else Level.OK
    text = f"{available} of {facts.memory_total_bytes // MB} MB memory available{group}{swap}; {facts.cpus} CPUs"
    yield Finding(level=level, topic="machine", text=text)
    if facts.load > BUSY_PER_CPU * facts.cpus:
        text = f"it is busy: {facts.load:.1f} processes want to run at a time; starts take longer"
        yield Finding(level=Level.NOTE, topic="machine", text=text, fix="lab up --timeout 3m")
