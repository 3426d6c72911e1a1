"""Looking at this machine. Whatever cannot be found out stays unknown; nothing here fails or changes anything."""

from __future__ import annotations

import contextlib
import importlib.util
import ipaddress
import os
import resource
import shutil
import socket
import sys
from pathlib import Path
from typing import Any

import psutil

from orchestrator.doctor import cgroups, kernel
from orchestrator.doctor.facts import EngineFacts, Facts, GroupFacts, KernelFacts, Route
from orchestrator.engine import Engine
from orchestrator.errors import ImageError, RuntimeUnavailable
from orchestrator.state import default_root
from orchestrator.subnets import parse_proc_routes

MODULES = ("aiohttp", "click", "coincurve", "cramjam", "cryptography", "docker", "google.protobuf", "grpc", "networkx")
SYSCTLS = (
    "net.core.netdev_max_backlog",
    "net.ipv4.neigh.default.gc_thresh3",
    "kernel.pid_max",
    "kernel.threads-max",
    "fs.inotify.max_user_instances",
    "fs.inotify.max_user_watches",
)
PROC_SYS = Path("/proc/sys")
PROC_ROUTES = Path("/proc/net/route")
PROC_ARP = Path("/proc/net/stat/arp_cache")
ENGINE_PROCESS = "dockerd"


def gather(*, root: Path | None = None, port: int = 0, probe_kernel: bool = True, runtime: str = "auto") -> Facts:
    """Look at everything.

    Args:
        root: of the state directories; default :func:`orchestrator.state.default_root`.
        port: to look whether it is free; 0: none.
        probe_kernel: start a helper container for a second, if there is an image for it.
        runtime: "process" does not look for an engine.
    """
    directory = (root or default_root()).absolute()
    memory = psutil.virtual_memory()
    known: dict[str, Any] = {}
    if runtime != "process":
        known = _engine_facts(probe_kernel)
    return Facts(
        **known,
        routes=_routes(),
        memory_available_bytes=memory.available,
        memory_total_bytes=memory.total,
        swap_free_bytes=psutil.swap_memory().free,
        cpus=len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1,
        load=os.getloadavg()[0],
        state_directory=str(directory),
        state_free_bytes=_free(directory),
        state_writable=os.access(_existing(directory), os.W_OK),
        python=sys.version_info[:3],
        virtual_environment=sys.prefix != sys.base_prefix,
        modules_missing=tuple(name for name in MODULES if not _importable(name)),
        open_files=_limit(resource.getrlimit(resource.RLIMIT_NOFILE)[0]),
        groups=cgroups.own_limits(),
        user_processes_free=_user_processes_free(),
        sysctl=_sysctls(),
        neighbours_used=_arp_statistics("entries", sum_up=False),
        neighbours_refused=_arp_statistics("table_fulls", sum_up=True),
        loopback_error=_bind_error(0),
        port_wanted=port,
        port_error=_bind_error(port) if port else "",
    )


def _engine_facts(probe_kernel: bool) -> dict[str, Any]:
    try:
        engine = Engine()
    except RuntimeUnavailable as error:
        return {"engine": None, "engine_error": str(error), "engine_hint": error.hint}
    try:
        known: dict[str, Any] = {"engine": _describe(engine)}
        try:
            known["image"] = _image(engine)
        except ImageError as error:
            known["image_error"] = str(error)
        if probe_kernel:
            image = known.get("image") or _any_image(engine)
            unbuilt = KernelFacts(error="the node image is not built yet")
            known["kernel"] = kernel.probe(engine.client, image) if image else unbuilt
        return known
    except Exception as error:  # docker-py lets requests' and urllib3's errors through
        return {"engine": None, "engine_error": f"the engine answers, but not as it should: {error}"}
    finally:
        engine.close()


