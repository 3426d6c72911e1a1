"""Who may use the control interface, the standard services next to it, and addresses that cannot be had."""

from __future__ import annotations

import asyncio
import os
import socket
import stat
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from node.control.gen import control_pb2 as pb
from node.control.gen import control_pb2_grpc
from node.control.server import ControlServer
from node.errors import ConfigError
from tests.support.control import TOKEN, Caller, control_options, controlled, free_port, refused
from tests.support.nodes import LabNode
from tests.support.waiting import DEADLINE_S

SERVICES = ["", "psslab.control.v1.Control"]
Metadata = Sequence[tuple[str, str]]
GOOD: Metadata = (("authorization", f"Bearer {TOKEN}"),)
BAD: list[Metadata] = [
    (),
    (("authorization", ""),),
    (("authorization", "Bearer "),),
    (("authorization", f"Bearer {TOKEN}x"),),
    (("authorization", f"Bearer {TOKEN[:-1]}"),),
    (("authorization", TOKEN),),
    (("authorization", f"bearer {TOKEN}"),),
    (("authorization", f"Basic {TOKEN}"),),
    (("token", f"Bearer {TOKEN}"),),
]


@pytest.fixture
async def tcp(node: LabNode, tmp_path: Path) -> AsyncIterator[Caller]:
    async with controlled(node, tmp_path, tcp=True) as caller:
        yield caller


async def one_of(message: Any) -> AsyncIterator[Any]:
    yield message


async def first_of(stream: Any) -> Any:
    return await stream.read()


# -- health and reflection


@pytest.mark.parametrize("service", SERVICES)
async def test_health(control: Caller, service: str) -> None:
    stub: Any = health_pb2_grpc.HealthStub(control.channel)  # type: ignore[no-untyped-call]
    answer = await stub.Check(health_pb2.HealthCheckRequest(service=service), metadata=control.metadata)
    assert answer.status == health_pb2.HealthCheckResponse.SERVING
    stream = stub.Watch(health_pb2.HealthCheckRequest(service=service), metadata=control.metadata)
    assert (await first_of(stream)).status == health_pb2.HealthCheckResponse.SERVING


async def test_health_of_something_else(control: Caller) -> None:
    stub: Any = health_pb2_grpc.HealthStub(control.channel)  # type: ignore[no-untyped-call]
    call = stub.Check(health_pb2.HealthCheckRequest(service="nonsense"), metadata=control.metadata)
    await refused(call, grpc.StatusCode.NOT_FOUND, "")


async def test_reflection_lists_the_services(control: Caller) -> None:
    stub: Any = reflection_pb2_grpc.ServerReflectionStub(control.channel)  # type: ignore[no-untyped-call]
    request = reflection_pb2.ServerReflectionRequest(list_services="")
    stream = stub.ServerReflectionInfo(one_of(request), metadata=control.metadata)
    async with asyncio.timeout(DEADLINE_S):
        answer = await first_of(stream)
    assert sorted(service.name for service in answer.list_services_response.service) == [
        "grpc.health.v1.Health",
        "grpc.reflection.v1alpha.ServerReflection",
        "psslab.control.v1.Control",
    ]


# -- the token

METHODS = [method.name for method in pb.DESCRIPTOR.services_by_name["Control"].methods]
REQUESTS: dict[str, Any] = {
    method.name: method.input_type._concrete_class() for method in pb.DESCRIPTOR.services_by_name["Control"].methods
}


def call_without_waiting(channel: grpc.aio.Channel, method: str, metadata: Metadata) -> Any:
    stub: Any = control_pb2_grpc.ControlStub(channel)  # type: ignore[no-untyped-call]
    call = getattr(stub, method)(REQUESTS[method], metadata=metadata, timeout=DEADLINE_S)
    return first_of(call) if hasattr(call, "read") else call


@pytest.mark.parametrize("method", METHODS)
async def test_every_call_needs_the_token(tcp: Caller, method: str) -> None:
    for metadata in BAD[:3]:
        call = call_without_waiting(tcp.channel, method, metadata)
        await refused(call, grpc.StatusCode.UNAUTHENTICATED, "missing or wrong bearer token")


