"""The life of a service node: start, roll back, stop, start again (spec 03 section 8)."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from node.errors import ConfigError
from node.p2p.protocol import Protocol
from node.p2p.server import Server, ServerConfig
from node.service.endpoints import EndpointConfig
from node.service.service import API, Service, ServiceContext, ServiceError
from node.service.stack import NodeConfig, ServiceNode
from tests.support.servers import make_protocol

P2P = ServerConfig(listen_addr="127.0.0.1:0")


def make_node(path: Path | None = None, **options: object) -> ServiceNode:
    config = NodeConfig(name="demo", client_name="demo/v1", data_dir=path, p2p=P2P)
    return ServiceNode(replace(config, **options))  # type: ignore[arg-type]


class Noted(Service):
    """Writes down what happens to it."""

    log: list[str]

    def __init__(self, context: ServiceContext, log: list[str], *, fail: str = "") -> None:
        self.context, self.log, self.fail = context, log, fail
        self.note("new")

    def note(self, what: str) -> None:
        self.log.append(f"{type(self).__name__} {what}")
        if self.fail == what:
            raise LookupError(f"{what} failed")

    def protocols(self) -> tuple[Protocol, ...]:
        self.note("protocols")
        return (make_protocol(name=type(self).__name__.lower()),)

    def apis(self) -> tuple[API, ...]:
        self.note("apis")
        return (API(type(self).__name__.lower(), self, methods=["ping"]),)

    def ping(self) -> str:
        return "pong"

    async def start(self, server: Server) -> None:
        assert server.running
        self.note("start")

    async def stop(self) -> None:
        assert self.server.running, "services are stopped before the p2p server"
        self.note("stop")

    server: Server


class One(Noted): ...


class Two(Noted): ...


class Three(Noted): ...


def install(
    node: ServiceNode, log: list[str], *kinds: type[Noted], failing: type[Noted] | None = None, at: str = ""
) -> None:
    def constructor(kind: type[Noted]) -> Callable[[ServiceContext], Service]:
        return lambda context: kind(context, log, fail=at if kind is failing else "")

    for kind in kinds:
        node.register(constructor(kind))


@pytest.fixture(autouse=True)
def remember_server(monkeypatch: pytest.MonkeyPatch) -> None:
    original = Server.start

    async def start(self: Server) -> None:
        await original(self)
        Noted.server = self

    monkeypatch.setattr(Server, "start", start)


def running_tasks() -> set[str]:
    return {task.get_name() for task in asyncio.all_tasks() if task is not asyncio.current_task()}


async def starts_again(node: ServiceNode) -> None:
    """Nothing of a failed start is in the way of another."""
    assert not running_tasks()
    assert not node.running
    assert node.services == ()
    with pytest.raises(ServiceError, match="node not started"):
        node.server  # noqa: B018
    other = ServiceNode(node.config)
    async with other:
        assert other.running


# -- order


async def test_everything_in_the_order_of_registration_and_back(tmp_path: Path) -> None:
    node, log = make_node(tmp_path), list[str]()
    install(node, log, One, Two)
    async with node:
        assert [type(service) for service in node.services] == [One, Two]
        assert [protocol.name for protocol in node.server.config.protocols] == ["one", "two"]
        assert node.server.config.name == "demo/v1"
    expected = ["new", "protocols", "start", "apis"]
    assert log == [f"{name} {step}" for step in expected for name in ("One", "Two")] + ["Two stop", "One stop"]
    assert not running_tasks()


async def test_constructors_see_those_before_them(tmp_path: Path) -> None:
    node, log, contexts = make_node(tmp_path), list[str](), list[ServiceContext]()
    install(node, log, One)
    node.register(lambda context: contexts.append(context) or Two(context, log))  # type: ignore[func-returns-value]
    async with node:
        (context,) = contexts
        assert context.service(One) is node.service(One)
        with pytest.raises(ServiceError, match="unknown service Two"):
            context.service(Two)
        assert context.instance_dir == tmp_path / "demo"
        assert context.events is node.events
        with pytest.raises(ServiceError, match="unknown service Three"):
            node.service(Three)


async def test_a_node_that_runs_takes_no_more_services_and_no_second_start() -> None:
    node = make_node()
    async with node:
        with pytest.raises(ServiceError, match="node already running"):
            node.register(lambda context: One(context, []))
        with pytest.raises(ServiceError, match="node already running"):
            await node.start()
        assert node.running


@pytest.mark.parametrize("name", ["a/b", "a\\b"])
def test_a_name_is_no_path(name: str) -> None:
    with pytest.raises(ServiceError, match=r"Config\.Name must not contain '/' or '\\'"):
        ServiceNode(NodeConfig(name=name))


# -- a start that fails takes back what it had done


async def test_a_service_that_is_registered_twice(tmp_path: Path) -> None:
    node, log = make_node(tmp_path), list[str]()
    install(node, log, One, One)
    with pytest.raises(ServiceError, match="duplicate service: One"):
        await node.start()
    await starts_again(make_node(tmp_path))


@pytest.mark.parametrize(
    ("step", "log"),
    [
        ("new", ["One new", "Two new"]),
        ("protocols", ["One new", "Two new", "Three new", "One protocols", "Two protocols"]),
        ("start", ["One start", "Two start", "One stop"]),
        ("apis", ["One apis", "Two apis", "Three stop", "Two stop", "One stop"]),
    ],
)
async def test_a_service_that_fails(tmp_path: Path, step: str, log: list[str]) -> None:
    """Those that started are stopped, in reverse; the failing one is not."""
    node, happened = make_node(tmp_path, ipc_path="demo.ipc"), list[str]()
    install(node, happened, One, Two, Three, failing=Two, at=step)
    with pytest.raises(LookupError, match=f"{step} failed"):
        await node.start()
    assert happened[-len(log) :] == log
    assert not (tmp_path / "demo.ipc").exists()
    await starts_again(make_node(tmp_path))


@pytest.mark.parametrize("what", ["p2p", "http", "ws"])
async def test_a_port_in_use(tmp_path: Path, what: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        options: dict[str, object] = {"ipc_path": "demo.ipc"}
        if what == "p2p":
            options["p2p"] = ServerConfig(listen_addr=f"127.0.0.1:{port}")
        else:
            options[what] = EndpointConfig(port=port)
        node, log = make_node(tmp_path, **options), list[str]()
        install(node, log, One)
        with pytest.raises(ConfigError, match=rf"listen tcp 127\.0\.0\.1:{port}: .*address already in use"):
            await node.start()
        assert ("One stop" in log) == (what != "p2p")
        assert not (tmp_path / "demo.ipc").exists()
    await starts_again(node)


async def test_an_ipc_path_that_cannot_be(tmp_path: Path) -> None:
    (tmp_path / "demo.ipc").write_text("a file of somebody")
    node, log = make_node(tmp_path, ipc_path="demo.ipc"), list[str]()
    install(node, log, One)
    with pytest.raises(ConfigError, match="IPC path is a file that is no socket"):
        await node.start()
    assert log[-1] == "One stop"
    assert (tmp_path / "demo.ipc").read_text() == "a file of somebody"
    await starts_again(make_node(tmp_path))


async def test_a_start_that_is_cancelled(tmp_path: Path) -> None:
    reached = asyncio.Event()

    class Slow(Service):
        async def start(self, server: Server) -> None:
            reached.set()
            await asyncio.Event().wait()

    node = make_node(tmp_path)
    node.register(Slow)
    start = asyncio.create_task(node.start())
    await reached.wait()
    start.cancel()
    with pytest.raises(asyncio.CancelledError):
        await start
    await starts_again(make_node(tmp_path))


# -- stopping and starting again


async def test_stop_goes_on_past_a_service_that_fails(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    node, log = make_node(tmp_path), list[str]()
    install(node, log, One, Two, Three, failing=Two, at="stop")
    await node.start()
    await node.stop()
    assert log[-3:] == ["Three stop", "Two stop", "One stop"]
    assert "stopping service Two failed" in caplog.text
    await starts_again(make_node(tmp_path))


async def test_a_stopped_node_says_so() -> None:
    node = make_node()
    calls: list[Callable[[], object]] = [lambda: node.server, lambda: node.service(One)]
    for _ in range(2):
        for call in calls:
            with pytest.raises(ServiceError, match="node not started"):
                call()
        for coroutine in (node.stop, node.attach, node.restart):
            with pytest.raises(ServiceError, match="node not started"):
                await coroutine()
        await node.wait()  # at once
        async with node:
            pass


async def test_restart_gives_fresh_services_and_the_same_identity(tmp_path: Path) -> None:
    node, log = make_node(tmp_path), list[str]()
    install(node, log, One)
    async with node:
        first, identity = node.service(One), node.server.id
        waiting = asyncio.create_task(node.wait())
        await node.restart()
        assert node.service(One) is not first
        assert node.server.id == identity
        await waiting
    assert [line for line in log if line.endswith("new")] == ["One new"] * 2


async def test_wait_returns_when_the_node_stops() -> None:
    node = make_node()
    await node.start()
    waiting = asyncio.create_task(node.wait())
    await asyncio.sleep(0)
    assert not waiting.done()
    await node.stop()
    async with asyncio.timeout(1):
        await waiting
