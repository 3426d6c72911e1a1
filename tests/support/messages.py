"""Sending pss messages of all kinds between nodes in this process, and what their events say."""

from __future__ import annotations

from node.events import Kind, NodeEvent
from node.pss.message import MessageKind
from node.pss.topic import topic_from_text
from tests.support.nodes import LabNode

TOPIC = topic_from_text("foo")
KINDS = [MessageKind.RAW, MessageKind.SYMMETRIC, MessageKind.ASYMMETRIC]
SHARED_KEY = bytes(range(32))


def send(sender: LabNode, to: LabNode, payload: bytes, *, kind: MessageKind, address: bytes | None = None) -> bytes:
    """Send in one of three ways; `to` gets what it takes to read it."""
    address = to.address if address is None else address
    if kind is MessageKind.RAW:
        return sender.pss.send_raw(address, TOPIC, payload)
    if kind is MessageKind.ASYMMETRIC:
        key_id = sender.pss.keys.set_peer_public_key(to.key.public, TOPIC, address)
        return sender.pss.send_asymmetric(key_id, TOPIC, payload)
    to.pss.keys.set_symmetric_key(SHARED_KEY, TOPIC, b"", add_to_cache=True)
    key_id = sender.pss.keys.set_symmetric_key(SHARED_KEY, TOPIC, address, add_to_cache=False)
    return sender.pss.send_symmetric(key_id, TOPIC, payload)


def pss_events(node: LabNode, digest: bytes | None = None) -> list[NodeEvent]:
    return [e for e in node.events.events if e.kind.startswith("pss.") and digest in (None, bytes.fromhex(e.digest))]


def kinds_of(node: LabNode, digest: bytes) -> list[Kind]:
    return [event.kind for event in pss_events(node, digest)]
