"""Ids, order of events, and ends."""

from __future__ import annotations

import logging

import pytest

from node.errors import RPCError
from node.rpc.subscriptions import Subscriptions, new_subscription_id


@pytest.mark.parametrize(
    ("random", "text"),
    [
        (bytes(16), "0x0"),
        (bytes(15) + b"\x01", "0x1"),
        (b"\x0a" + bytes(15), "0xa" + "00" * 15),
        (b"\xff" * 16, "0x" + "ff" * 16),
    ],
)
def test_ids_have_no_leading_zeros(random: bytes, text: str) -> None:
    assert new_subscription_id(lambda size: random[:size]) == text


def test_events_wait_for_the_answer() -> None:
    written: list[str] = []
    notifier = Subscriptions(written.append, new_id=lambda: "0x1").open("foo")
    notifier.notify(1)
    assert written == []
    notifier.activate()
    notifier.notify({"a": None})
    head = '{"jsonrpc":"2.0","method":"foo_subscription","params":{"subscription":"0x1","result":'
    assert written == [head + "1}}", head + '{"a":null}}}']


def test_ends() -> None:
    written: list[str] = []
    ended: list[str] = []
    subscriptions = Subscriptions(written.append)
    first, second, third = (subscriptions.open("foo") for _ in range(3))
    first.on_close(lambda: ended.append("first"))
    assert not subscriptions.end("0xother")
    assert subscriptions.end(first.id)
    assert not subscriptions.end(first.id)
    assert ended == ["first"]
    assert first.closed
    first.notify(1)
    first.notify_encoded("1")
    first.on_close(lambda: ended.append("late"))
    first.close()
    assert ended == ["first", "late"]
    second.on_close(lambda: ended.append("second"))
    third.on_close(lambda: ended.append("third"))
    subscriptions.close()
    assert len(subscriptions) == 0
    assert ended[2:] == ["second", "third"]
    assert written == []


def test_failing_clean_up_does_not_stop_the_others(caplog: pytest.LogCaptureFixture) -> None:
    ended: list[int] = []
    subscriptions = Subscriptions(lambda text: None)
    notifier = subscriptions.open("foo")
    notifier.on_close(lambda: 1 // 0)
    notifier.on_close(lambda: ended.append(1))
    with caplog.at_level(logging.ERROR):
        subscriptions.close()
    assert ended == [1]
    assert "clean-up failed" in caplog.text


def test_event_without_json_form() -> None:
    notifier = Subscriptions(lambda text: None).open("foo")
    with pytest.raises(RPCError, match="unsupported type"):
        notifier.notify(object())
