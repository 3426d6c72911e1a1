"""C3, exercise 2: an endpoint that lists no namespaces shows the APIs that are declared public, and no other.

Prints: with a list:     foo rpc
Prints: without a list:  bar rpc web3
"""

from collections.abc import Sequence

import beside  # noqa: F401  # finds stage.py next door
from c3_two_apis import BarAPI, FooAPI
from stage import Actor, play

from node.rpc import RPCClient
from node.service.endpoints import EndpointConfig
from node.service.service import API, Service
from node.service.stack import NodeConfig, ServiceNode


class FooService(Service):
    def apis(self) -> Sequence[API]:
        return [API("foo", FooAPI()), API("bar", BarAPI(), public=True)]


async def node(me: Actor) -> None:
    stack = ServiceNode(NodeConfig(http=EndpointConfig(host=me.host, modules=["foo"]), ws=EndpointConfig(host=me.host)))
    stack.register(FooService)
    async with stack:
        for kind, endpoint in (("with a list:", stack.endpoints.http), ("without a list:", stack.endpoints.ws)):
            async with await RPCClient.connect(endpoint.url) as client:
                me.say(f"{kind:15}  {' '.join(sorted(await client.supported_modules()))}")


if __name__ == "__main__":
    play(node)
