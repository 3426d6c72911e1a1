"""D2, exercise 3: a service that writes its state to a file when it stops, and reads it again when it is made.

Prints: after the restart: 42
"""

import tempfile
from pathlib import Path

import beside  # noqa: F401  # finds stage.py next door
from d2_shared_state import BarService, FooService
from stage import Actor, play

from node.service.service import ServiceContext
from node.service.stack import NodeConfig, ServiceNode


class KeepingService(FooService):
    """A FooService, also for BarService, which asks for one by that type."""

    def __init__(self, context: ServiceContext) -> None:
        super().__init__(context)
        assert context.instance_dir is not None
        self._file = context.instance_dir / "number"
        if self._file.exists():
            self.state.number = int(self._file.read_text())

    async def stop(self) -> None:
        self._file.write_text(str(self.state.number))


async def node(me: Actor) -> None:
    with tempfile.TemporaryDirectory() as directory:
        stack = ServiceNode(NodeConfig(data_dir=Path(directory)))
        stack.register(KeepingService)
        stack.register(BarService)
        async with stack:
            async with await stack.attach() as client:
                await client.call("bar_set", 42)
            await stack.restart()
            async with await stack.attach() as client:
                me.say(f"after the restart: {await client.call('foo_get')}")


if __name__ == "__main__":
    play(node)
