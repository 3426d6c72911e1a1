"""B1, exercise 2: an async method may wait, and others are answered meanwhile, on the same connection.

Prints: (?s)ring rang.*wait heard it
"""

import asyncio
import tempfile

import beside  # noqa: F401  # finds stage.py next door
from stage import Actor, play

from node.rpc import IPCServer, Registry, RPCClient


class Bell:
    def __init__(self) -> None:
        self._rung = asyncio.Event()

    async def wait(self) -> str:
        await self._rung.wait()
        return "heard it"

    def ring(self) -> str:
        self._rung.set()
        return "rang"


async def server(me: Actor) -> None:
    registry = Registry()
    registry.register("bell", Bell())
    with tempfile.TemporaryDirectory() as directory:
        path = f"{directory}/demo.ipc"
        async with IPCServer(registry, path), await RPCClient.connect(path) as client:

            async def call(name: str) -> None:
                me.say(f"{name} {await client.call(f'bell_{name}')}")

            async with asyncio.TaskGroup() as group:
                group.create_task(call("wait"))  # goes out first, and cannot be answered yet
                group.create_task(call("ring"))


if __name__ == "__main__":
    play(server)
