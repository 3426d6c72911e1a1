"""Doing to one node what is wanted of it, with what its runtime offers.

==============  =============================================  ===========================
                containers                                     processes
==============  =============================================  ===========================
blocked         blackhole routes in the node's network         the node's own traffic
                namespace, put there by a short-lived helper   shaper
rate            tc (htb) in the same place, by the same helper the shaper
delay, jitter,  tc (netem) there, where the kernel has it;     the shaper
loss            else the node's own shaper, told over gRPC
pause           the engine's freezer                           SIGSTOP
==============  =============================================  ===========================

A direction of a link is wholly made by tc or wholly by the shaper.
"""

from __future__ import annotations

import functools
import hashlib
import threading
from collections.abc import Collection, Iterable
from typing import TYPE_CHECKING

from node.control.client import ControlError
from node.control.gen import control_pb2 as pb
from orchestrator.docker_runtime import DockerRuntime
from orchestrator.errors import PreflightError
from orchestrator.faults import tc
from orchestrator.faults.model import Conditions
from orchestrator.faults.tc import HTB, NO_KERNEL, Kernel
from orchestrator.faults.wanted import Edge, NodeFaults, Step

if TYPE_CHECKING:
    from orchestrator.lab import Lab

ROUTE_PROTOCOL = 201
"""Marks our routes, so that nothing else is ever removed (rtnetlink: 200 and above are nobody's)."""
HELPER_ROLE = "fault"
ROUTE, TC, SHAPER, FREEZER, STOP_SIGNAL = "route", "tc", "shaper", "freezer", "SIGSTOP"
"""What makes a fault, as people are told."""
PROBE_S = 2.0
"""For one round trip before a fault is applied."""
FIRST_PROBE_S = 0.25
"""For one round trip where somebody is known not to answer; most links take less, and the others get more time."""
DISCONNECT_WAIT_S = 5.0


