"""Labs whose nodes know one bootnode only, and pss messages between random pairs of their nodes."""

from __future__ import annotations

import contextlib
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from node.control.client import ControlError
from node.control.gen import control_pb2 as pb
from orchestrator.identity import make_node, network_id_for
from orchestrator.lab import Lab
from orchestrator.node_handle import NodeHandle
from orchestrator.spec import LabSpec, Link

BOOTNODE = "boot"
SENDERS = 8
"""Control calls at the same time."""
DELIVERY_TIMEOUT_S = 60.0
"""For all messages to be there once the last one was handed over."""
QUIET_S = 1.0
"""A message that comes twice comes within this time of the first: copies take other ways at the same speed."""
NUMBER_BYTES = 4


def bootnode_spec(name: str, n: int, *, seed: int, ready_timeout_s: float) -> LabSpec:
    """A lab of `n` nodes of which all know the first one and nobody else; the rest is up to hive."""
    names = [BOOTNODE, *(f"n{i:02d}" for i in range(1, n))]
    return LabSpec(
        name=name,
        seed=seed,
        nodes=tuple(make_node(seed, name, node) for node in names),
        links=tuple(Link(node, BOOTNODE) for node in names[1:]),
        network_id=network_id_for(seed, name),
        auto_connect=True,
        ready_timeout_s=ready_timeout_s,
    )


@contextlib.contextmanager
def listening(
    node: NodeHandle, topic: bytes, take: Callable[[pb.PssMessage], None], *, raw: bool = False
) -> Iterator[None]:
    """Call `take` from a thread with every message on a topic, until the block ends; ends quietly if the node does."""
    reader: threading.Thread | None = None

    def read(messages: Iterator[pb.PssMessage]) -> None:
        with contextlib.suppress(ControlError):
            for message in messages:
                take(message)

    try:
        with node.control.subscribe(topic, raw=raw) as messages:
            reader = threading.Thread(target=read, args=(messages,), name=f"messages of {node.name}", daemon=True)
            reader.start()
            yield
    finally:
        if reader is not None:
            reader.join()  # the stream has ended with its block


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What became of messages.

    Attributes:
        delivered: how many came to the node they were for.
        duplicates: how many came there once more.
        strays: how many came to another node, or were never sent.
        seconds: from handing over the first until the last one was there.
    """

    sent: int
    delivered: int
    duplicates: int
    strays: int
    seconds: float

    @property
    def perfect(self) -> bool:
        """Every message once, where it should be."""
        return self.delivered == self.sent and not self.duplicates and not self.strays


def send_between_random_pairs(lab: Lab, count: int, *, seed: int) -> Outcome:
    """Send asymmetric messages, wait until they are there, and a moment longer for what comes twice.

    Raises:
        ControlError: a node does not answer or does not take a message.
    """
    topic = lab[BOOTNODE].topic("random pairs")
    random_ = random.Random(seed)
    pairs = [tuple(random_.sample(lab.nodes, 2)) for _ in range(count)]
    keys = {
        (a.name, b.name): a.control.set_peer_key(b.spec.public_key, topic, b.overlay)
        for a, b in {(a.name, b.name): (a, b) for a, b in pairs}.values()
    }
    wanted = {(b.name, number.to_bytes(NUMBER_BYTES, "big")) for number, (_, b) in enumerate(pairs)}
    arrived: Counter[tuple[str, bytes]] = Counter()
    changed = threading.Condition()
    last = 0.0

    def taker(name: str) -> Callable[[pb.PssMessage], None]:
        def take(message: pb.PssMessage) -> None:
            nonlocal last
            with changed:
                arrived[name, message.payload] += 1
                last = time.monotonic()
                changed.notify_all()

        return take

    def send(number: int) -> None:
        a, b = pairs[number]
        a.control.send(pb.MODE_ASYM, topic, number.to_bytes(NUMBER_BYTES, "big"), key_id=keys[a.name, b.name])

    with contextlib.ExitStack() as streams:
        for node in lab.nodes:
            streams.enter_context(listening(node, topic, taker(node.name)))
        started = last = time.monotonic()
        with ThreadPoolExecutor(SENDERS) as pool:
            list(pool.map(send, range(count)))
        with changed:
            changed.wait_for(lambda: len(wanted & arrived.keys()) == count, DELIVERY_TIMEOUT_S)
            everything = sum(arrived.values())
            # Wakes up early only for a message that should not come.
            changed.wait_for(lambda: sum(arrived.values()) > everything, QUIET_S)
            return Outcome(
                sent=count,
                delivered=len(wanted & arrived.keys()),
                duplicates=sum(times - 1 for key, times in arrived.items() if key in wanted),
                strays=sum(times for key, times in arrived.items() if key not in wanted),
                seconds=last - started,
            )
