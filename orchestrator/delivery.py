"""One pss message from one node to another, watched at the receiver: pss itself gives no receipt."""

from __future__ import annotations

import contextlib
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
TOPIC_SUFFIX_BYTES = 8
MODES = {"raw": pb.MODE_RAW, "sym": pb.MODE_SYM, "asym": pb.MODE_ASYM}
SYMMETRIC_KEY_BYTES = 32


@dataclass(frozen=True, kw_only=True)
class Arrival:
    """What became of a message."""

    digest: bytes
    """Empty if neither end tells it, as nodes of kind reference do not."""
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
    # Where no digest tells messages apart, each has a topic of its own; a reference node also ends all subscriptions of
    # a topic with the first of them (spec 06 section 12).
    foreign = source.spec.reference or target.spec.reference
    topic = source.topic(f"{TOPIC} {secrets.token_hex(TOPIC_SUFFIX_BYTES)}" if foreign else TOPIC)
    key_id, shown_key = _introduce(source, target, topic, mode)
    with target.control.subscribe(topic, raw=mode == "raw") as messages:
        started = time.monotonic()
        digest = source.control.send(MODES[mode], topic, payload, key_id=key_id, address=target.overlay)
        waiter = _Waiter(messages, _Wanted(digest=digest, payload=payload, key_id=shown_key))
        waiter.start()
        waiter.join(timeout_s)
        seconds = time.monotonic() - started
    waiter.join()  # the stream has ended with the block
    found = waiter.found
    if found is None:
        return Arrival(digest=digest, payload=None, seconds=seconds)
    return Arrival(digest=digest or found.digest, payload=found.payload, seconds=seconds)


def _introduce(source: NodeHandle, target: NodeHandle, topic: bytes, mode: str) -> tuple[str, str]:
    """Give the two what they need to know of each other.

    Returns:
        The key id to send with, and the one that the receiver will show with the message (spec 06 section 9.3).
    """
    if mode == "asym":
        key_id = source.control.set_peer_key(target.spec.public_key, topic, target.overlay)
        return key_id, f"0x{source.spec.public_key.hex()}"
    if mode == "sym":
        key = secrets.token_bytes(SYMMETRIC_KEY_BYTES)
        shown = target.control.set_symmetric_key(key, topic, source.overlay, receive=True)
        return source.control.set_symmetric_key(key, topic, target.overlay, receive=False), shown
    return "", ""


@dataclass(frozen=True, kw_only=True)
class _Wanted:
    """By what a message is known at the receiver: its digest where both ends tell it, else its text and key."""

    digest: bytes
    payload: bytes
    key_id: str

    def is_it(self, message: pb.PssMessage) -> bool:
        if self.digest and message.digest:
            return message.digest == self.digest
        return message.payload == self.payload and message.key_id == self.key_id


class _Waiter(threading.Thread):
    """Reads messages until the one that is wanted, or the end of the stream."""

    def __init__(self, messages: Iterator[pb.PssMessage], wanted: _Wanted) -> None:
        super().__init__(name="wait for a message", daemon=True)
        self._messages, self._wanted = messages, wanted
        self.found: pb.PssMessage | None = None

    def run(self) -> None:
        # If the receiver is gone, the message did not arrive.
        with contextlib.suppress(ControlError):
            self.found = next(filter(self._wanted.is_it, self._messages), None)
