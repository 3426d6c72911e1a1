"""The traffic of a soak: nodes introduced to one another, all kinds of messages at a steady rate."""

from __future__ import annotations

import contextlib
import hashlib
import random
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial

from bench.soak_account import Account, Message, Timeline
from bench.traffic import listening
from node.control.client import ControlError
from node.control.gen import control_pb2 as pb
from node.events import Kind, NodeEvent
from orchestrator.lab import Lab
from orchestrator.node_handle import NodeHandle

MODES = {"raw": pb.MODE_RAW, "sym": pb.MODE_SYM, "asym": pb.MODE_ASYM}
SIZES = (8, 32, 1024, 4096)
"""Bytes of plaintext; the first eight are the message's number."""
NUMBER_BYTES = 8
SENDERS = 8
"""Control calls at the same time."""
TOPIC = "soak"


class Traffic:
    """Sends messages and keeps account of them."""

    def __init__(self, lab: Lab, timeline: Timeline, account: Account, *, seed: int) -> None:
        self._lab, self._timeline, self._account, self._seed = lab, timeline, account, seed
        self._random = random.Random(seed)
        self._topic = lab.nodes[0].topic(TOPIC)
        self._sym_ids: dict[tuple[str, str], str] = {}
        self._streams: dict[str, contextlib.ExitStack] = {}
        self._ready: set[str] = set()
        self._lock = threading.Lock()
        self._pool = ThreadPoolExecutor(SENDERS, thread_name_prefix="send")
        self._next = 0

    # -- nodes that come and go

    def introduce(self, name: str) -> None:
        """A node has started: hear what it gets and whom it meets, and give it everybody's keys."""
        node, incarnation = self._lab[name], self._timeline.incarnation(name)

        def take(message: pb.PssMessage) -> None:
            number = int.from_bytes(message.payload[:NUMBER_BYTES], "big")
            # A payload that is not what was sent is a message that was never sent.
            genuine = message.payload == payload_of(self._seed, number, len(message.payload))
            self._account.arrived(number if genuine else -1, name, incarnation, time.time())

        with contextlib.ExitStack() as streams:
            streams.enter_context(self._watching(node, incarnation))
            streams.enter_context(listening(node, self._topic, take, raw=True))
            self._exchange_keys(node)
            self._streams[name] = streams.pop_all()
        self._timeline.introduced(name, time.time())
        with self._lock:
            self._ready.add(name)

    @contextlib.contextmanager
    def _watching(self, node: NodeHandle, incarnation: int) -> Iterator[None]:
        """Keep the timeline of a node's table while the block runs, from the node's start on."""
        watcher: threading.Thread | None = None

        def watch(events: Iterator[NodeEvent]) -> None:
            with contextlib.suppress(ControlError):
                for event in events:
                    overlay, on = bytes.fromhex(event.data["overlay"]), event.kind is Kind.KAD_ON
                    self._timeline.table(node.name, incarnation, overlay, event.wall_s, on=on)

        try:
            with node.events(Kind.KAD_ON, Kind.KAD_OFF, history=True) as events:
                watcher = threading.Thread(target=watch, args=(events,), name=f"tables of {node.name}", daemon=True)
                watcher.start()
                yield
        finally:
            if watcher is not None:
                watcher.join()  # the stream has ended with its block

    def _exchange_keys(self, node: NodeHandle) -> None:
        node.control.set_symmetric_key(self._key_of(node.name), self._topic, b"", receive=True)
        for other in self._lab.nodes:
            if other.name != node.name:
                node.control.set_peer_key(other.spec.public_key, self._topic, other.overlay)
                key_id = node.control.set_symmetric_key(
                    self._key_of(other.name), self._topic, other.overlay, receive=False
                )
                self._sym_ids[node.name, other.name] = key_id

    def retire(self, name: str) -> None:
        """A node is about to be ended: nothing is sent from it any more."""
        with self._lock:
            self._ready.discard(name)

    def forget(self, name: str) -> None:
        """A node has ended: so have its streams."""
        streams = self._streams.pop(name, None)
        if streams is not None:  # it may never have come up
            streams.close()

    def close(self) -> None:
        """Send nothing more and hear nothing more."""
        self._pool.shutdown(cancel_futures=True)
        for streams in self._streams.values():
            streams.close()
        self._streams.clear()

    def _key_of(self, name: str) -> bytes:
        """The symmetric key that a node reads with."""
        return hashlib.sha256(f"soak key of {name}, seed {self._seed}".encode()).digest()

    # -- messages

    def run(self, rate: float, stop: threading.Event) -> None:
        """Send between random pairs, from nodes that are up to any, until told to stop."""
        names = self._lab.spec.node_names
        began, turn = time.monotonic(), 0
        while not stop.wait(max(0.0, began + turn / rate - time.monotonic())):
            turn += 1
            with self._lock:
                ready = sorted(self._ready)
            sender = self._random.choice(ready)
            receiver = self._random.choice([name for name in names if name != sender])
            self._submit(sender, receiver, self._random.choice(list(MODES)), self._random.choice(SIZES))

    def burst(self, names: list[str], count: int) -> None:
        """Send `count` messages around a circle of nodes as fast as they are taken."""
        for number in range(count):
            at = number % len(names)
            self._submit(names[at], names[at - 1], "asym", NUMBER_BYTES)
        self.drain()

    def drain(self) -> None:
        """Wait until all messages were handed over."""
        self._pool.shutdown()
        self._pool = ThreadPoolExecutor(SENDERS, thread_name_prefix="send")

    def _submit(self, sender: str, receiver: str, mode: str, size: int) -> None:
        number, self._next = self._next, self._next + 1
        sending = self._pool.submit(self._send, number, sender, receiver, mode, size)
        sending.add_done_callback(partial(self._sent, number, sender, receiver))

    def _sent(self, number: int, sender: str, receiver: str, sending: Future[None]) -> None:
        """A message that this program failed to hand over may be in no account: the run must not pass for that."""
        if not sending.cancelled() and (error := sending.exception()) is not None:
            self._account.broke(f"message {number} {sender} -> {receiver}: {type(error).__name__}: {error}")

    def _send(self, number: int, sender: str, receiver: str, mode: str, size: int) -> None:
        target = self._lab[receiver].spec
        key_id = {"raw": "", "sym": self._sym_ids[sender, receiver], "asym": "0x" + target.public_key.hex()}[mode]
        message = Message(number=number, sender=sender, receiver=receiver, mode=mode, sent_at=time.time())
        self._account.add(message)
        payload = payload_of(self._seed, number, size)
        try:
            message.digest = self._lab[sender].control.send(
                MODES[mode], self._topic, payload, key_id=key_id, address=target.overlay
            )
            message.taken_at = time.time()
        except ControlError as error:
            message.refusal = str(error)


def payload_of(seed: int, number: int, size: int) -> bytes:
    """The payload of a message: its number, then bytes that follow from it."""
    filler = random.Random(f"{seed} {number}").randbytes(max(0, size - NUMBER_BYTES))
    return number.to_bytes(NUMBER_BYTES, "big") + filler
