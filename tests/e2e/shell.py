"""The `lab` command as somebody types it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from orchestrator import labels
from orchestrator.engine import Engine

COMMAND_TIMEOUT_S = 120.0


class Shell:
    """Runs `lab` in a directory of its own."""

    def __init__(self, directory: Path, **environment: str) -> None:
        self.directory = directory
        inherited = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
        self.environment = {**inherited, "NO_COLOR": "1", **environment}

    def __call__(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "orchestrator", *arguments],
            cwd=self.directory,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=COMMAND_TIMEOUT_S,
            check=False,
        )

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "orchestrator", *arguments],
            cwd=self.directory,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )


def objects_of(engine: Engine, lab: str) -> list[str]:
    """Whatever of a lab is in the engine."""
    mark = {"label": f"{labels.LAB}={lab}"}
    client = engine.client
    found = [*client.containers.list(all=True, filters=mark, ignore_removed=True), *client.networks.list(filters=mark)]
    return [str(thing.name) for thing in [*found, *client.volumes.list(filters=mark)]]
