"""Who may import whom: nothing points back, cores do no I/O, and the orchestrator sees a node from outside only."""

from __future__ import annotations

import ast
import functools
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("node", "orchestrator")

# First row: open to everybody. `node` itself holds nothing but the version.
BASE = {"node", "node.ids", "node.disconnect", "node.errors", "node.events", "node.log", "node.tasks"}
ADDRESSES = {"node.enr", "node.enode", "node.networks"}
FIRST_ROW = BASE | ADDRESSES
CODECS = {"node.crypto", "node.rlp"}
CORES = FIRST_ROW | CODECS
SERVICES = CORES | {"node.statefile", "node.p2p", "node.rpc", "node.service"}
ORCHESTRATOR = FIRST_ROW | {
    "orchestrator",
    "node.crypto",  # keys and overlay addresses of a lab follow from its seed
    "node.swarm.proximity",
    "node.swarm.health",  # what the tables of a ready lab hold
    "node.rpc.client",
    "node.rpc.links",  # a WebSocket of that client, through the gateway
    "node.control.client",
    "node.control.auth",
    "node.control.convert",
    "node.control.gen",
}

MAY_IMPORT: dict[str, set[str]] = {
    # The first row, each on those before it. The last two hold keys and records, so they stand on crypto and rlp, and
    # on each other: a record is one of the texts that name a node.
    "node.ids": set(),
    "node.disconnect": set(),
    "node.errors": {"node.disconnect"},
    "node.events": set(),
    "node.log": set(),
    "node.tasks": set(),
    "node.statefile": set(),  # only shells keep files
    "node.enr": BASE | CODECS | ADDRESSES,
    "node.enode": BASE | CODECS | ADDRESSES,
    "node.networks": BASE | ADDRESSES,
    # One row on the other.
    "node.crypto": BASE | {"node.crypto"},
    "node.rlp": BASE | {"node.rlp"},
    "node.rlpx": CORES | {"node.rlpx"},
    "node.devp2p": CORES | {"node.devp2p"},
    "node.discv4": CORES | {"node.discv4"},
    "node.discv4.memory": CORES | {"node.statefile", "node.discv4"},
    "node.p2p": CORES | {"node.rlpx", "node.devp2p", "node.discv4", "node.p2p"},
    "node.rpc": {"node", "node.errors", "node.rpc"},
    "node.service": SERVICES,
    # Cores first, their shells apart.
    "node.swarm": CORES | {"node.devp2p", "node.swarm"},
    "node.swarm.api": CORES | {"node.rpc", "node.swarm"},
    "node.swarm.service": SERVICES | {"node.swarm"},
    "node.pss": CORES | {"node.devp2p", "node.swarm.proximity", "node.pss"},
    "node.pss.api": CORES | {"node.rpc", "node.swarm", "node.pss"},
    "node.pss.handshake_api": CORES | {"node.rpc", "node.pss"},
    "node.pss.pipe": CORES | {"node.devp2p", "node.p2p", "node.pss"},
    "node.pss.protocol": CORES | {"node.p2p", "node.pss"},
    "node.pss.ping": CORES | {"node.devp2p", "node.p2p", "node.pss"},
    "node.pss.client": CORES | {"node.p2p", "node.rpc", "node.pss"},
    "node.pss.notification": CORES | {"node.rpc", "node.pss"},
    "node.pss.client_pipe": CORES | {"node.p2p", "node.rpc", "node.pss"},
    "node.pss.service": SERVICES | {"node.swarm", "node.pss"},
    "node.pss.mount": SERVICES | {"node.pss"},
    # What puts it together.
    "node.load": FIRST_ROW | {"node.p2p", "node.service"},
    "node.config": FIRST_ROW | {"node.crypto", "node.service"},
    "node.app": SERVICES | {"node.config", "node.load", "node.swarm.service", "node.pss.service", "node.pss.mount"},
    "node.control": SERVICES | {"node.config", "node.swarm", "node.pss", "node.control"},
    "node.__main__": FIRST_ROW | {"node.app", "node.config", "node.service", "node.control.server"},
    # What callers of the control interface load, the orchestrator among them: nothing that runs a node.
    "node.control.client": FIRST_ROW | {"node.control.auth", "node.control.convert", "node.control.gen"},
    "node.control.auth": FIRST_ROW,
    "node.control.convert": FIRST_ROW | {"node.control.gen"},
    "node.control.gen": {"node.control.gen"},
    "node.control.gateway": {"node.log", "node.tasks"},
    "orchestrator": ORCHESTRATOR,
}
"""Package or module -> packages or modules it may import. The longest name that fits a module counts."""

