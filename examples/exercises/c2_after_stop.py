"""C2, exercise 1: a node is stopped while clients are connected. The one inside gets an answer, the one outside none.

Prints: RPC inside: node not started
Prints: RPC inside, web3_sha3: 0x[0-9a-f]{64}
Prints: RPC over IPC: (connection lost|dialing .*: .*No such file or directory)
"""

import tempfile
from pathlib import Path

import beside  # noqa: F401  # finds stage.py next door
from stage import Actor, play

from node.errors import LabError
from node.p2p.server import ServerConfig
from node.rpc import RPCClient
from node.service.stack import NodeConfig, ServiceNode


async def node(me: Actor) -> None:
    with tempfile.TemporaryDirectory() as directory:
        config = NodeConfig(data_dir=Path(directory), ipc_path="demo.ipc", p2p=ServerConfig(listen_addr=f"{me.host}:0"))
        stack = ServiceNode(config)
        await stack.start()
        async with await stack.attach() as inside, await RPCClient.connect(str(config.ipc_endpoint)) as outside:
            same = await inside.call("admin_nodeInfo") == await outside.call("admin_nodeInfo")
            me.say(f"both get the same answer: {same}")
            await stack.stop()
            for name, client in (("RPC inside", inside), ("RPC over IPC", outside)):
                try:
                    await client.call("admin_nodeInfo")
                except LabError as error:
                    me.say(f"{name}: {str(error).replace(directory, '...')}")
            # What needs no running server is answered as before.
            me.say(f"RPC inside, web3_sha3: {await inside.call('web3_sha3', '0x68656c6c6f')}")


if __name__ == "__main__":
    play(node)