def _describe(engine: Engine) -> EngineFacts:
    info = engine.client.info()
    root = str(info.get("DockerRootDir") or "")
    local = engine.is_local and info.get("KernelVersion") == os.uname().release
    process = _engine_process() if local else None
    return EngineFacts(
        address=engine.address,
        version=engine.version,
        local=local,
        storage_driver=str(info.get("Driver") or ""),
        cgroup_version=str(info.get("CgroupVersion") or ""),
        cgroup_driver=str(info.get("CgroupDriver") or ""),
        rootless=any("rootless" in option for option in info.get("SecurityOptions") or ()),
        limits_memory=bool(info.get("MemoryLimit")),
        limits_pids=bool(info.get("PidsLimit")),
        limits_cpu=bool(info.get("CpuCfsQuota")),
        containers=int(info.get("ContainersRunning") or 0),
        networks=tuple(_networks(engine)),
        memory_bytes=info.get("MemTotal"),
        cpus=info.get("NCPU"),
        root=root,
        root_free_bytes=_free(Path(root)) if local and root else None,
        open_files=_engine_files(process) if process else None,
        # One that we do not see runs outside of the container that we are in: limits of that are none of its.
        groups=cgroups.limits_of_all() if process else GroupFacts(),
    )


def _networks(engine: Engine) -> list[ipaddress.IPv4Network]:
    found = []
    for network in engine.client.networks.list():
        for config in (network.attrs.get("IPAM") or {}).get("Config") or []:
            with contextlib.suppress(ValueError):
                found.append(ipaddress.IPv4Network(config.get("Subnet", ""), strict=False))
    return found


def _image(engine: Engine) -> str | None:
    """Tag of the finished node image of this checkout; None if it is not there."""
    from orchestrator.image import find_finished_image

    found = find_finished_image(engine.client)
    return found.tag if found else None


def _any_image(engine: Engine) -> str | None:
    """Some node image, for what does not depend on the checkout."""
    from orchestrator.gc import NODE_REPOSITORIES

    images = engine.client.images.list(name=NODE_REPOSITORIES[0])
    return next((tag for image in images for tag in image.tags), None)


def _engine_process() -> psutil.Process | None:
    found = (process for process in psutil.process_iter(["name"]) if process.info["name"] == ENGINE_PROCESS)
    return next(found, None)


def _engine_files(process: psutil.Process) -> int | None:
    """How many files the engine's process may open, where we are allowed to know."""
    with contextlib.suppress(psutil.Error, AttributeError):
        return _limit(process.rlimit(psutil.RLIMIT_NOFILE)[0])
    return None


def _user_processes_free() -> int | None:
    """How many more processes this user may have, threads counted; root has no limit (setrlimit(2))."""
    limit = _limit(resource.getrlimit(resource.RLIMIT_NPROC)[0])
    if limit is None or os.geteuid() == 0:
        return None
    used = 0
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if process.uids().real == os.getuid():
                used += process.num_threads()
    return max(limit - used, 0)


def _limit(value: int) -> int | None:
    return None if value == resource.RLIM_INFINITY or value < 0 else value


def _routes() -> tuple[Route, ...]:
    try:
        lines = PROC_ROUTES.read_text().splitlines()[1:]
    except OSError:
        return ()
    return tuple(
        Route(network=network, interface=line.split()[0]) for line in lines for network in parse_proc_routes(line)
    )


def _sysctls() -> dict[str, int]:
    found = {}
    for name in SYSCTLS:
        with contextlib.suppress(OSError, ValueError):
            found[name] = int((PROC_SYS / name.replace(".", "/")).read_text())
    return found


def _arp_statistics(column: str, *, sum_up: bool) -> int:
    """A number of the kernel's IPv4 neighbour table; 0 where it is not told.

    Args:
        sum_up: each CPU counts by itself; else they all show the same.
    """
    try:
        heading, *rows = PROC_ARP.read_text().splitlines()
        values = [int(row.split()[heading.split().index(column)], 16) for row in rows]
    except (OSError, ValueError, IndexError):
        return 0
    return (sum(values) if sum_up else max(values)) if values else 0


def _free(directory: Path) -> int | None:
    try:
        return shutil.disk_usage(_existing(directory)).free
    except OSError:
        return None


def _existing(path: Path) -> Path:
    """The path, or the nearest directory above it that is there."""
    return next((place for place in (path, *path.parents) if place.exists()), Path("/"))


def _importable(name: str) -> bool:
    try:
        return importlib.util.find_spec(name) is not None
    except ImportError:
        return False


def _bind_error(port: int) -> str:
    with socket.socket() as probe:
        # As the engine's proxy listens: a port that was closed a moment ago is free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            return (error.strerror or str(error)).lower()
    return ""
