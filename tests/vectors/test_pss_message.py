"""pss messages, digests and topics against the recorded ones."""

from __future__ import annotations

import hashlib

import pytest

from node.errors import RemoteProtocolError
from node.ids import Topic
from node.pss.api import TopicHex
from node.pss.message import PssMessage
from node.pss.topic import format_topic, protocol_topic, topic_from_bytes, topic_from_text
from tests.vectors.loader import Case, generate, unhex

pytestmark = pytest.mark.vectors("pss_message.json")


def message_of(case: Case) -> PssMessage:
    return PssMessage(
        to=unhex(case["to"]),
        raw=case["raw"],
        symmetric=case["symmetric"],
        expire=case["expire"],
        topic=Topic(unhex(case["topic"])),
        payload=generate(case["payload_gen"]) if "payload_gen" in case else unhex(case["payload"]),
    )


def test_message(case_message: Case) -> None:
    message = message_of(case_message)
    wire = message.encode()
    if "rlp" in case_message:
        assert wire == unhex(case_message["rlp"])
    else:
        assert len(wire) == case_message["rlp_len"]
        assert hashlib.sha256(wire).digest() == unhex(case_message["rlp_sha256"])
    assert message.digest == unhex(case_message["digest"])
    assert PssMessage.decode(wire) == message


def test_unknown_flags_are_ignored(case_message_decode: Case) -> None:
    message = PssMessage.decode(unhex(case_message_decode["rlp"]))
    assert message == message_of(case_message_decode)
    assert message.digest == unhex(case_message_decode["digest"])
    # ... and are zero on output: the same as if we had made the message.
    assert message.encode() == message_of(case_message_decode).encode()


def test_refused(case_message_must_fail: Case) -> None:
    with pytest.raises(RemoteProtocolError):
        PssMessage.decode(unhex(case_message_must_fail["rlp"]))


def test_topic(case_topic: Case) -> None:
    topic = topic_from_bytes(unhex(case_topic["bytes"]))
    assert topic == unhex(case_topic["topic"])
    assert format_topic(topic) == case_topic["topic"]
    assert TopicHex.from_json(case_topic["topic"]) == topic
    if case_topic.get("text") is not None:
        assert topic_from_text(case_topic["text"]) == topic


def test_protocol_topic(case_protocol_topic: Case) -> None:
    topic = protocol_topic(case_protocol_topic["protocol"], case_protocol_topic["version"])
    assert topic == unhex(case_protocol_topic["topic"])
