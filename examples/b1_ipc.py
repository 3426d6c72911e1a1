"""B1: an object whose methods can be called from another process, over a unix socket."""

import tempfile

from stage import Actor, play

from node.rpc import IPCServer, Registry, RPCClient


class Foo:
    """Every public method becomes callable: hello_world as foo_helloWorld."""

    def hello_world(self, name: str) -> str:
        return f"hello {name}"


async def server(me: Actor) -> None:
    registry = Registry()
    registry.register("foo", Foo())
    with tempfile.TemporaryDirectory() as directory:
        path = f"{directory}/demo.ipc"
        async with IPCServer(registry, path), await RPCClient.connect(path) as client:
            me.say(f"foo_helloWorld answers {await client.call('foo_helloWorld', 'bob')!r}")
            me.say(f"modules: {await client.call('rpc_modules')}")
        me.say("closed")


if __name__ == "__main__":
    play(server)
