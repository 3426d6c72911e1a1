"""D2, exercise 2: services are constructed anew at each start, so what they only had in memory is gone.

Prints: before: 42
Prints: after: 0
Prints: the same service: False
"""

import beside  # noqa: F401  # finds stage.py next door
from d2_shared_state import BarService, FooService
from stage import Actor, play

from node.service.stack import NodeConfig, ServiceNode


async def number(stack: ServiceNode) -> int:
    async with await stack.attach() as client:
        return int(await client.call("foo_get"))


async def node(me: Actor) -> None:
    stack = ServiceNode(NodeConfig())
    stack.register(FooService)
    stack.register(BarService)
    async with stack:
        first = stack.service(FooService)
        async with await stack.attach() as client:
            await client.call("bar_set", 42)
        me.say(f"before: {await number(stack)}")
        await stack.restart()
        me.say(f"after: {await number(stack)}")
        me.say(f"the same service: {stack.service(FooService) is first}")


if __name__ == "__main__":
    play(node)
