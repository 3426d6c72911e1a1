"""Sends what :mod:`orchestrator.smoke` planned, and listens at every node."""

from __future__ import annotations

import contextlib
import secrets
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from node.control.client import ControlError
from node.control.gen import control_pb2 as pb
from node.events import Kind, NodeEvent
from orchestrator import observe
from orchestrator.delivery import MODES, SYMMETRIC_KEY_BYTES
from orchestrator.listening import read_aside
from orchestrator.node_handle import NodeHandle
from orchestrator.smoke import (
    DEFAULT_BYTES,
    DEFAULT_MESSAGES,
    DEFAULT_SEED,
    DEFAULT_TIMEOUT_S,
    NUMBER_BYTES,
    Result,
    Shot,
    SmokeReport,
    plan,
    score,
)

if TYPE_CHECKING:
    from orchestrator.lab import Lab

IN_FLIGHT = 8
"""Messages under way at the same time: each sender waits for its message before it sends the next one."""
QUIET_S = 0.5
"""A message that comes twice comes within this time of the first: copies take other ways at the same speed."""
TOPIC_SUFFIX_BYTES = 8


def run_smoke(
    lab: Lab,
    mode: str,
    *,
    seed: int = DEFAULT_SEED,
    count: int = DEFAULT_MESSAGES,
    size: int = DEFAULT_BYTES,
    timeout_s: float = DEFAULT_TIMEOUT_S,
    progress: Callable[[int], None] = lambda done: None,
) -> SmokeReport:
    """Send messages between random pairs of the nodes that run, and count what arrives.

    Args:
        mode: "raw", "sym" or "asym".
        timeout_s: for each message.
        progress: gets how many are through.

    Raises:
        LabFileError: there are not two nodes, or the numbers make no sense.
        ControlError: a node does not let us listen or introduce it to another one.
    """
    running = lab.running
    names = [name for name in lab.spec.node_names if name in running]
    shots = plan(names, seed=seed, count=count, size=size)
    return _Run(lab, names, shots, mode, timeout_s).play(seed, progress)


class _Run:
    """One mode's messages on their way."""

    def __init__(self, lab: Lab, names: Sequence[str], shots: Sequence[Shot], mode: str, timeout_s: float) -> None:
        self._lab, self._names, self._mode, self._timeout_s = lab, names, mode, timeout_s
        self._results = [Result(shot) for shot in shots]
        # A topic of its own: what is left of an earlier run under way is not counted here.
        self._topic = lab[names[0]].topic(f"smoke {secrets.token_hex(TOPIC_SUFFIX_BYTES)}")
        self._node_names = {node.id.hex(): node.name for node in lab.spec.nodes}
        self._parents: dict[str, dict[str, str]] = {}
        self._arrived: dict[int, float] = {}
        """By number, when the receiver first told us; on the monotonic clock."""
        self._changed = threading.Condition()
        self._strays = 0

    def play(self, seed: int, progress: Callable[[int], None]) -> SmokeReport:
        nodes = [self._lab[name] for name in self._names]
        with contextlib.ExitStack() as stack:
            pool = stack.enter_context(ThreadPoolExecutor(IN_FLIGHT, thread_name_prefix="smoke"))
            keys = self._introduce(pool)
            for node in nodes:
                self._listen(stack, node)
            started = time.monotonic()
            for done, _ in enumerate(pool.map(lambda result: self._send(result, keys), self._results), 1):
                progress(done)
            seconds = time.monotonic() - started
            with self._changed:
                everything = self._count()
                # Wakes up early only for a message that should not come.
                self._changed.wait_for(lambda: self._count() > everything, QUIET_S)
        with self._changed:
            return score(
                self._results,
                mode=self._mode,
                seed=seed,
                seconds=seconds,
                strays=self._strays,
                parents=self._parents,
                network=observe.network(self._lab),
            )

    def _introduce(self, pool: ThreadPoolExecutor) -> dict[tuple[str, str], str]:
        """Give the ends of each pair what they need to know of each other: key ids to send with."""
        pairs = sorted({(result.shot.sender, result.shot.receiver) for result in self._results})

        def introduce(pair: tuple[str, str]) -> str:
            source, target = self._lab[pair[0]], self._lab[pair[1]]
            if self._mode == "asym":
                return source.control.set_peer_key(target.spec.public_key, self._topic, target.overlay)
            if self._mode == "sym":
                key = secrets.token_bytes(SYMMETRIC_KEY_BYTES)
                target.control.set_symmetric_key(key, self._topic, source.overlay, receive=True)
                return source.control.set_symmetric_key(key, self._topic, target.overlay, receive=False)
            return ""

        return dict(zip(pairs, pool.map(introduce, pairs), strict=True))

    def _listen(self, stack: contextlib.ExitStack, node: NodeHandle) -> None:
        name = node.name

        def message(arrived: pb.PssMessage) -> None:
            now = time.monotonic()
            self._take(name, arrived.payload, now)

        def event(told: NodeEvent) -> None:
            peer = self._node_names.get(told.peer)
            if peer is not None and told.digest:
                self._parents.setdefault(told.digest, {}).setdefault(name, peer)

        raw = self._mode == "raw"
        messages = node.control.subscribe(self._topic, raw=raw)
        stack.enter_context(read_aside(messages, message, name=f"messages of {name}"))
        if node.spec.reference is None:  # those tell no events
            events = node.control.events(Kind.PSS_RECEIVED)
            stack.enter_context(read_aside(events, event, name=f"events of {name}"))

    def _take(self, name: str, payload: bytes, now: float) -> None:
        number = int.from_bytes(payload[:NUMBER_BYTES], "big")
        result = self._results[number] if number < len(self._results) else None
        with self._changed:
            if result is None or result.shot.receiver != name or result.shot.payload != payload:
                self._strays += 1
            else:
                result.arrivals += 1
                self._arrived.setdefault(number, now)
            self._changed.notify_all()

    def _send(self, result: Result, keys: dict[tuple[str, str], str]) -> None:
        shot = result.shot
        source, target = self._lab[shot.sender], self._lab[shot.receiver]
        started = time.monotonic()
        try:
            digest = source.control.send(
                MODES[self._mode],
                self._topic,
                shot.payload,
                key_id=keys[shot.sender, shot.receiver],
                address=target.overlay,
            )
        except ControlError as error:
            result.error = str(error)
            return
        with self._changed:
            result.digest = digest.hex()
            left = self._timeout_s - (time.monotonic() - started)
            self._changed.wait_for(lambda: result.arrivals > 0, max(left, 0.0))
            arrived = self._arrived.get(shot.number)
            if arrived is not None:
                result.seconds = max(arrived - started, 0.0)

    def _count(self) -> int:
        return self._strays + sum(result.arrivals for result in self._results)
