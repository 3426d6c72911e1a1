"""C3: a service with two APIs. IPC and HTTP show both, WebSocket only one of them."""

import tempfile
from collections.abc import Sequence
from pathlib import Path

from stage import Actor, play

from node.errors import RPCError
from node.rpc import RPCClient
from node.service.endpoints import EndpointConfig
from node.service.service import API, Service
from node.service.stack import NodeConfig, ServiceNode


class FooAPI:
    def __init__(self) -> None:
        self._number = 42

    def get(self) -> int:
        return self._number


class BarAPI:
    def double(self, number: int) -> int:
        return 2 * number


class FooService(Service):
    def apis(self) -> Sequence[API]:
        return [API("foo", FooAPI()), API("bar", BarAPI())]


async def node(me: Actor) -> None:
    with tempfile.TemporaryDirectory() as directory:
        config = NodeConfig(
            data_dir=Path(directory),
            ipc_path="demo.ipc",
            http=EndpointConfig(host=me.host, modules=["foo", "bar"]),
            ws=EndpointConfig(host=me.host, modules=["foo"]),
        )
        stack = ServiceNode(config)
        stack.register(FooService)
        async with stack:
            for kind, endpoint in (
                ("ipc", str(config.ipc_endpoint)),
                ("http", stack.endpoints.http.url),
                ("ws", stack.endpoints.ws.url),
            ):
                async with await RPCClient.connect(endpoint) as client:
                    number = await client.call("foo_get")
                    try:
                        doubled = await client.call("bar_double", number)
                    except RPCError as error:
                        doubled = f"error {error.code}, {error.message}"
                    me.say(f"{kind:4}  foo_get: {number}  bar_double: {doubled}")


if __name__ == "__main__":
    play(node)
