"""C1: create a service node, start it, stop it."""

import tempfile
from pathlib import Path

from stage import Actor, play

from node.p2p.server import ServerConfig
from node.service.stack import NodeConfig, ServiceNode


async def node(me: Actor) -> None:
    with tempfile.TemporaryDirectory() as directory:
        data_dir = Path(directory) / "data"
        config = NodeConfig(
            name="demo",
            data_dir=data_dir,
            ipc_path="demo.ipc",
            p2p=ServerConfig(listen_addr=f"{me.host}:0"),
        )
        stack = ServiceNode(config)
        await stack.start()
        me.say(f"running as {stack.server.id.hex()[:16]}")
        me.say(f"data directory: {sorted(path.name for path in data_dir.iterdir())}")
        me.say(f"instance directory: {sorted(path.name for path in (data_dir / 'demo').iterdir())}")
        await stack.stop()
        me.say("stopped")


if __name__ == "__main__":
    play(node)