IO_MODULES = {"asyncio", "socket", "select", "selectors", "ssl", "threading", "time", "subprocess", "multiprocessing"}
SANS_IO = (
    "node.crypto",
    "node.rlp",
    "node.rlpx",
    "node.devp2p",
    "node.discv4",
    "node.swarm",
    "node.pss",
    "node.enode",
    "node.enr",
)
SANS_IO_ALSO = (
    *("node.networks", "node.ids", "node.disconnect", "node.errors"),
    *("node.p2p.admission", "node.p2p.dialer", "node.p2p.shaper"),
)
SHELLS = {"node.discv4.service", "node.discv4.memory", "node.swarm.service", "node.pss.service"} | {
    f"node.pss.{name}" for name in ("handshake_shell", "pipe", "protocol", "ping", "client", "client_pipe")
}
HEAVY = {"grpc", "aiohttp", "docker"}
"""Cost tens of megabytes each; only the modules that are about them may load them when they are imported."""


def covers(package: str, module: str) -> bool:
    """Whether a name of a table means this module. `node` means the package itself, not all there is in it."""
    return module == package or (package not in PACKAGES[:1] and module.startswith(package + "."))


def imports_of(source: str, module: str) -> Iterator[tuple[str, int]]:
    """Every module that a source imports, at the top or later, with the line; TYPE_CHECKING does not count."""
    yield from _walk(ast.parse(source), module)


def _walk(parent: ast.AST, module: str) -> Iterator[tuple[str, int]]:
    for child in ast.iter_child_nodes(parent):
        if isinstance(child, ast.If) and isinstance(child.test, ast.Name) and child.test.id == "TYPE_CHECKING":
            for orelse in child.orelse:
                yield from _walk(orelse, module)
        elif isinstance(child, ast.Import):
            yield from ((alias.name, child.lineno) for alias in child.names)
        elif isinstance(child, ast.ImportFrom):
            base = child.module or ""
            if child.level:
                above = module.split(".")[: -child.level]
                base = ".".join([*above, *([base] if base else [])])
            # `from node.rlpx import frame` imports a module, `from node.rlpx.frame import Frame` a name of one.
            yield from ((_module_named(base, alias.name), child.lineno) for alias in child.names)
        else:
            yield from _walk(child, module)


@functools.cache
def _module_named(base: str, name: str) -> str:
    path = ROOT.joinpath(*base.split("."), name)
    return f"{base}.{name}" if path.with_suffix(".py").exists() or path.is_dir() else base


def rule_for(module: str) -> set[str]:
    """The row of the table for a module.

    Raises:
        LookupError: there is none; say where it belongs.
    """
    rows = [row for row in MAY_IMPORT if module == row or module.startswith(row + ".")]
    if not rows:
        raise LookupError(f"{module} is in no row of MAY_IMPORT")
    return MAY_IMPORT[max(rows, key=len)]


def violations(module: str, source: str) -> list[str]:
    """What breaks the tables in one module, as texts that can be clicked on."""
    found = []
    sans_io = module not in SHELLS and any(covers(package, module) for package in SANS_IO + SANS_IO_ALSO)
    for target, line in imports_of(source, module):
        top = target.partition(".")[0]
        if top in PACKAGES:
            if target != module and not any(covers(allowed, target) for allowed in rule_for(module)):
                found.append(f"{module}:{line} may not import {target}")
        elif sans_io and top in IO_MODULES:
            found.append(f"{module}:{line} does no I/O and may not import {target}")
    return found


