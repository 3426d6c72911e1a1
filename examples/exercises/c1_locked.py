"""C1, exercise 2: two running nodes cannot have one instance directory, but one data directory they can.

Prints: the same name: .*datadir already used by another process
Prints: another name: both run, as two nodes
"""

import tempfile
from dataclasses import replace
from pathlib import Path

import beside  # noqa: F401  # finds stage.py next door
from stage import Actor, play

from node.errors import LabError
from node.p2p.server import ServerConfig
from node.service.stack import NodeConfig, ServiceNode


async def node(me: Actor) -> None:
    with tempfile.TemporaryDirectory() as directory:
        config = NodeConfig(name="demo", data_dir=Path(directory), p2p=ServerConfig(listen_addr=f"{me.host}:0"))
        async with ServiceNode(config) as first:
            try:
                await ServiceNode(config).start()
            except LabError as error:
                me.say(f"the same name: {str(error).replace(directory, '...')}")
            async with ServiceNode(replace(config, name="other")) as second:
                assert first.server.id != second.server.id
                me.say("another name: both run, as two nodes")


if __name__ == "__main__":
    play(node)
