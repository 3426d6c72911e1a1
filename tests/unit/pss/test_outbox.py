"""The outbox, on a clock of the test's own."""

from __future__ import annotations

import pytest

from node.errors import OutboxFull
from node.pss.message import PssMessage
from node.pss.outbox import GIVE_UP_S, MAX_TRIES_PER_RETRY, Outbox
from node.pss.topic import topic_from_text


def message(number: int = 0, size: int = 4) -> PssMessage:
    payload = number.to_bytes(4, "big") + bytes(size - 4)
    return PssMessage(to=b"", raw=True, expire=0, topic=topic_from_text("foo"), payload=payload)


def refuse(_: PssMessage) -> bool:
    return False


def test_taken_messages_are_gone() -> None:
    outbox, sent = Outbox(), list[PssMessage]()
    outbox.put(message(1), now=0.0)
    assert outbox.next_deadline() == pytest.approx(0.1)
    assert outbox.retry(refuse, now=0.05) == []  # not due: not even asked

    def take(one: PssMessage) -> bool:
        sent.append(one)
        return True

    assert outbox.retry(take, now=0.1) == []
    assert sent == [message(1)]
    assert (len(outbox), outbox.next_deadline()) == (0, None)


def test_pauses_grow_to_half_a_second() -> None:
    outbox, pauses, now = Outbox(), list[float](), 0.0
    outbox.put(message(), now=now)
    for _ in range(6):
        deadline = outbox.next_deadline()
        assert deadline is not None
        pauses.append(round(deadline - now, 6))
        now = deadline
        outbox.retry(refuse, now=now)
    assert pauses == [0.1, 0.2, 0.4, 0.5, 0.5, 0.5]


def test_a_new_peer_ends_the_wait() -> None:
    outbox, tried = Outbox(), list[PssMessage]()
    for number in range(3):
        outbox.put(message(number), now=0.0)
    outbox.retry(refuse, now=0.1)
    outbox.retry(refuse, now=0.31)
    outbox.peer_added(now=0.35)
    assert outbox.next_deadline() == 0.35

    def take(one: PssMessage) -> bool:
        tried.append(one)
        return True

    outbox.retry(take, now=0.35)
    assert tried == [message(n) for n in range(3)]


def test_a_new_peer_delays_nothing() -> None:
    outbox = Outbox()
    outbox.put(message(), now=0.0)
    outbox.peer_added(now=5.0)
    assert outbox.next_deadline() == pytest.approx(0.1)


def test_given_up_after_ten_minutes() -> None:
    outbox = Outbox()
    outbox.put(message(7), now=0.0)
    assert outbox.retry(refuse, now=GIVE_UP_S) == []
    assert outbox.retry(refuse, now=GIVE_UP_S + 0.6) == [message(7)]
    assert len(outbox) == 0


def test_count_is_bounded() -> None:
    outbox = Outbox(max_messages=2)
    outbox.put(message(1), now=0.0)
    outbox.put(message(2), now=0.0)
    with pytest.raises(OutboxFull, match="2 messages wait"):
        outbox.put(message(3), now=0.0)
    assert len(outbox) == 2
    outbox.retry(lambda _: True, now=1.0)
    outbox.put(message(3), now=1.0)


def test_bytes_are_bounded() -> None:
    size = len(message(size=100).encode())
    outbox = Outbox(max_bytes=2 * size)
    outbox.put(message(1, 100), now=0.0)
    outbox.put(message(2, 100), now=0.0)
    with pytest.raises(OutboxFull, match="bytes"):
        outbox.put(message(3), now=0.0)
    # What is tried again in vain still counts; what is gone does not.
    outbox.retry(refuse, now=1.0)
    with pytest.raises(OutboxFull, match="bytes"):
        outbox.put(message(3), now=1.0)
    outbox.retry(lambda _: True, now=2.0)
    outbox.put(message(3), now=2.0)


def test_a_full_outbox_is_worked_off_in_portions() -> None:
    outbox = Outbox()
    for number in range(MAX_TRIES_PER_RETRY + 5):
        outbox.put(message(number), now=0.0)
    outbox.retry(lambda _: True, now=1.0)
    assert len(outbox) == 5
    deadline = outbox.next_deadline()
    assert deadline is not None
    assert deadline <= 1.0
    outbox.retry(lambda _: True, now=1.0)
    assert len(outbox) == 0


def test_a_callback_may_put_messages() -> None:
    outbox = Outbox()
    outbox.put(message(1), now=0.0)

    def forward(_: PssMessage) -> bool:
        outbox.put(message(2), now=1.0)
        return True

    outbox.retry(forward, now=1.0)
    assert len(outbox) == 1