@pytest.mark.parametrize("metadata", BAD, ids=str)
async def test_a_wrong_token_is_as_good_as_none(tcp: Caller, metadata: Metadata) -> None:
    text = "missing or wrong bearer token"
    await refused(call_without_waiting(tcp.channel, "GetInfo", metadata), grpc.StatusCode.UNAUTHENTICATED, text)
    health: Any = health_pb2_grpc.HealthStub(tcp.channel)  # type: ignore[no-untyped-call]
    request = health_pb2.HealthCheckRequest()
    await refused(health.Check(request, metadata=metadata), grpc.StatusCode.UNAUTHENTICATED, text)
    await refused(first_of(health.Watch(request, metadata=metadata)), grpc.StatusCode.UNAUTHENTICATED, text)
    reflection: Any = reflection_pb2_grpc.ServerReflectionStub(tcp.channel)  # type: ignore[no-untyped-call]
    stream = reflection.ServerReflectionInfo(
        one_of(reflection_pb2.ServerReflectionRequest(list_services="")), metadata=metadata, timeout=DEADLINE_S
    )
    await refused(first_of(stream), grpc.StatusCode.UNAUTHENTICATED, text)


async def test_a_wrong_token_learns_nothing_about_the_methods(tcp: Caller) -> None:
    call = tcp.channel.unary_unary("/psslab.control.v1.Control/Nonsense")
    await refused(call(b""), grpc.StatusCode.UNAUTHENTICATED, "missing or wrong bearer token")
    await refused(call(b"", metadata=GOOD), grpc.StatusCode.UNIMPLEMENTED, "")


async def test_the_right_token(tcp: Caller) -> None:
    assert (await call_without_waiting(tcp.channel, "GetInfo", GOOD)).name == "alice"


async def test_a_unix_socket_is_open_to_its_owner_only_and_wants_no_token(unix: Caller) -> None:
    assert (await call_without_waiting(unix.channel, "GetInfo", ())).name == "alice"
    mode = os.stat(unix.address.removeprefix("unix:")).st_mode
    assert (stat.S_ISSOCK(mode), stat.S_IMODE(mode)) == (True, 0o600)


# -- addresses


async def test_a_port_in_use_is_named(node: LabNode, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(ConfigError, match=f"--control {address}: the address cannot be had, is it in use"):
            async with ControlServer(node.node, control_options(address, tmp_path)):
                pytest.fail("it listens")


async def test_two_nodes_do_not_share_a_port(node: LabNode, tmp_path: Path, tcp: Caller) -> None:
    with pytest.raises(ConfigError, match="is it in use"):
        async with ControlServer(node.node, control_options(tcp.address, tmp_path)):
            pytest.fail("it listens")
    assert (await tcp.GetInfo(pb.GetInfoRequest())).name == "alice"


async def test_a_unix_socket_in_use_is_not_taken_away(node: LabNode, tmp_path: Path, unix: Caller) -> None:
    with pytest.raises(ConfigError, match="another server is listening there"):
        async with ControlServer(node.node, control_options(unix.address, tmp_path)):
            pytest.fail("it listens")
    assert (await unix.GetInfo(pb.GetInfoRequest())).name == "alice"


async def test_a_unix_socket_that_was_left_behind_is_replaced(node: LabNode, tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(tmp_path / "control.sock"))
    async with controlled(node, tmp_path) as caller:
        assert (await caller.GetInfo(pb.GetInfoRequest())).name == "alice"


@pytest.mark.parametrize("address", ["unix:/nonexistent/control.sock", "256.0.0.1:1"])
async def test_an_address_that_cannot_be_is_named(node: LabNode, tmp_path: Path, address: str) -> None:
    with pytest.raises(ConfigError, match=f"--control {address}"):
        async with ControlServer(node.node, control_options(address, tmp_path)):
            pytest.fail("it listens")


async def test_the_address_is_free_again_afterwards(node: LabNode, tmp_path: Path) -> None:
    address = f"127.0.0.1:{free_port()}"
    for _ in range(2):
        async with ControlServer(node.node, control_options(address, tmp_path)):
            with pytest.raises(OSError):
                socket.create_server(("127.0.0.1", int(address.rpartition(":")[2]))).close()
