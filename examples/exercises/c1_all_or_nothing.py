"""C1, exercise 3: the last step of the start fails, and everything before it is taken back.

Prints: not started: IPC path is a file that is no socket
Prints: running: False
Prints: started at the second try
"""

import tempfile
from pathlib import Path

import beside  # noqa: F401  # finds stage.py next door
from stage import Actor, play

from node.errors import LabError
from node.p2p.server import ServerConfig
from node.service.stack import NodeConfig, ServiceNode


async def node(me: Actor) -> None:
    with tempfile.TemporaryDirectory() as directory:
        in_the_way = Path(directory) / "demo.ipc"
        in_the_way.write_text("a file that the node did not make, so it does not remove it either")
        config = NodeConfig(
            name="demo", data_dir=Path(directory), ipc_path="demo.ipc", p2p=ServerConfig(listen_addr=f"{me.host}:0")
        )
        stack = ServiceNode(config)
        try:
            await stack.start()
        except LabError as error:
            me.say(f"not started: {str(error).partition(':')[0]}")
        me.say(f"running: {stack.running}")
        in_the_way.unlink()
        async with stack:  # the lock is free, and so is everything else
            me.say("started at the second try")


if __name__ == "__main__":
    play(node)
