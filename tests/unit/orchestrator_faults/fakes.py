"""A lab of three nodes, and hands that only pretend; on kernels that may not be this one."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection
from types import SimpleNamespace
from typing import Any

from node.control.gen import control_pb2 as pb
from orchestrator.faults.apply import Hands
from orchestrator.faults.control import Faults
from orchestrator.faults.model import Conditions
from orchestrator.faults.tc import Kernel
from orchestrator.faults.wanted import Step

LAB = """\
apiVersion: lab/v1
name: x
nodes: {alice: {}, n01: {kind: reference, image: other, command: [node]}, bob: {}}
links: [alice-n01, n01-bob]
"""
HTB, BOTH = Kernel(htb=True), Kernel(htb=True, netem=True)


class FakeHands(Hands):
    """Of containers on a pretended kernel; keeps what it did, and forgets nothing of it."""

    def __init__(self, lab: Any, kernel: Kernel) -> None:
        super().__init__(lab)
        self.pretended, self.asked = kernel, 0
        self.done: list[str] = []
        self.network: dict[str, dict[str, Conditions]] = {}
        self.shapers: dict[str, dict[str, Conditions]] = {}
        self.unreachable: set[str] = set()
        self.started: list[str] = []

    @property
    def blocking_shapes(self) -> bool:
        return False

    def kernel(self, known: Kernel | None = None) -> Kernel:
        self.asked += known is None
        return self.pretended

    def do(self, step: Step) -> None:
        if step.node in self.unreachable:
            raise OSError("it is gone")
        self.done.append(f"{step.action} {step.node}")
        if step.action == "network":
            blocked = dict.fromkeys(step.wanted.blocked, Conditions(blocked=True))
            # tc says of a rate only four digits.
            traffic = {
                peer: dataclasses.replace(one, rate_bps=one.rate_bps and one.rate_bps // 1000 * 1000)
                for peer, one in step.wanted.traffic.items()
            }
            self.network[step.node] = {
                peer: blocked.get(peer, Conditions()).over(traffic.get(peer, Conditions()))
                for peer in blocked.keys() | traffic.keys()
            }
        elif step.action == "shape":
            self.shapers[step.node] = dict(step.wanted.shaped)

    def look(self, name: str, mute: Collection[str] = ()) -> list[pb.LinkState]:
        return []

    def in_network(self, name: str) -> dict[str, Conditions]:
        return self.network.get(name, {})

    def connections(self, name: str) -> list[pb.LinkState]:
        return []

    def start(self, name: str) -> None:
        self.started.append(name)

    def remove_helpers(self) -> list[str]:
        return []


class FakeLab(SimpleNamespace):
    """Three nodes that run."""

    control: Any = None
    """Of every node, instead of one that is made for it."""

    def __getitem__(self, name: str) -> Any:
        if self.control is not None:
            return SimpleNamespace(control=self.control)
        ids = {node.name: node.id for node in self.spec.nodes}

        def link_conditions(*, probe_s: float = 0.0) -> list[pb.LinkState]:
            return [
                pb.LinkState(
                    conditions=pb.LinkConditions(
                        node_id=ids[peer], delay_s=one.delay_s or 0.0, rate_bps=one.rate_bps or 0.0
                    )
                )
                for peer, one in self.faults.hands.shapers.get(name, {}).items()
            ]

        def peers() -> list[pb.Peer]:
            return [pb.Peer(node_id=ids["alice"])]

        return SimpleNamespace(control=SimpleNamespace(link_conditions=link_conditions, peers=peers))


def faults(lab: FakeLab, kernel: Kernel) -> tuple[Faults, FakeHands]:
    hands = FakeHands(lab, kernel)
    lab.faults = Faults(lab, hands=hands)  # type: ignore[arg-type]
    return lab.faults, hands
