"""The client's end of a subscription, without a client."""

from __future__ import annotations

import asyncio

import pytest

from node.rpc import subscriber as subscriber_module
from node.rpc.subscriber import RPCConnectionLost, Subscription


class Server:
    def __init__(self) -> None:
        self.ended: list[tuple[str, str]] = []

    async def unsubscribe(self, namespace: str, subscription_id: str) -> None:
        self.ended.append((namespace, subscription_id))


async def test_events_come_in_order_and_waiting_ends_with_the_next() -> None:
    subscription = Subscription(Server(), "foo")
    assert subscription.deliver(1)
    assert subscription.deliver(None)
    assert [await anext(subscription), await anext(subscription)] == [1, None]
    waiting = asyncio.ensure_future(anext(subscription))
    asyncio.get_running_loop().call_soon(subscription.deliver, 3)
    assert await waiting == 3


async def test_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subscriber_module, "MAX_QUEUED_EVENTS", 2)
    subscription = Subscription(Server(), "foo")
    assert [subscription.deliver(number) for number in range(3)] == [True, True, False]


async def test_unsubscribes_once() -> None:
    server = Server()
    subscription = Subscription(server, "foo")
    subscription.id = "0x1"
    async with subscription:
        subscription.deliver(1)
    await subscription.unsubscribe()
    assert server.ended == [("foo", "0x1")]
    assert [event async for event in subscription] == [1]


async def test_error_comes_after_the_events() -> None:
    server = Server()
    subscription = Subscription(server, "foo")
    subscription.deliver(1)
    subscription.end(RPCConnectionLost("gone"))
    subscription.end(None)
    assert await anext(subscription) == 1
    for _ in range(2):
        with pytest.raises(RPCConnectionLost, match="gone"):
            await anext(subscription)
    async with subscription:
        pass
    assert server.ended == []
