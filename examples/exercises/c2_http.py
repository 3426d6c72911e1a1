"""C2, exercise 2: over HTTP as well, but only if its endpoint is to show the namespace.

Prints: shown by default: \\['rpc', 'web3'\\]
Prints: admin_nodeInfo: -32601 the method admin_nodeInfo does not exist/is not available
Prints: with modules=\\["admin"\\]: the same as the object
"""

import beside  # noqa: F401  # finds stage.py next door
from stage import Actor, play

from node.errors import RPCError
from node.p2p.server import ServerConfig
from node.rpc import RPCClient
from node.service.endpoints import EndpointConfig
from node.service.stack import NodeConfig, ServiceNode


async def node(me: Actor) -> None:
    p2p = ServerConfig(listen_addr=f"{me.host}:0")
    async with (
        ServiceNode(NodeConfig(p2p=p2p, http=EndpointConfig(host=me.host))) as stack,
        await RPCClient.connect(stack.endpoints.http.url) as client,
    ):
        me.say(f"shown by default: {sorted(await client.supported_modules())}")
        try:
            await client.call("admin_nodeInfo")
        except RPCError as error:
            me.say(f"admin_nodeInfo: {error.code} {error}")
    async with (
        ServiceNode(NodeConfig(p2p=p2p, http=EndpointConfig(host=me.host, modules=["admin"]))) as stack,
        await RPCClient.connect(stack.endpoints.http.url) as client,
    ):
        same = await client.call("admin_nodeInfo") == stack.server.node_info()
        me.say(f'with modules=["admin"]: {"the same as" if same else "not"} the object')


if __name__ == "__main__":
    play(node)