class Hands:
    """Applies steps to the nodes of one lab."""

    def __init__(self, lab: Lab) -> None:
        self._lab = lab
        self._kernel: Kernel | None = None
        self._lock = threading.Lock()

    @property
    def blocking_shapes(self) -> bool:
        """Whether the shaper blocks too, and there is nothing but it."""
        return not isinstance(self._lab.runtime, DockerRuntime)

    def kernel(self, known: Kernel | None = None) -> Kernel:
        """What the kernel can do. Tried once, in a helper with a network of its own; no node is touched.

        Args:
            known: from before; it is not tried again.

        Raises:
            OrchestratorError: the engine does not start the helper.
        """
        runtime = self._lab.runtime
        if not isinstance(runtime, DockerRuntime) or len(self._lab.spec.nodes) > tc.MAX_ID:
            return NO_KERNEL
        with self._lock:
            if self._kernel is None:
                told = known or tc.read_probe(runtime.in_namespace(None, tc.probe_script(), role=HELPER_ROLE))
                self._kernel = told
            return self._kernel

    def forget_kernel(self) -> None:
        """Try it again when it matters: the machine may have been started anew."""
        self._kernel = None

    def how(self, blocked: bool | None, by_kernel: bool) -> str:
        """What makes a direction as it is, in a word; where nothing passes, what else is done to it does not matter."""
        if blocked and not self.blocking_shapes:
            return ROUTE
        return TC if by_kernel else SHAPER

    @property
    def how_paused(self) -> str:
        return STOP_SIGNAL if self.blocking_shapes else FREEZER

    def check(self, wanted: dict[str, NodeFaults], kernel: Kernel) -> None:
        """Find out before anything is done what cannot be done.

        Raises:
            PreflightError: a node of kind reference has no shaper, and the kernel cannot do it either.
        """
        for name, node in wanted.items():
            if node.shaped and self._lab.spec.node(name).reference is not None:
                peer, one = next(iter(node.shaped.items()))
                lacks = kernel.lacks(one)
                raise PreflightError(
                    f"node {name} is of kind reference, which has no shaper, and this kernel has no {lacks}: what it "
                    f"sends to {peer} cannot have {one}",
                    hint="it can be cut" if lacks == HTB else "it can be cut, and have a --rate",
                )

    def do(self, step: Step) -> None:
        """Bring one node to what is wanted, as far as the step goes. Twice is fine."""
        node = self._lab.spec.node(step.node)
        if step.action in ("pause", "unpause"):
            self._lab.runtime.pause_node(node, step.action == "pause")
        elif step.action == "network":
            self._network(step.node, step.wanted)
        elif node.reference is None:
            self._lab[step.node].control.link_conditions(self._links(step.wanted), seed=self._seed(step.node))

    def in_network(self, name: str) -> dict[str, Conditions]:
        """What routes and traffic control do to what a node sends, by peer, as its network namespace tells."""
        runtime = self._lab.runtime
        assert isinstance(runtime, DockerRuntime)
        node = self._lab.spec.node(name)
        show = f"ip route show type blackhole proto {ROUTE_PROTOCOL}; {tc.show_script(runtime.data_address(node))}"
        text = (
            runtime.in_namespace(node, show, role=HELPER_ROLE)
            if node.reference
            else runtime.execute(node, ["sh", "-c", show])[1]
        )
        names = {address: peer for peer, address in self._addresses.items()}
        found = {names.get(address, address): one for address, one in tc.read_state(text).items()}
        for line in text.splitlines():
            if line.startswith("blackhole "):
                peer = names.get(line.split()[1], line.split()[1])
                found[peer] = Conditions(blocked=True).over(found.get(peer, Conditions()))
        return found

    def look(self, name: str, mute: Collection[str] = ()) -> list[pb.LinkState]:
        """A node's connections, with their round trips; nothing if it does not say.

        Args:
            mute: peers that cannot answer.
        """
        try:
            return round_trips(self._lab, name, PROBE_S, mute)
        except ControlError:
            return []

    def connections(self, name: str) -> list[pb.LinkState]:
        """A node's connections; nothing if it does not say."""
        try:
            return self._lab[name].control.link_conditions()
        except ControlError:
            return []

    def sever(self, edge: Edge) -> None:
        """Tell a node that a connection is gone.

        Raises:
            ControlError: it stopped meanwhile, or is busy.
        """
        self._lab[edge[0]].control.disconnect(self._lab[edge[1]].id, wait_s=DISCONNECT_WAIT_S)

    def join(self, edge: Edge) -> None:
        """Connect two nodes again; one of ours dials, if there is one: others wait 35 s before they dial again."""
        a, b = (self._lab.spec.node(name) for name in edge)
        self._lab.connect(*((b.name, a.name) if a.reference and not b.reference else edge))

    def start(self, name: str) -> None:
        """Start a node that a fault killed."""
        self._lab.start(name)

    def remove_helpers(self) -> list[str]:
        """Remove helpers whose maker was killed; their names."""
        runtime = self._lab.runtime
        return runtime.remove_helpers(HELPER_ROLE) if isinstance(runtime, DockerRuntime) else []

    def _network(self, name: str, wanted: NodeFaults) -> None:
        runtime, addresses = self._lab.runtime, self._addresses
        assert isinstance(runtime, DockerRuntime)
        routes = route_script(sorted(addresses[peer] for peer in wanted.blocked))
        traffic = tc.apply_script(addresses[name], {addresses[peer]: one for peer, one in wanted.traffic.items()})
        runtime.in_namespace(self._lab.spec.node(name), f"{routes}; {traffic}", role=HELPER_ROLE)

    @functools.cached_property
    def _addresses(self) -> dict[str, str]:
        """Of all nodes in the data network, by name."""
        runtime = self._lab.runtime
        assert isinstance(runtime, DockerRuntime)
        return {node.name: runtime.data_address(node) for node in self._lab.spec.nodes}

    def _links(self, wanted: NodeFaults) -> list[pb.LinkConditions]:
        blocked: Iterable[str] = wanted.blocked if self.blocking_shapes else ()
        ids = {node.name: node.id for node in self._lab.spec.nodes}
        links = []
        for peer in sorted({*wanted.shaped, *blocked}):
            one = wanted.shaped.get(peer, Conditions())
            links.append(
                pb.LinkConditions(
                    node_id=ids[peer],
                    delay_s=one.delay_s or 0.0,
                    jitter_s=one.jitter_s or 0.0,
                    loss=one.loss or 0.0,
                    rate_bps=one.rate_bps or 0.0,
                    blocked=peer in blocked,
                )
            )
        return links

    def _seed(self, name: str) -> int:
        """Of one node's jitter and loss: the same in every run of a lab, another one in each node."""
        return int.from_bytes(hashlib.sha256(f"{self._lab.spec.seed}/shaper/{name}".encode()).digest()[:8], "big")


def round_trips(lab: Lab, name: str, most_s: float, mute: Collection[str]) -> list[pb.LinkState]:
    """A node's connections with their round trips.

    A node measures all at once, and answers when the last one is known or its time is over. Where somebody is known not
    to answer it gets little time, and more only while another one is missing.

    Args:
        mute: peers that cannot answer.

    Raises:
        ControlError: the node does not answer.
    """
    control, ids = lab[name].control, {lab.spec.node(peer).id for peer in mute}
    if not ids:
        return control.link_conditions(probe_s=most_s)
    links, probe_s = control.link_conditions(), FIRST_PROBE_S
    if not any(link.connected and link.conditions.node_id in ids for link in links):
        return control.link_conditions(probe_s=most_s)
    measured: dict[bytes, float] = {}
    while any(link.connected and link.conditions.node_id not in ids | measured.keys() for link in links):
        links = control.link_conditions(probe_s=min(probe_s, most_s))
        for link in links:
            if link.round_trip_s:
                measured.setdefault(link.conditions.node_id, link.round_trip_s)
        if probe_s >= most_s:
            break
        probe_s *= 2
    for link in links:
        link.round_trip_s = measured.get(link.conditions.node_id, 0.0)
    return links


def route_script(addresses: list[str]) -> str:
    """Shell commands that leave exactly these blackhole routes of ours, without a moment in which one is missing."""
    mark = f"proto {ROUTE_PROTOCOL}"
    wanted = " ".join(addresses)
    return (
        f"set -e; for a in {wanted}; do ip route replace blackhole $a {mark}; done; "
        f"ip route show type blackhole {mark} | while read -r kind a rest; do "
        f'case " {wanted} " in *" $a "*) ;; *) ip route del blackhole $a {mark};; esac; done'
    )
