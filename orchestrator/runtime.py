"""What a lab needs of the thing that runs its nodes; containers and processes are two of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from orchestrator.spec import LabSpec, NodeSpec

Report = Callable[[str], None]
"""Takes one line of progress for people."""


class NodeState(StrEnum):
    """What the runtime says of a node."""

    RUNNING = "running"
    PAUSED = "paused"
    STOPPED = "stopped"
    MISSING = "missing"


@dataclass(frozen=True, slots=True)
class ControlAddress:
    """How to reach a node's control interface."""

    address: str
    """``unix:PATH`` or ``host:port``, as seen from the proxy if there is one. Of kind reference: its WebSocket."""
    token: str = ""
    proxy: str = ""
    """URL of the gateway, credentials included."""


class Runtime(Protocol):
    """Runs the nodes of one lab. Methods may be called from several threads."""

    @property
    def name(self) -> str: ...

    def prepare(self, spec: LabSpec, report: Report) -> None:
        """Make what all nodes need: image, networks, gateway. Made anew or found from before."""

    def start_node(self, node: NodeSpec) -> None:
        """Create and start a node; nothing happens if it runs."""

    def stop_node(self, node: NodeSpec, *, kill: bool = False) -> None:
        """End a node, with SIGTERM or SIGKILL. It can be started again."""

    def pause_node(self, node: NodeSpec, paused: bool) -> None:
        """Freeze a node that runs, or let it go on; nothing happens if it is so already."""

    def node_states(self) -> dict[str, NodeState]:
        """Every node that the runtime knows of."""

    def control_address(self, node: NodeSpec) -> ControlAddress: ...

    def logs(self, node: NodeSpec, *, follow: bool = False, tail: int | None = None) -> Iterator[str]:
        """Log lines of a node."""

    def execute(self, node: NodeSpec, command: Sequence[str]) -> tuple[int, str]:
        """Run a command where the node runs: exit code and output."""

    def down(self) -> list[str]:
        """Remove everything of the lab; the names of what was removed. Twice is fine."""

    def close(self) -> None:
        """Give up connections to the runtime; the lab goes on."""
