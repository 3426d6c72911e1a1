"""Topics: four bytes that say what a pss message is about (spec 06 section 2.2).

Knows how names become topics and how topics look as text; nothing of messages or handlers.
"""

from __future__ import annotations

import hashlib

from node.ids import TOPIC_BYTES, Topic

ZERO_TOPIC = Topic(bytes(TOPIC_BYTES))
"""Refused by pss_stringToTopic, and only there (spec 06 section 2.2)."""


def topic_from_bytes(name: bytes) -> Topic:
    """The topic of a name: the first 4 bytes of its SHA-256 (not Keccak)."""
    return Topic(hashlib.sha256(name).digest()[:TOPIC_BYTES])


def topic_from_text(name: str) -> Topic:
    """The topic of a text, by its UTF-8 bytes."""
    return topic_from_bytes(name.encode("utf-8", "surrogateescape"))


def protocol_topic(name: str, version: int) -> Topic:
    """The topic on which a devp2p protocol runs over pss: that of ``name:version``."""
    return topic_from_text(f"{name}:{version}")


def format_topic(topic: Topic) -> str:
    """``0x`` and eight lower-case hex digits."""
    return "0x" + topic.hex()
