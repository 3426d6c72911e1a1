"""C3, exercise 1: every endpoint tells what it has. IPC has everything, the others what they were told to show.

Prints: ipc   admin bar foo rpc web3
Prints: http  bar foo rpc
Prints: ws    foo rpc
"""

import tempfile
from pathlib import Path

import beside  # noqa: F401  # finds stage.py next door
from c3_two_apis import FooService
from stage import Actor, play

from node.rpc import RPCClient
from node.service.endpoints import EndpointConfig
from node.service.stack import NodeConfig, ServiceNode


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
                    me.say(f"{kind:4}  {' '.join(sorted(await client.supported_modules()))}")


if __name__ == "__main__":
    play(node)
