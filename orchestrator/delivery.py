"""One pss message from one node to another, watched at the receiver: pss itself gives no receipt."""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass

from node.control.client import ControlError
from node.control.gen import control_pb2 as pb
from orchestrator.errors import LabFileError
from orchestrator.node_handle import NodeHandle

TOPIC = "lab send"
MODES = {"raw": pb.MODE_RAW, "sym": pb.MODE_SYM, "asym": pb.MODE_ASYM}
SYMMETRIC_KEY_BYTES = 32


@dataclass(frozen=True, kw_only=True)
class Arrival:
    """What became of a message."""

    digest: bytes
    payload: bytes | None
    """None: it did not arrive in time."""
    seconds: float
    """From handing it to the sender until the receiver told us, control calls included."""


def deliver(source: NodeHandle, target: NodeHandle, payload: bytes, *, mode: str, timeout_s: float) -> Arrival:
    """Introduce two nodes to each other, send, and wait at the receiver.

    Raises:
        LabFileError: no such mode.
        ControlError: a node does not answer.
    """
    if mode not in MODES:
        raise LabFileError(f"no mode {mode!r}", hint="modes: " + ", ".join(MODES))
    topic = source.topic(TOPIC)
    key_id = _introduce(source, target, topic, mode)
    with target.control.subscribe(topic, raw=mode == "raw") as messages:
        started = time.monotonic()
        digest = source.control.send(MODES[mode], topic, payload, key_id=key_id, address=target.overlay)
        waiter = _Waiter(messages, digest)
        waiter.start()
        waiter.join(timeout_s)
        seconds = time.monotonic() - started
    waiter.join()  # the stream has ended with the block
    return Arrival(digest=digest, payload=waiter.payload, seconds=seconds)


def _introduce(source: NodeHandle, target: NodeHandle, topic: bytes, mode: str) -> str:
    """Give the two what they need to know of each other; the key id to send with."""
    if mode == "asym":
        return source.control.set_peer_key(target.spec.public_key, topic, target.overlay)
    if mode == "sym":
        key = secrets.token_bytes(SYMMETRIC_KEY_BYTES)
        target.control.set_symmetric_key(key, topic, source.overlay, receive=True)
        return source.control.set_symmetric_key(key, topic, target.overlay, receive=False)
    return ""


class _Waiter(threading.Thread):
    """Reads messages until the one of a digest, or the end of the stream."""

    def __init__(self, messages: Iterator[pb.PssMessage], digest: bytes) -> None:
        super().__init__(name="wait for a message", daemon=True)
        self._messages, self._digest = messages, digest
        self.payload: bytes | None = None

    def run(self) -> None:
        try:
            found = next((message for message in self._messages if message.digest == self._digest), None)
        except ControlError:
            return  # the receiver is gone: it did not arrive
        if found is not None:
            self.payload = found.payload
