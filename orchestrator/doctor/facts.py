"""What `lab doctor` looks at. Plain data: gathered by :mod:`gather`, judged by :mod:`findings`; None is "not known"."""

from __future__ import annotations

from dataclasses import dataclass, field
from ipaddress import IPv4Network


@dataclass(frozen=True, kw_only=True)
class GroupFacts:
    """What control groups leave; None: no limit."""

    memory_free_bytes: int | None = None
    memory_limit_bytes: int | None = None
    processes_free: int | None = None
    """Threads counted."""


@dataclass(frozen=True, kw_only=True)
class EngineFacts:
    """An engine that answered."""

    address: str
    version: str
    local: bool = True
    """Whether it runs on this machine's kernel and memory, so that the other facts are about it too."""
    storage_driver: str = ""
    cgroup_version: str = ""
    cgroup_driver: str = ""
    rootless: bool = False
    limits_memory: bool = True
    limits_pids: bool = True
    limits_cpu: bool = True
    containers: int = 0
    """Running ones, whosever they are."""
    networks: tuple[IPv4Network, ...] = ()
    """Subnets of its networks."""
    memory_bytes: int | None = None
    """Of the machine that it runs on."""
    cpus: int | None = None
    root: str = ""
    """Where it keeps images and containers."""
    root_free_bytes: int | None = None
    open_files: int | None = None
    """How many files its process may open, of which each published port takes some."""
    groups: GroupFacts = GroupFacts()
    """Above its containers."""


@dataclass(frozen=True, kw_only=True)
class Route:
    """A network that the host has a way to."""

    network: IPv4Network
    interface: str = ""


@dataclass(frozen=True, kw_only=True)
class KernelFacts:
    """What a network namespace can be made to do; from a helper container."""

    features: dict[str, bool] = field(default_factory=dict)
    """By name of :data:`orchestrator.doctor.kernel.FEATURES`."""
    error: str = ""
    """Why that is not known."""


@dataclass(frozen=True, kw_only=True)
class Facts:
    """This machine."""

    engine: EngineFacts | None = None
    engine_error: str = ""
    engine_hint: str = ""
    kernel: KernelFacts | None = None
    image: str | None = None
    """Tag of the node image for this checkout; None: it is not built yet."""
    image_error: str = ""
    """Why it cannot even be looked for."""
    routes: tuple[Route, ...] = ()
    memory_available_bytes: int = 0
    memory_total_bytes: int = 0
    swap_free_bytes: int = 0
    cpus: int = 1
    load: float = 0.0
    """Processes that want to run, mean of the last minute."""
    state_directory: str = ""
    state_free_bytes: int | None = None
    state_writable: bool = True
    python: tuple[int, int, int] = (3, 11, 0)
    virtual_environment: bool = True
    modules_missing: tuple[str, ...] = ()
    """Packages that cannot be imported."""
    open_files: int | None = None
    """How many files this program may open."""
    groups: GroupFacts = GroupFacts()
    """Of this program, and so of nodes that are processes."""
    user_processes_free: int | None = None
    """How many more this user may have, threads counted; None: no limit."""
    sysctl: dict[str, int] = field(default_factory=dict)
    """Kernel settings by name, such as net.core.netdev_max_backlog; those that could be read."""
    neighbours_used: int = 0
    """Entries of the kernel's neighbour table now, of all network namespaces."""
    neighbours_refused: int = 0
    """How often it was full since the machine started."""
    loopback_error: str = ""
    """Why no port on 127.0.0.1 can be had."""
    port_wanted: int = 0
    port_error: str = ""
    """Why the port that was asked for cannot be had."""
