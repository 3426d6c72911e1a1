"""What a node tells its RPC clients of messages."""

from __future__ import annotations

from typing import Any

import pytest

from node.errors import MalformedMessage
from node.pss.notification import Notification, parse_notification


def test_a_notification() -> None:
    event = {"Msg": "0x626172", "Asymmetric": False, "Key": "ab"}
    assert parse_notification(event) == Notification(b"bar", False, "ab")
    assert parse_notification({**event, "Msg": "0x", "Other": 1}).payload == b""


@pytest.mark.parametrize(
    "event",
    [
        None,
        [],
        "0x",
        {},
        {"Msg": "0x", "Asymmetric": False},
        {"Msg": "0x", "Asymmetric": 1, "Key": ""},
        {"Msg": "0x", "Asymmetric": False, "Key": None},
        {"Msg": "0x1", "Asymmetric": False, "Key": ""},
        {"Msg": "hello", "Asymmetric": False, "Key": ""},
    ],
)
def test_what_is_none(event: Any) -> None:
    with pytest.raises(MalformedMessage, match="notification"):
        parse_notification(event)
