"""What several test modules here serve."""

from __future__ import annotations

import asyncio

from node.errors import LabError, RPCError
from node.rpc import Notifier, Registry, subscription


class FooAPI:
    """Quick, slow, failing and streaming methods; `release` lets the slow ones finish."""

    def __init__(self) -> None:
        self.release = asyncio.Event()
        self.entered = asyncio.Event()
        self.cancelled = asyncio.Event()
        self.notifiers: list[Notifier] = []
        self.called: list[object] = []

    def hello_world(self) -> str:
        return "foobar"

    def add(self, a: int, b: int) -> int:
        self.called.append((a, b))
        return a + b

    def big(self, size: int) -> str:
        return "x" * size

    def nothing(self) -> None: ...

    def unserialisable(self) -> object:
        return object()

    def fail_lab(self) -> None:
        raise LabError("no <luck>")

    def fail_rpc(self) -> None:
        raise RPCError(7, "own code", {"more": 1})

    def crash(self) -> None:
        raise KeyError("secret")

    async def slow(self, text: str) -> str:
        self.entered.set()
        try:
            await self.release.wait()
        except asyncio.CancelledError:
            self.cancelled.set()
            raise
        self.called.append(text)
        return text

    async def slow_crash(self) -> None:
        await self.release.wait()
        raise KeyError("secret")

    async def cancelled_within(self) -> None:
        raise asyncio.CancelledError

    @subscription("ticks")
    def ticks(self, notifier: Notifier, count: int) -> None:
        self.notifiers.append(notifier)
        for number in range(count):
            notifier.notify(number)

    @subscription("slowTicks")
    async def slow_ticks(self, notifier: Notifier) -> None:
        notifier.notify("early")
        await self.release.wait()
        self.notifiers.append(notifier)

    @subscription("refused")
    async def refused(self, notifier: Notifier) -> None:
        self.notifiers.append(notifier)
        raise LabError("refused")


def serve(api: FooAPI) -> Registry:
    """A registry with the API under `foo`, and a second namespace."""
    registry = Registry()
    registry.register("foo", api)
    registry.register("bar", api, methods=["hello_world"])
    return registry
