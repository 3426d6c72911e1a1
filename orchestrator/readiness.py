"""When a lab is ready: every connection is up on both ends, every table is what it should be. Asked, never guessed.

The oracle (:mod:`orchestrator.oracle`) knows all addresses, the nodes only what they heard; both must agree.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import Executor

from node.control.client import ControlError
from orchestrator import oracle
from orchestrator.errors import LabNotReady
from orchestrator.node_handle import NodeHandle
from orchestrator.spec import LabSpec, Link, Readiness
from orchestrator.state import TOKEN_HINT

POLL_S = 0.05
"""Between two rounds of asking while something is still missing."""
REASONS_SHOWN = 8


def missing(spec: LabSpec, node: NodeHandle) -> list[str]:
    """What one node still lacks, in words; nothing if it is as it should be."""
    try:
        peers = {bytes(peer.node_id) for peer in node.control.peers()}
        if spec.ready_when is Readiness.UP:
            return []
        expected = oracle.expected_peers(spec)[node.name]
        absent = sorted(name for name in expected if spec.node(name).id not in peers)
        if absent:
            return [f"{node.name} is not connected with {', '.join(absent)}"]
        if spec.ready_when is Readiness.CONNECTED:
            return []
        if spec.auto_connect:
            return _unhealthy(spec, node)
        table = node.control.kademlia()
        observed = {b.po: {bytes(overlay) for overlay in b.connected} for b in table.bins if b.connected}
        return oracle.table_difference(_with_peers(spec, node.name, peers), node.name, observed, table.depth)
    except ControlError as error:
        return [no_answer(node, error)]


def no_answer(node: NodeHandle, error: ControlError) -> str:
    """That a node does not answer, why, and what to do where that is known."""
    text = f"{node.name} does not answer: {error.details}"
    return f"{text} ({TOKEN_HINT})" if refuses_token(error) else text


def doctor_hint(spec: LabSpec) -> str:
    """Where to look when nodes are late: the machine may be busy, or too small for them."""
    size = len(spec.nodes)
    return f"lab doctor --nodes {size} tells whether this machine can carry the lab; lab up --timeout 3m waits longer"


def refuses_token(error: ControlError) -> bool:
    """Whether a call failed because the token is not the lab's: waiting does not help."""
    return error.code.name == "UNAUTHENTICATED"


def _with_peers(spec: LabSpec, name: str, peers: Collection[bytes]) -> LabSpec:
    """The lab with links to all its nodes that one node is connected with.

    Who connects nodes beyond the plan wants them connected; that is no lack, but their tables must show it.
    """
    planned = spec.neighbours(name)
    extra = [node.name for node in spec.nodes if node.id in peers and node.name not in planned]
    return dataclasses.replace(spec, links=(*spec.links, *(Link(name, other) for other in extra)))


def _unhealthy(spec: LabSpec, node: NodeHandle) -> list[str]:
    pot = oracle.peer_pot(spec, node.name)
    health = node.control.check_health(pot.nn_set, pot.peers_per_bin)
    if health.healthy:
        return []
    return [
        f"{node.name} is not healthy: {len(health.missing_connect_nn)} nearest neighbours not connected, "
        f"{len(health.missing_know_nn)} not known, {'saturated' if health.saturated else 'not saturated'}"
    ]


def wait_until_ready(
    spec: LabSpec,
    nodes: Mapping[str, NodeHandle],
    pool: Executor,
    *,
    timeout_s: float,
    progress: Callable[[int], None] = lambda ready: None,
) -> None:
    """Ask the nodes until all are as they should be.

    Args:
        nodes: those to wait for, by name.
        progress: told how many are ready.

    Raises:
        LabNotReady: not in time; names what is missing.
    """
    deadline = time.monotonic() + timeout_s
    waiting = dict(nodes)
    while True:
        results = dict(zip(waiting, pool.map(lambda node: missing(spec, node), waiting.values()), strict=True))
        waiting = {name: nodes[name] for name, reasons in results.items() if reasons}
        progress(len(nodes) - len(waiting))
        if not waiting:
            return
        if time.monotonic() > deadline:
            reasons = [reason for name in waiting for reason in results[name]]
            more = f" (and {len(reasons) - REASONS_SHOWN} more)" if len(reasons) > REASONS_SHOWN else ""
            raise LabNotReady(
                f"not ready after {timeout_s:g} s: " + "; ".join(reasons[:REASONS_SHOWN]) + more,
                # With another token than ours the reason is known, and it is not the machine.
                hint="" if all(TOKEN_HINT in reason for reason in reasons) else doctor_hint(spec),
            )
        time.sleep(POLL_S)
