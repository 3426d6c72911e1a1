"""C4, exercise 2: with a subscription the node tells each new count, and nobody has to ask again and again.

Prints: bob +told: \\{'pings': 0, 'pongs': 3\\}
Prints: alice +told: \\{'pings': 3, 'pongs': 0\\}
"""

from collections.abc import Callable, Sequence

import beside  # noqa: F401  # finds stage.py next door
from c4_ping_service import ROUNDS, PingAPI, PingService
from stage import Actor, play

from node.p2p.protocol import MessagePipe
from node.p2p.server import ServerConfig
from node.rpc import Notifier, subscription
from node.service.service import API, ServiceContext
from node.service.stack import NodeConfig, ServiceNode


class TellingService(PingService):
    """Calls everybody who wants to know after each message."""

    def __init__(self, context: ServiceContext) -> None:
        super().__init__(context)
        self.listeners: list[Callable[[], None]] = []

    def apis(self) -> Sequence[API]:
        return [API("ping", TellingAPI(self))]

    def received(self, pipe: MessagePipe, code: int) -> None:
        super().received(pipe, code)
        for listener in list(self.listeners):
            listener()


class TellingAPI(PingAPI):
    def __init__(self, service: TellingService) -> None:
        super().__init__(service)
        self._telling = service

    @subscription("counts")
    def counts(self, notifier: Notifier) -> None:
        """ping_subscribe ["counts"]: both counts, whenever one of them changes."""

        def tell() -> None:
            notifier.notify(self.count())

        self._telling.listeners.append(tell)
        notifier.on_close(lambda: self._telling.listeners.remove(tell))


def make_node(me: Actor) -> ServiceNode:
    node = ServiceNode(NodeConfig(client_name=me.name, p2p=ServerConfig(listen_addr=f"{me.host}:0")))
    node.register(TellingService)
    return node


async def alice(me: Actor) -> None:
    async with (
        make_node(me) as node,
        await node.attach() as client,
        await client.subscribe("ping", "counts") as counts,
    ):
        await me.tell(enode=node.server.node.url)
        async for told in counts:
            me.say(f"told: {told}")
            if told["pings"] == ROUNDS:
                break
        await me.together()


async def bob(me: Actor) -> None:
    async with (
        make_node(me) as node,
        await node.attach() as client,
        await client.subscribe("ping", "counts") as counts,
        await client.subscribe("admin", "peerEvents") as events,
    ):
        await client.call("admin_addPeer", await me.learn(alice, "enode"))
        peer = (await anext(events))["peer"]
        for _ in range(ROUNDS):
            await client.call("ping_ping", peer)
        async for told in counts:
            me.say(f"told: {told}")
            if told["pongs"] == ROUNDS:
                break
        await me.together()


if __name__ == "__main__":
    play(alice, bob)
