"""B1, exercise 3: what is wrong with a call is said in an error with a code, and the connection goes on.

Prints: foo_hello_world\\('bob'\\): -32601 the method foo_hello_world does not exist/is not available
Prints: foo_helloWorld\\(\\): -32602 missing value for required argument 0
Prints: foo_helloWorld\\('bob', 'carol'\\): -32602 too many arguments, want at most 1
Prints: foo_helloWorld\\(42\\): -32602 invalid argument 0: .*
Prints: foo_helloWorld\\('eve'\\): 7 I do not talk to eve
Prints: hello bob
"""

import tempfile

import beside  # noqa: F401  # finds stage.py next door
from stage import Actor, play

from node.errors import RPCError
from node.rpc import IPCServer, Registry, RPCClient

CALLS: list[tuple[str, tuple[object, ...]]] = [
    ("foo_hello_world", ("bob",)),
    ("foo_helloWorld", ()),
    ("foo_helloWorld", ("bob", "carol")),
    ("foo_helloWorld", (42,)),
    ("foo_helloWorld", ("eve",)),
]


class Foo:
    def hello_world(self, name: str) -> str:
        if name == "eve":
            raise RPCError(7, "I do not talk to eve")
        return f"hello {name}"


async def server(me: Actor) -> None:
    registry = Registry()
    registry.register("foo", Foo())
    with tempfile.TemporaryDirectory() as directory:
        path = f"{directory}/demo.ipc"
        async with IPCServer(registry, path), await RPCClient.connect(path) as client:
            for method, params in CALLS:
                try:
                    await client.call(method, *params)
                except RPCError as error:
                    me.say(f"{method}({', '.join(map(repr, params))}): {error.code} {error}")
            me.say(await client.call("foo_helloWorld", "bob"))


if __name__ == "__main__":
    play(server)
