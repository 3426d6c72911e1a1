"""What faults a lab is meant to have, on disk: written before anything is applied, so that a later command can undo it.

One file in the lab's state directory. No file: no faults, and nothing that could be left of any.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from orchestrator.errors import OrchestratorError
from orchestrator.faults.model import Conditions, Fault, fault_from_json, fault_to_json
from orchestrator.faults.wanted import NodeFaults

FILE = "faults.json"
LOCK = "faults.lock"
VERSION = 1


@dataclass
class FaultState:
    """Everything that has to outlive whoever applied it."""

    faults: list[Fault] = field(default_factory=list)
    actual: dict[str, NodeFaults] = field(default_factory=dict)
    """What was applied, by node; right unless the node is in :attr:`unsure`."""
    unsure: set[str] = field(default_factory=set)
    """Nodes that something was being done to; it may or may not have happened."""
    severed: set[tuple[str, str]] = field(default_factory=set)
    """Who was connected (first: who dialed) before the way between them was blocked."""
    before: dict[str, float] = field(default_factory=dict)
    """Round trips before the first fault on a link, in seconds, by ``a>b``."""
    count: int = 0
    """Of faults so far; makes names."""

    @property
    def clean(self) -> bool:
        return not (self.faults or self.actual or self.unsure or self.severed)

    def new_name(self, kind: str) -> str:
        """A name that no fault has."""
        while True:
            self.count += 1
            name = f"{kind}-{self.count}"
            if all(fault.name != name for fault in self.faults):
                return name


class FaultStore:
    """The file."""

    def __init__(self, directory: Path) -> None:
        """`directory` is the lab's; it exists while the lab does."""
        self._directory = directory
        self.path = directory / FILE

    def exists(self) -> bool:
        return self.path.exists()

    @contextlib.contextmanager
    def lock(self) -> Iterator[None]:
        """Let one command at a time change faults."""
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        with open(self._directory / LOCK, "w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def load(self) -> FaultState:
        """What was saved; nothing if there is no file.

        Raises:
            OrchestratorError: the file is damaged.
        """
        try:
            record = json.loads(self.path.read_text())
            return FaultState(
                faults=[fault_from_json(fault) for fault in record["faults"]],
                actual={name: _node_from_json(node) for name, node in record["actual"].items()},
                unsure=set(record["unsure"]),
                severed={(a, b) for a, b in record["severed"]},
                before=record["before"],
                count=record["count"],
            )
        except FileNotFoundError:
            return FaultState()
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise OrchestratorError(f"{self.path} is damaged: {error}", hint="lab down, then lab up") from None

    def save(self, state: FaultState) -> None:
        """Replace the file at once; without faults it goes."""
        if state.clean:
            self.path.unlink(missing_ok=True)
            return
        record = {
            "version": VERSION,
            "faults": [fault_to_json(fault) for fault in state.faults],
            "actual": {name: _node_to_json(node) for name, node in state.actual.items()},
            "unsure": sorted(state.unsure),
            "severed": sorted(state.severed),
            "before": state.before,
            "count": state.count,
        }
        temporary = self.path.with_suffix(".tmp")
        temporary.write_text(json.dumps(record, indent=1))
        temporary.replace(self.path)


def _node_to_json(node: NodeFaults) -> dict[str, Any]:
    shaped = {
        peer: {key: value for key, value in vars(one).items() if value is not None} for peer, one in node.shaped.items()
    }
    return {"blocked": sorted(node.blocked), "shaped": shaped, "paused": node.paused}


def _node_from_json(record: dict[str, Any]) -> NodeFaults:
    shaped = {peer: Conditions(**one) for peer, one in record["shaped"].items()}
    return NodeFaults(frozenset(record["blocked"]), shaped, record["paused"])
