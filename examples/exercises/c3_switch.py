"""C3, exercise 3: whoever may call admin can close an endpoint and open it again with more to see.

Prints: before: foo rpc
Prints: after: bar foo rpc
"""

import beside  # noqa: F401  # finds stage.py next door
from c3_two_apis import FooService
from stage import Actor, play

from node.rpc import RPCClient
from node.service.endpoints import EndpointConfig
from node.service.stack import NodeConfig, ServiceNode


async def shown(stack: ServiceNode) -> str:
    async with await RPCClient.connect(stack.endpoints.ws.url) as client:
        return " ".join(sorted(await client.supported_modules()))


async def node(me: Actor) -> None:
    stack = ServiceNode(NodeConfig(ws=EndpointConfig(host=me.host, modules=["foo"])))
    stack.register(FooService)
    async with stack, await stack.attach() as admin:
        me.say(f"before: {await shown(stack)}")
        await admin.call("admin_stopWS")
        # Host, port (0: the system chooses), origins, namespaces.
        await admin.call("admin_startWS", me.host, 0, "", "foo,bar")
        me.say(f"after: {await shown(stack)}")


if __name__ == "__main__":
    play(node)
