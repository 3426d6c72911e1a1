"""D2, exercise 1: a service can only find those that were registered before it. If it fails, nothing starts.

Prints: unknown service FooService
Prints: running: False
"""

import beside  # noqa: F401  # finds stage.py next door
from d2_shared_state import BarService, FooService
from stage import Actor, play

from node.service.service import ServiceError
from node.service.stack import NodeConfig, ServiceNode


async def node(me: Actor) -> None:
    stack = ServiceNode(NodeConfig())
    stack.register(BarService)
    stack.register(FooService)
    try:
        await stack.start()
    except ServiceError as error:
        me.say(f"{error}")
    me.say(f"running: {stack.running}")


if __name__ == "__main__":
    play(node)
