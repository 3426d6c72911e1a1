"""Short-lived containers that join a node's network, or have one of their own, and may change it. Nodes may not.

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
ALONE = "none"


def name(lab_id: str, role: str, node: NodeSpec | None) -> str:
    """A name of its own for each helper: one whose maker was killed half-way must not be in the way."""
    return f"lab-{lab_id}-{role}-{node.name if node else 'alone'}-{secrets.token_hex(3)}"


def network_of(target: Container | None, node: str) -> str:
    """The network namespace of a node's container.

    Raises:
        LabNotReady: it does not run.
    """
    if target is None or target.status not in ("running", "paused"):
        raise LabNotReady(f"node {node} does not run", hint=f"lab node start {node}")
    return f"container:{target.id}"


def run(create: Callable[..., Container], network: str, where: str, script: str) -> str:
    """Run shell commands as root with NET_ADMIN in one network namespace, and nowhere else.

    Args:
        create: makes the helper with what is common to all containers of the lab.
        network: a node's, see :func:`network_of`; :data:`ALONE` for one with nothing but its own loopback.
        where: whose that is, for errors.

    Raises:
        OrchestratorError: the commands fail; with what they said.
    """
    helper = create(
        entrypoint=["sh", "-c", script],
        network_mode=network,
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
        raise OrchestratorError(f"helper for {where}: {getattr(error, 'explanation', None) or error}") from None
    finally:
        _remove(helper)
    if code:
        raise OrchestratorError(f"helper for {where} failed ({code}): {output.strip()[:200]}")
    return output


def remove(helpers: Iterable[Container], role: str, *, only_look: bool = False) -> list[str]:
    """Remove those that do this, or only look for them; their names."""
    chosen = [helper for helper in helpers if helper.labels.get(labels.ROLE) == role]
    for helper in () if only_look else chosen:
        _remove(helper)
    return [f"helper {helper.name}" for helper in chosen]


def _remove(helper: Container) -> None:
    import docker.errors

    try:
        helper.remove(force=True, v=True)
    except docker.errors.APIError as error:
        if error.status_code not in (404, 409):  # gone, or somebody else removes it just now
            raise OrchestratorError(f"removing {helper.name}: {error.explanation or error}") from None