@functools.cache
def modules() -> dict[str, Path]:
    """Name -> file of every module we have."""
    found = {}
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            parts = path.relative_to(ROOT).with_suffix("").parts
            found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


# -- the code as it is


def test_nobody_imports_what_it_may_not() -> None:
    found = [text for module, path in modules().items() for text in violations(module, path.read_text())]
    assert not found, "\n".join(found)


def test_every_row_of_the_table_is_about_something_that_exists() -> None:
    known = modules()
    assert [row for row in MAY_IMPORT if row not in known] == []
    named = set().union(*MAY_IMPORT.values(), SHELLS, SANS_IO, SANS_IO_ALSO)
    assert [name for name in sorted(named) if name not in known] == []


def test_modules_import_each_other_in_no_circle() -> None:
    graph = {
        module: {target for target, _ in imports_of(path.read_text(), module) if target in modules()} - {module}
        for module, path in modules().items()
    }
    graph["node.enode"] = graph["node.enode"] - {
        "node.enr"
    }  # the one exception, at the time of a call: records build on enode URLs
    while leaves := {module for module, targets in graph.items() if not targets}:
        graph = {module: targets - leaves for module, targets in graph.items() if module not in leaves}
    assert graph == {}


@pytest.mark.parametrize("module", ["node.config", "node.app", "node.__main__"])
def test_what_every_node_loads_leaves_the_heavy_libraries_for_when_they_are_needed(module: str) -> None:
    tops = {
        alias.name.partition(".")[0]
        for statement in ast.parse(modules()[module].read_text()).body
        if isinstance(statement, ast.Import)
        for alias in statement.names
    }
    assert not tops & HEAVY


# -- the checker


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("node.rlpx.frame", "from node.devp2p.messages import Hello"),
        ("node.devp2p.session", "import node.rlpx.frame"),
        ("node.ids", "from node.errors import LabError"),
        ("node.rpc.session", "from node.p2p.peer import Peer"),
        ("node.rpc.session", "from node import p2p"),
        ("node.swarm.service", "from node.pss.service import PssService"),
        ("node.swarm.kademlia", "from node.service.service import Service"),
        ("node.pss.routing", "def f():\n    from node.swarm.service import OverlayService"),
        ("node.p2p.server", "if a:\n    try:\n        import node.service.stack\n    except ImportError: pass"),
        ("node.p2p.link", "from ..rpc import ipc"),
        ("node.control.client", "from node.swarm.service import OverlayService"),
        ("orchestrator.lab", "from node.app import build_node"),
        ("orchestrator.lab", "from node.swarm.kademlia import Kademlia"),
        ("node.service.stack", "from orchestrator.errors import LabFailed"),
        ("node.pss.seen", "import time"),
        ("node.swarm.hive", "import asyncio"),
        ("node.rlpx.connection", "from threading import Lock"),
        ("node.crypto.ecies", "def f():\n    import socket"),
        ("node.p2p.dialer", "from asyncio import sleep"),
    ],
)
def test_a_forbidden_import_is_found(module: str, source: str) -> None:
    assert len(violations(module, source)) == 1


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("node.rlpx.frame", "from node.rlp.codec import encode\nimport hashlib"),
        ("node.p2p.server", "import asyncio, socket\nfrom node.rlpx import frame"),
        ("node.pss.service", "import asyncio, time\nfrom node.swarm.service import OverlayService"),
        ("node.rpc.ws", "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from node.p2p.peer import Peer"),
        ("orchestrator.lab", "from node.control.client import ControlClient\nfrom node import __version__"),
    ],
)
def test_an_allowed_import_is_not(module: str, source: str) -> None:
    assert violations(module, source) == []


def test_a_module_of_a_new_package_needs_a_row() -> None:
    with pytest.raises(LookupError, match=r"node\.discv5\.table"):
        violations("node.discv5.table", "import node.ids")
