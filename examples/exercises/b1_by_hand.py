"""B1, exercise 1: no client, only a socket and text. A call has an id and is answered; without one there is no answer.

Prints: wrote 3 messages, read 2 answers
Prints: "id":"second","error":.*does not exist
"""

import asyncio
import tempfile

import beside  # noqa: F401  # finds stage.py next door
from stage import Actor, play

from node.rpc import IPCServer, Registry

MESSAGES = [
    '{"jsonrpc":"2.0","id":1,"method":"foo_helloWorld","params":["bob"]}',
    '{"jsonrpc":"2.0","method":"foo_helloWorld","params":["nobody"]}',
    '{"jsonrpc":"2.0","id":"second","method":"foo_hello_world","params":["bob"]}',
]


class Foo:
    def hello_world(self, name: str) -> str:
        return f"hello {name}"


async def server(me: Actor) -> None:
    registry = Registry()
    registry.register("foo", Foo())
    with tempfile.TemporaryDirectory() as directory:
        path = f"{directory}/demo.ipc"
        async with IPCServer(registry, path):
            reader, writer = await asyncio.open_unix_connection(path)
            # Nothing between them, not even a line feed: the last bracket ends a message.
            writer.write("".join(MESSAGES).encode())
            writer.write_eof()
            answers = (await reader.read()).decode().splitlines()
            writer.close()
            await writer.wait_closed()
        me.say(f"wrote {len(MESSAGES)} messages, read {len(answers)} answers")
        for answer in answers:
            me.say(answer)


if __name__ == "__main__":
    play(server)
