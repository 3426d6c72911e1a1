"""Doing to one node what is wanted of it, with what its runtime offers.

===========  ==============================================  ==========================================
             containers                                      processes
===========  ==============================================  ==========================================
blocked      blackhole routes in the node's network          the node's own traffic shaper
             namespace, put there by a short-lived helper
delay, loss  the node's own traffic shaper, told over gRPC   the same
pause        the engine's freezer                            SIGSTOP
===========  ==============================================  ==========================================

A node's shaper is used for delay and loss in containers as well: it works on every kernel, and is the same everywhere.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import TYPE_CHECKING

from node.control.gen import control_pb2 as pb
from orchestrator.docker_runtime import DockerRuntime
from orchestrator.errors import LabFileError
from orchestrator.faults.model import Conditions
from orchestrator.faults.wanted import NodeFaults, Step

if TYPE_CHECKING:
    from orchestrator.lab import Lab

ROUTE_PROTOCOL = 201
"""Marks our routes, so that nothing else is ever removed (rtnetlink: 200 and above are nobody's)."""
HELPER_ROLE = "fault"
BLOCKED_BY_ROUTE, BLOCKED_BY_SHAPER, SHAPER, FREEZER, STOP_SIGNAL = "route", "shaper", "shaper", "freezer", "SIGSTOP"


class Hands:
    """Applies steps to the nodes of one lab."""

    def __init__(self, lab: Lab) -> None:
        self._lab = lab

    @property
    def blocking_shapes(self) -> bool:
        """Whether the shaper blocks too."""
        return not isinstance(self._lab.runtime, DockerRuntime)

    def how(self, conditions: Conditions) -> str:
        """What makes these conditions."""
        if conditions.blocked:
            return BLOCKED_BY_SHAPER if self.blocking_shapes else BLOCKED_BY_ROUTE
        return SHAPER

    @property
    def how_paused(self) -> str:
        return STOP_SIGNAL if self.blocking_shapes else FREEZER

    def check(self, wanted: dict[str, NodeFaults]) -> None:
        """Find out before anything is done what cannot be done.

        Raises:
            LabFileError: a node of kind reference has no shaper.
        """
        for name, node in wanted.items():
            if node.shaped and self._lab.spec.node(name).reference is not None:
                raise LabFileError(f"node {name} is of kind reference: what it sends cannot be delayed, only cut")

    def do(self, step: Step) -> None:
        """Bring one node to what is wanted, as far as the step goes. Twice is fine."""
        node = self._lab.spec.node(step.node)
        if step.action in ("pause", "unpause"):
            self._lab.runtime.pause_node(node, step.action == "pause")
        elif step.action == "block":
            self._block(step.node, step.wanted.blocked)
        elif node.reference is None:
            self._lab[step.node].control.link_conditions(self._links(step.wanted), seed=self._seed(step.node))

    def blocked(self, name: str) -> set[str]:
        """Peers that routes keep a node from, as its network namespace tells."""
        runtime = self._lab.runtime
        assert isinstance(runtime, DockerRuntime)
        node = self._lab.spec.node(name)
        show = f"ip route show type blackhole proto {ROUTE_PROTOCOL}"
        text = (
            runtime.in_namespace(node, show, role=HELPER_ROLE)
            if node.reference
            else runtime.execute(node, show.split())[1]
        )
        addresses = {runtime.data_address(other): other.name for other in self._lab.spec.nodes}
        return {addresses.get(word, word) for line in text.splitlines() for word in line.split()[1:2]}

    def remove_helpers(self) -> list[str]:
        """Remove helpers whose maker was killed; their names."""
        runtime = self._lab.runtime
        return runtime.remove_helpers(HELPER_ROLE) if isinstance(runtime, DockerRuntime) else []

    def _block(self, name: str, peers: Iterable[str]) -> None:
        runtime = self._lab.runtime
        assert isinstance(runtime, DockerRuntime)
        addresses = [runtime.data_address(self._lab.spec.node(peer)) for peer in sorted(peers)]
        runtime.in_namespace(self._lab.spec.node(name), route_script(addresses), role=HELPER_ROLE)

    def _links(self, wanted: NodeFaults) -> list[pb.LinkConditions]:
        peers = set(wanted.shaped) | (set(wanted.blocked) if self.blocking_shapes else set())
        links = []
        for peer in sorted(peers):
            one = wanted.shaped.get(peer, Conditions())
            links.append(
                pb.LinkConditions(
                    node_id=self._lab.spec.node(peer).id,
                    delay_s=one.delay_s or 0.0,
                    jitter_s=one.jitter_s or 0.0,
                    loss=one.loss or 0.0,
                    rate_bps=one.rate_bps or 0.0,
                    blocked=self.blocking_shapes and peer in wanted.blocked,
                )
            )
        return links

    def _seed(self, name: str) -> int:
        """Of one node's jitter and loss: the same in every run of a lab, another one in each node."""
        return int.from_bytes(hashlib.sha256(f"{self._lab.spec.seed}/shaper/{name}".encode()).digest()[:8], "big")


def route_script(addresses: list[str]) -> str:
    """Shell commands that leave exactly these blackhole routes of ours, without a moment in which one is missing."""
    mark = f"proto {ROUTE_PROTOCOL}"
    wanted = " ".join(addresses)
    return (
        f"set -e; for a in {wanted}; do ip route replace blackhole $a {mark}; done; "
        f"ip route show type blackhole {mark} | while read -r kind a rest; do "
        f'case " {wanted} " in *" $a "*) ;; *) ip route del blackhole $a {mark};; esac; done'
    )
