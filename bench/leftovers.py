"""What the engine, and the disk, still have of a lab that is down."""

from __future__ import annotations

from pathlib import Path

from orchestrator import labels
from orchestrator.engine import Engine
from orchestrator.state import StateDir


def leftovers(name: str, state_root: Path) -> list[str]:
    """Names of containers, networks and volumes of a lab, and its state directory; empty if nothing is left.

    Raises:
        RuntimeUnavailable: no engine answers.
    """
    state, engine = StateDir(name, state_root), Engine()
    try:
        mark, client = labels.filters(state.lab_id), engine.client
        containers = client.containers.list(all=True, filters=mark, ignore_removed=True)
        found = [f"container {one.name}" for one in containers]
        found += [f"network {one.name}" for one in client.networks.list(filters=mark)]
        found += [f"volume {one.name}" for one in client.volumes.list(filters=mark)]
    finally:
        engine.close()
    return found + ([str(state.directory)] if state.directory.exists() else [])
