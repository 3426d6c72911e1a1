"""C1, exercise 1: a node is its key file. With it the node comes back as itself, without it as somebody else.

Prints: after a second start: the same node
Prints: after nodekey is deleted: somebody else
"""

import tempfile
from pathlib import Path

import beside  # noqa: F401  # finds stage.py next door
from stage import Actor, play

from node.p2p.server import ServerConfig
from node.service.stack import NodeConfig, ServiceNode


async def node(me: Actor) -> None:
    with tempfile.TemporaryDirectory() as directory:
        data_dir = Path(directory)
        stack = ServiceNode(NodeConfig(name="demo", data_dir=data_dir, p2p=ServerConfig(listen_addr=f"{me.host}:0")))

        async def run_once() -> str:
            async with stack:
                return stack.server.id.hex()

        first = await run_once()
        again = await run_once()
        me.say(f"after a second start: {'the same node' if again == first else 'somebody else'}")
        key_file = data_dir / "demo" / "nodekey"
        me.say(f"nodekey: {len(key_file.read_text())} hex digits, mode {key_file.stat().st_mode & 0o777:o}")
        key_file.unlink()
        third = await run_once()
        me.say(f"after nodekey is deleted: {'the same node' if third == first else 'somebody else'}")


if __name__ == "__main__":
    play(node)
