"""Short-lived containers that join a node's network and may change it. Nodes themselves have no capability.

They carry the lab's labels, so whatever became of their maker, `lab heal`, `lab up` and `lab down` find them.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from orchestrator import labels
from orchestrator.errors import LabNotReady, OrchestratorError

if TYPE_CHECKING:
    from docker.models.containers import Container

    from orchestrator.spec import NodeSpec

MEMORY_MB = 32
PIDS = 16
TIMEOUT_S = 30


def name(lab_id: str, role: str, node: NodeSpec) -> str:
    """A name of its own for each helper: one whose maker was killed half-way must not be in the way."""
    return f"lab-{lab_id}-{role}-{node.name}-{secrets.token_hex(3)}"


def run(create: Callable[..., Container], target: Container | None, node: str, script: str) -> str:
    """Run shell commands as root with NET_ADMIN in the network namespace of a container, and nowhere else.

    Args:
        create: makes the helper with what is common to all containers of the lab.
        target: whose network.
        node: its name, for errors.

    Raises:
        LabNotReady: the container does not run.
        OrchestratorError: the commands fail; with what they said.
    """
    if target is None or target.status not in ("running", "paused"):
        raise LabNotReady(f"node {node} does not run", hint=f"lab node start {node}")
    helper = create(
        entrypoint=["sh", "-c", script],
        network_mode=f"container:{target.id}",
        cap_add=["NET_ADMIN"],
        user="0",
        mem_limit=f"{MEMORY_MB}m",
        memswap_limit=f"{MEMORY_MB}m",
        pids_limit=PIDS,
    )
    try:
        helper.start()
        code = helper.wait(timeout=TIMEOUT_S)["StatusCode"]
        output = helper.logs().decode(errors="replace")
    except OSError as error:  # docker's and requests' errors are ones
        raise OrchestratorError(f"helper for {node}: {getattr(error, 'explanation', None) or error}") from None
    finally:
        _remove(helper)
    if code:
        raise OrchestratorError(f"helper for {node} failed ({code}): {output.strip()[:200]}")
    return output


def remove(helpers: Iterable[Container], role: str) -> list[str]:
    """Remove those that do this; their names."""
    chosen = [helper for helper in helpers if helper.labels.get(labels.ROLE) == role]
    for helper in chosen:
        _remove(helper)
    return [f"helper {helper.name}" for helper in chosen]


def _remove(helper: Container) -> None:
    import docker.errors

    try:
        helper.remove(force=True, v=True)
    except docker.errors.APIError as error:
        if error.status_code not in (404, 409):  # gone, or somebody else removes it just now
            raise OrchestratorError(f"removing {helper.name}: {error.explanation or error}") from None
