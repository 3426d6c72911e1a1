"""B3, exercise 2: every subscription has an id of its own; ending one leaves the other as it is.

Prints: the ids differ: True
Prints: both are notified: \\[1, 1\\]
Prints: after the first has left: \\[\\], \\[2\\]
"""

import asyncio
import tempfile

import beside  # noqa: F401  # finds stage.py next door
from stage import Actor, play

from node.rpc import IPCServer, Notifier, Registry, RPCClient, subscription


class News:
    """As FooAPI, but events are numbers and whoever calls news_publish makes them."""

    def __init__(self) -> None:
        self._notifiers: list[Notifier] = []

    def publish(self, number: int) -> int:
        """To all that have subscribed; tells how many these are."""
        for notifier in self._notifiers:
            notifier.notify(number)
        return len(self._notifiers)

    @subscription("numbers")
    def numbers(self, notifier: Notifier) -> None:
        self._notifiers.append(notifier)
        notifier.on_close(lambda: self._notifiers.remove(notifier))


async def server(me: Actor) -> None:
    registry = Registry()
    registry.register("news", News())
    with tempfile.TemporaryDirectory() as directory:
        path = f"{directory}/demo.ipc"
        async with (
            IPCServer(registry, path),
            await RPCClient.connect(path) as one,
            await RPCClient.connect(path) as two,
            asyncio.timeout(10),
        ):
            first, second = await one.subscribe("news", "numbers"), await two.subscribe("news", "numbers")
            me.say(f"the ids differ: {first.id != second.id}")
            await one.call("news_publish", 1)
            me.say(f"both are notified: {[await anext(first), await anext(second)]}")
            await first.unsubscribe()
            reached = await one.call("news_publish", 2)
            left = [number async for number in first]  # ends, as nothing more can come
            me.say(f"after the first has left: {left}, {[await anext(second)]}; published to {reached}")


if __name__ == "__main__":
    play(server)
