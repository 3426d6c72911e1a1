"""Many messages between nodes of a running lab, each known by its number and counted at the receivers."""

from __future__ import annotations

import contextlib
import secrets
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Self

from node.control.client import ControlError
from node.control.gen import control_pb2 as pb
from node.events import Kind, NodeEvent
from orchestrator.delivery import MODES, SYMMETRIC_KEY_BYTES
from orchestrator.listening import listening
from orchestrator.shot import NUMBER_BYTES, Result

if TYPE_CHECKING:
    from orchestrator.lab import Lab
    from orchestrator.node_handle import NodeHandle

IN_FLIGHT = 8
"""Nodes that are introduced to each other, and messages under way, at the same time."""
QUIET_S = 0.5
"""A message that comes twice comes within this time of the first: copies take other ways at the same speed."""
TOPIC_SUFFIX_BYTES = 8
NOT_ANSWERED = frozenset({"UNAVAILABLE", "DEADLINE_EXCEEDED", "CANCELLED", "UNKNOWN"})
"""gRPC status of a node that may or may not have got the call."""

Pair = tuple[str, str]
"""Sender and receiver."""


class Exchange:
    """Messages of one mode on a topic of their own; use as a context. Thread-safe.

    A node that goes away and comes back is listened to again, and introduced again before the next message.
    """

    def __init__(self, lab: Lab, results: Sequence[Result], mode: str, *, listeners: Sequence[str], ways: bool) -> None:
        """Nothing is sent yet.

        Args:
            results: one for each message, in order of their numbers, which are 0, 1, ...
            listeners: names of the nodes to listen at; the receivers, or more to see strays.
            ways: whether to note which ways messages took.
        """
        self._lab, self._results, self._mode, self._listeners, self._ways = lab, results, mode, listeners, ways
        # A topic of its own: what is left of an earlier exchange under way is not counted here.
        self._topic = lab[listeners[0]].topic(f"exchange {secrets.token_hex(TOPIC_SUFFIX_BYTES)}")
        self._node_names = {node.id.hex(): node.name for node in lab.spec.nodes}
        self._keys: dict[Pair, str] = {}
        self._heard: set[str] = set()
        """Nodes that are listened to just now."""
        self._changed = threading.Condition()
        self._stack = contextlib.ExitStack()
        self.parents: dict[str, dict[str, str]] = {}
        """By digest: from whom each node first had that message, by name."""
        self.strays = 0
        """Times that a message came to a node that it was not for."""

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as stack:
            pool = stack.enter_context(ThreadPoolExecutor(IN_FLIGHT, thread_name_prefix="introduce"))
            for _ in pool.map(self._key, sorted({_pair(result) for result in self._results})):
                pass
            for name in self._listeners:
                self._listen(stack, name)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def send(self, result: Result) -> None:
        """Hand a message to its sender; what cannot be sent says why."""
        result.sent_at = time.monotonic()
        try:
            try:
                digest = self._send(result)
            except ControlError as error:
                self._keys.pop(_pair(result), None)
                if error.code.name in NOT_ANSWERED:
                    raise
                # It answers, and refuses: a sender that was started again knows nothing of keys.
                digest = self._send(result)
        except ControlError as error:
            result.error = str(error)
            return
        with self._changed:
            result.digest = digest.hex()

    def wait(self, result: Result, timeout_s: float) -> None:
        """Wait for a message that was sent, until so long after it was."""
        if result.error or result.sent_at is None:
            return
        deadline = result.sent_at + timeout_s
        with self._changed:
            self._changed.wait_for(lambda: result.arrivals > 0, max(deadline - time.monotonic(), 0.0))
            if result.arrived_at is not None and result.arrived_at <= deadline:
                result.seconds = max(result.arrived_at - result.sent_at, 0.0)

    def wait_listening(self, name: str, timeout_s: float) -> bool:
        """Wait until a node that came back is listened to again; whether it is."""
        with self._changed:
            return self._changed.wait_for(lambda: name in self._heard, timeout_s)

    def wait_quiet(self) -> None:
        """Give messages that come once more the time to do so."""
        with self._changed:
            while self._changed.wait_for(self._more(), QUIET_S):
                continue

    def _send(self, result: Result) -> bytes:
        shot = result.shot
        target = self._lab[shot.receiver]
        return self._lab[shot.sender].control.send(
            MODES[self._mode], self._topic, shot.payload, key_id=self._key(_pair(result)), address=target.overlay
        )

    def _key(self, pair: Pair) -> str:
        """The key id to send with, after giving both what they need to know of each other.

        Raises:
            ControlError: one of them does not answer.
        """
        if (known := self._keys.get(pair)) is not None:
            return known
        source, target = self._lab[pair[0]], self._lab[pair[1]]
        key_id = ""
        if self._mode == "asym":
            key_id = source.control.set_peer_key(target.spec.public_key, self._topic, target.overlay)
        elif self._mode == "sym":
            key = secrets.token_bytes(SYMMETRIC_KEY_BYTES)
            target.control.set_symmetric_key(key, self._topic, source.overlay, receive=True)
            key_id = source.control.set_symmetric_key(key, self._topic, target.overlay, receive=False)
        self._keys[pair] = key_id
        return key_id

    def _listen(self, stack: contextlib.ExitStack, name: str) -> None:
        def message(arrived: pb.PssMessage) -> None:
            self._take(name, arrived.payload, time.monotonic())

        def event(told: NodeEvent) -> None:
            peer = self._node_names.get(told.peer)
            if peer is not None and told.digest:
                self.parents.setdefault(told.digest, {}).setdefault(name, peer)

        @contextlib.contextmanager
        def subscribe(node: NodeHandle) -> Iterator[Iterator[pb.PssMessage]]:
            with node.control.subscribe(self._topic, raw=self._mode == "raw") as messages:
                self._set_listening(name, True)
                try:
                    yield messages
                finally:
                    self._set_listening(name, False)

        def lost() -> None:
            for pair in [pair for pair in list(self._keys) if name in pair]:
                self._keys.pop(pair, None)

        node = self._lab.another_handle(name)
        stack.enter_context(listening(node, subscribe, message, lost=lost))
        if self._ways and node.spec.reference is None:  # those tell no events
            stack.enter_context(listening(node, lambda one: one.control.events(Kind.PSS_RECEIVED), event))

    def _set_listening(self, name: str, listening: bool) -> None:
        with self._changed:
            (self._heard.add if listening else self._heard.discard)(name)
            self._changed.notify_all()

    def _take(self, name: str, payload: bytes, now: float) -> None:
        number = int.from_bytes(payload[:NUMBER_BYTES], "big")
        result = self._results[number] if number < len(self._results) else None
        with self._changed:
            if result is None or result.shot.receiver != name or result.shot.payload != payload:
                self.strays += 1
            else:
                result.arrivals += 1
                result.arrived_at = result.arrived_at or now
            self._changed.notify_all()

    def _more(self) -> Callable[[], bool]:
        """Whether more arrived than had until this call."""
        before = self._count()
        return lambda: self._count() > before

    def _count(self) -> int:
        return self.strays + sum(result.arrivals for result in self._results)


def _pair(result: Result) -> Pair:
    return result.shot.sender, result.shot.receiver
