"""The control interface of a node in this process, and asynchronous callers of it."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import AsyncIterator, Awaitable
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import pytest

from node.config import Options, parse_options
from node.control.auth import token_metadata
from node.control.gen import control_pb2_grpc
from node.control.server import ControlServer
from tests.support.nodes import LabNode

TOKEN = "token-of-the-lab"


def free_port() -> int:
    """A port that was free a moment ago."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


def control_options(address: str, directory: Path, *, token: str = TOKEN, name: str = "alice") -> Options:
    argv = ["--control", address, "--name", name, "--datadir", str(directory)]
    return parse_options(argv, {"PSS_CONTROL_TOKEN": token})


class Caller:
    """A channel; every call carries the metadata it was given."""

    def __init__(self, channel: grpc.aio.Channel, address: str, token: str) -> None:
        self.channel, self.address, self.token = channel, address, token
        self.stub: Any = control_pb2_grpc.ControlStub(channel)
        self.metadata = token_metadata(token)

    def __getattr__(self, method: str) -> Any:
        call = getattr(self.stub, method)
        return lambda request: call(request, metadata=self.metadata, timeout=5)


@contextlib.asynccontextmanager
async def controlled(node: LabNode, directory: Path, *, tcp: bool = False) -> AsyncIterator[Caller]:
    """A node's control interface on a unix socket or on TCP, and a caller who may."""
    address = f"127.0.0.1:{free_port()}" if tcp else f"unix:{directory}/control.sock"
    options = control_options(address, directory)
    async with ControlServer(node.node, options), grpc.aio.insecure_channel(address) as channel:
        yield Caller(channel, address, TOKEN if tcp else "")


async def refused(call: Awaitable[object], code: grpc.StatusCode, text: str) -> None:
    """Check that a call fails with a status and with `text` in its details."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    assert (caught.value.code(), caught.value.details()) == (code, caught.value.details())
    assert text in (caught.value.details() or "")
