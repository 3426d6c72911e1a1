"""Publish and subscribe between nodes (spec 07 part E)."""

from __future__ import annotations

from typing import Any

import pytest

from node.pss.notify_message import CONTROL_TOPIC, NotifyCode, encode_notify_message
from node.pss.notify_publisher import Publisher
from node.pss.notify_subscriber import Subscriber
from node.pss.topic import topic_from_text
from tests.support.nodes import LabNode
from tests.support.waiting import until

NAME = "foo.eth"


class Reader:
    """A subscriber and what it was told."""

    def __init__(self, node: LabNode) -> None:
        self.heard: list[tuple[str, bytes]] = []
        self.end = Subscriber(node.pss)

    def subscribe(self, provider: LabNode) -> None:
        self.end.subscribe(NAME, provider.key.public, provider.address, self.note)

    def note(self, *what: Any) -> None:
        self.heard.append(what)


async def test_subscribe_update_unsubscribe(three: list[LabNode]) -> None:
    alice, relay, bob = three
    publisher, readers = Publisher(alice.pss), [Reader(relay), Reader(bob)]
    publisher.publish(NAME)
    for number, reader in enumerate(readers):
        reader.subscribe(alice)
        await until(lambda reader=reader: reader.heard == [(NAME, b"")])
        assert publisher.subscriber_count(NAME) == number + 1
    assert publisher.update(NAME, b"xyzzy") in (1, 2)
    for reader in readers:
        await until(lambda reader=reader: reader.heard[1:] == [(NAME, b"xyzzy")])

    readers[0].end.unsubscribe(NAME)
    await until(lambda: publisher.subscriber_count(NAME) == 1)
    publisher.update(NAME, b"more")
    await until(lambda: readers[1].heard[2:] == [(NAME, b"more")])
    assert len(readers[0].heard) == 2


@pytest.mark.parametrize("threshold_bytes", [0, 32])
async def test_bins(three: list[LabNode], threshold_bytes: int) -> None:
    alice, relay, bob = three
    publisher, readers = Publisher(relay.pss), [Reader(alice), Reader(bob)]
    publisher.publish(NAME, threshold_bytes=threshold_bytes)
    for reader in readers:
        reader.subscribe(relay)
    await until(lambda: all(reader.heard for reader in readers))
    assert publisher.update(NAME, b"xyzzy") == (2 if threshold_bytes else 1)
    await until(lambda: all(len(reader.heard) == 2 for reader in readers))


async def test_a_name_nobody_publishes(three: list[LabNode], caplog: pytest.LogCaptureFixture) -> None:
    alice, _, bob = three
    publisher, reader = Publisher(alice.pss), Reader(bob)
    reader.subscribe(alice)
    await until(lambda: "is not published" in caplog.text)
    assert reader.heard == []
    publisher.close()
    assert alice.pss.handlers.topics() == []


async def test_what_crashes_the_reference(three: list[LabNode], caplog: pytest.LogCaptureFixture) -> None:
    alice, _, bob = three
    reader = Reader(bob)
    to_bob = alice.pss.keys.set_peer_public_key(bob.key.public, CONTROL_TOPIC, bob.address)
    for wire in (
        encode_notify_message(NotifyCode.NOTIFY_WITH_KEY, b"unknown", b"k" * 32),
        encode_notify_message(NotifyCode.NOTIFY_WITH_KEY, NAME.encode(), b"short"),
        encode_notify_message(NotifyCode.NOTIFY, b"unknown", b""),
        b"\xc1",
    ):
        alice.pss.send_asymmetric(to_bob, CONTROL_TOPIC, wire)
    await until(lambda: caplog.text.count("notify: ") >= 3)
    publisher = Publisher(alice.pss)
    publisher.publish(NAME)
    reader.subscribe(alice)
    await until(lambda: reader.heard == [(NAME, b"")])
    # A notification under a name that was not asked for, with the right key.
    data = topic_from_text(NAME)
    (key_id,) = [bin_.key_id for bin_ in publisher._publications[NAME.encode()].bins.values()]
    alice.pss.send_symmetric(key_id, data, encode_notify_message(NotifyCode.NOTIFY, b"unknown", b""))
    publisher.update(NAME, b"fine")
    await until(lambda: reader.heard[1:] == [(NAME, b"fine")])
