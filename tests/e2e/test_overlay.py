"""Nodes that know one bootnode find their places by hive alone, and messages between any two arrive."""

from __future__ import annotations

import random
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

from node.control.gen import control_pb2 as pb
from orchestrator.identity import make_node, network_id_for
from orchestrator.lab import Lab
from orchestrator.node_handle import NodeHandle
from orchestrator.spec import LabSpec, Link
from tests.e2e.conftest import Factory

SEED = 11
NODES = 16
MESSAGES = 1000
DEADLINE_S = 60.0
SENDERS = 8


def bootnode_lab(name: str, n: int) -> LabSpec:
    names = ["boot", *(f"n{i:02d}" for i in range(1, n))]
    return LabSpec(
        name=name,
        seed=SEED,
        nodes=tuple(make_node(SEED, name, node) for node in names),
        links=tuple(Link(node, "boot") for node in names[1:]),
        network_id=network_id_for(SEED, name),
        auto_connect=True,
    )


class Collector:
    """What arrives on a topic at all nodes."""

    def __init__(self, lab: Lab, topic: bytes) -> None:
        self.arrived: list[tuple[str, bytes]] = []
        self._lab, self._topic = lab, topic
        self._changed = threading.Condition()
        self._stack = ExitStack()

    def __enter__(self) -> Collector:
        for node in self._lab.nodes:
            messages = self._stack.enter_context(node.control.subscribe(self._topic))
            threading.Thread(target=self._collect, args=(node, messages), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def _collect(self, node: NodeHandle, messages: object) -> None:
        for message in messages:  # type: ignore[attr-defined]
            with self._changed:
                self.arrived.append((node.name, message.payload))
                self._changed.notify_all()

    def wait_for(self, count: int) -> None:
        deadline = time.monotonic() + DEADLINE_S
        with self._changed:
            self._changed.wait_for(lambda: len(self.arrived) >= count, deadline - time.monotonic())


def test_sixteen_nodes_and_a_thousand_messages(lab_factory: Factory) -> None:
    """Ready means healthy here: every node has the neighbours and bins that all addresses say it should have."""
    lab = lab_factory(bootnode_lab("hive", NODES))
    topic = lab["boot"].topic("random pairs")
    random_ = random.Random(SEED)
    pairs = [tuple(random_.sample(lab.nodes, 2)) for _ in range(MESSAGES)]
    keys = {
        (a.name, b.name): a.control.set_peer_key(b.spec.public_key, topic, b.overlay)
        for a, b in {(a.name, b.name): (a, b) for a, b in pairs}.values()
    }

    def send(number: int) -> None:
        a, b = pairs[number]
        a.control.send(pb.MODE_ASYM, topic, number.to_bytes(4, "big"), key_id=keys[a.name, b.name])

    with Collector(lab, topic) as collector:
        with ThreadPoolExecutor(SENDERS) as pool:
            list(pool.map(send, range(MESSAGES)))
        collector.wait_for(MESSAGES)
    expected = sorted((b.name, number.to_bytes(4, "big")) for number, (_, b) in enumerate(pairs))
    assert sorted(collector.arrived) == expected
