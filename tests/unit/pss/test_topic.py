"""Topics: the table of spec 06 section 2.2 and the text forms of section 9.1."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.ids import Topic
from node.pss.api import TopicHex
from node.pss.topic import ZERO_TOPIC, format_topic, protocol_topic, topic_from_bytes, topic_from_text


@pytest.mark.parametrize(
    ("name", "digits"),
    [
        ("foo", "2c26b46b"),
        ("", "e3b0c442"),
        ("foo:42", "75d158a6"),
        ("fooping:42", "1b9b83a9"),
        ("psstest:1", "7f64614e"),
        ("PUSHSYNC_CHUNKS", "3008d60a"),
        ("PUSHSYNC_RECEIPTS", "6f15183f"),
        ("日本語", "77710aed"),
    ],
)
def test_names(name: str, digits: str) -> None:
    assert topic_from_text(name).hex() == digits
    assert topic_from_bytes(name.encode()).hex() == digits


def test_protocol_topic() -> None:
    assert protocol_topic("psstest", 1) == topic_from_text("psstest:1")


@pytest.mark.parametrize(
    ("text", "digits"),
    [
        ("0x2c26b46b", "2c26b46b"),
        ("0X2C26B46B", "2c26b46b"),
        ("0x", "00000000"),
        ("0x01", "01000000"),
        ("0x0102030405", "01020304"),
    ],
)
def test_text_forms(text: str, digits: str) -> None:
    assert TopicHex.from_json(text).hex() == digits


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("", "empty hex string"),
        ("01020304", "hex string without 0x prefix"),
        ("x", "hex string without 0x prefix"),
        ("0x0", "hex string of odd length"),
        ("0x0102030g", "invalid hex string"),
        ("0x01 02030", "invalid hex string"),
        ("0x01020304zz", "invalid hex string"),
    ],
)
def test_bad_texts(text: str, error: str) -> None:
    with pytest.raises(ValueError, match=error):
        TopicHex.from_json(text)


@given(st.binary(min_size=4, max_size=4))
def test_round_trip(raw: bytes) -> None:
    assert TopicHex.from_json(format_topic(Topic(raw))) == raw


def test_zero() -> None:
    assert format_topic(ZERO_TOPIC) == "0x00000000"
