"""What faults a lab is meant to have, on disk: written before anything is applied, so that a later command can undo it.

One file in the lab's state directory. No file: no faults, and nothing that could be left of any.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from orchestrator.errors import LabNotFound, OrchestratorError
from orchestrator.faults.model import Conditions, Fault, fault_from_json, fault_to_json
from orchestrator.faults.tc import Kernel
from orchestrator.faults.wanted import NodeFaults

FILE = "faults.json"
LAB_FILE = "state.json"
"""Of the lab itself (:class:`orchestrator.state.StateDir`); without it there is no lab."""
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
    to_sever: set[tuple[str, str]] = field(default_factory=set)
    """Nodes that were frozen when the way to a peer was blocked: such connections end when they go on."""
    before: dict[str, float] = field(default_factory=dict)
    """Round trips before the first fault on a link, in seconds, by ``a>b``."""
    count: int = 0
    """Of faults so far; makes names."""
    kernel: Kernel | None = None
    """What was found that it can do; None: nobody asked yet."""

    @property
    def clean(self) -> bool:
        return not (self.faults or self.actual or self.unsure or self.severed or self.to_sever)

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
        """Let one command at a time change faults.

        Raises:
            LabNotFound: the lab is gone. Nothing of it is made again.
        """
        self.check_lab()
        try:
            file = open(self._directory / LOCK, "w")  # noqa: SIM115  -- closed below, and that unlocks it
        except FileNotFoundError:
            raise self._gone() from None
        with file:
            fcntl.flock(file, fcntl.LOCK_EX)
            self.check_lab()  # whoever had the lock may have been waiting for a lab that went
            yield

    def check_lab(self) -> None:
        """Raise LabNotFound if the lab is gone."""
        if not (self._directory / LAB_FILE).exists():
            raise self._gone()

    def _gone(self) -> LabNotFound:
        return LabNotFound(f"lab {self._directory.name!r} is gone: somebody took it down", hint="lab ls; lab up")

    def load(self) -> FaultState:
        """What was saved; nothing if there is no file.

        Raises:
            OrchestratorError: the file is damaged.
        """
        try:
            return state_from_json(json.loads(self.path.read_text()))
        except FileNotFoundError:
            return FaultState()
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise OrchestratorError(f"{self.path} is damaged: {error}", hint="lab down, then lab up") from None

    def save(self, state: FaultState) -> None:
        """Replace the file at once; without faults it goes.

        Raises:
            LabNotFound: the lab is gone.
        """
        if state.clean:
            self.path.unlink(missing_ok=True)
            return
        temporary = self.path.with_suffix(".tmp")
        # Without indentation json is ten times faster, which a thousand faults make felt.
        try:
            temporary.write_text(json.dumps(state_to_json(state)))
            temporary.replace(self.path)
        except FileNotFoundError:
            raise self._gone() from None


def state_to_json(state: FaultState) -> dict[str, Any]:
    """As it is kept."""
    return {
        "version": VERSION,
        "faults": [fault_to_json(fault) for fault in state.faults],
        "actual": {name: _node_to_json(node) for name, node in state.actual.items()},
        "unsure": sorted(state.unsure),
        "severed": sorted(state.severed),
        "to_sever": sorted(state.to_sever),
        "before": state.before,
        "count": state.count,
        "kernel": vars(state.kernel) if state.kernel else None,
    }


def state_from_json(record: dict[str, Any]) -> FaultState:
    """The reverse of :func:`state_to_json`."""
    return FaultState(
        faults=[fault_from_json(fault) for fault in record["faults"]],
        actual={name: _node_from_json(node) for name, node in record["actual"].items()},
        unsure=set(record["unsure"]),
        severed={(a, b) for a, b in record["severed"]},
        to_sever={(a, b) for a, b in record.get("to_sever", ())},
        before=record["before"],
        count=record["count"],
        kernel=Kernel(**record["kernel"]) if record.get("kernel") else None,
    )


def _node_to_json(node: NodeFaults) -> dict[str, Any]:
    return {
        "blocked": sorted(node.blocked),
        "shaped": _said(node.shaped),
        "paused": node.paused,
        "traffic": _said(node.traffic),
    }


def _node_from_json(record: dict[str, Any]) -> NodeFaults:
    shaped, traffic = (
        {peer: Conditions(**one) for peer, one in record.get(key, {}).items()} for key in ("shaped", "traffic")
    )
    return NodeFaults(frozenset(record["blocked"]), shaped, record["paused"], traffic)


def _said(conditions: Mapping[str, Conditions]) -> dict[str, Any]:
    return {
        peer: {key: value for key, value in vars(one).items() if value is not None} for peer, one in conditions.items()
    }
