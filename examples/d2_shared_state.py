"""D2: two services in one node that share state: what bar_set sets, foo_get gets."""

from collections.abc import Sequence
from dataclasses import dataclass

from stage import Actor, play

from node.service.service import API, Service, ServiceContext
from node.service.stack import NodeConfig, ServiceNode


@dataclass
class State:
    number: int = 0


class FooService(Service):
    """Owns the state."""

    def __init__(self, context: ServiceContext) -> None:
        self.state = State()

    def apis(self) -> Sequence[API]:
        return [API("foo", FooAPI(self.state))]


class BarService(Service):
    """Finds the service that was constructed before it, by its type."""

    def __init__(self, context: ServiceContext) -> None:
        self.state = context.service(FooService).state

    def apis(self) -> Sequence[API]:
        return [API("bar", BarAPI(self.state))]


class FooAPI:
    def __init__(self, state: State) -> None:
        self._state = state

    def get(self) -> int:
        return self._state.number


class BarAPI:
    def __init__(self, state: State) -> None:
        self._state = state

    def set(self, number: int) -> None:
        self._state.number = number


async def node(me: Actor) -> None:
    stack = ServiceNode(NodeConfig())
    stack.register(FooService)
    stack.register(BarService)
    async with stack, await stack.attach() as client:
        me.say(f"foo_get before: {await client.call('foo_get')}")
        await client.call("bar_set", 42)
        me.say(f"foo_get after bar_set: {await client.call('foo_get')}")


if __name__ == "__main__":
    play(node)
