"""C2: ask a node who it is in three ways: the object, RPC inside the process, RPC over IPC."""

import tempfile
from pathlib import Path

from stage import Actor, play

from node.p2p.server import ServerConfig
from node.rpc import RPCClient
from node.service.stack import NodeConfig, ServiceNode


async def node(me: Actor) -> None:
    with tempfile.TemporaryDirectory() as directory:
        config = NodeConfig(data_dir=Path(directory), ipc_path="demo.ipc", p2p=ServerConfig(listen_addr=f"{me.host}:0"))
        async with ServiceNode(config) as stack:
            object_says = stack.server.node_info()
            me.say(f"the object:   {object_says['enode']}")
            async with await stack.attach() as client:
                attached_says = await client.call("admin_nodeInfo")
                me.say(f"RPC inside:   {attached_says['enode']}")
            async with await RPCClient.connect(str(config.ipc_endpoint)) as client:
                ipc_says = await client.call("admin_nodeInfo")
                me.say(f"RPC over IPC: {ipc_says['enode']}")
            me.say(f"all the same: {object_says == attached_says == ipc_says}")


if __name__ == "__main__":
    play(node)
