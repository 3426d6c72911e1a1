"""Servers and small protocols for tests that use real sockets."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

from node.crypto.secp256k1 import PrivateKey
from node.devp2p.messages import BASE_LENGTH, Capability
from node.p2p.peer import Peer
from node.p2p.protocol import MessagePipe, Protocol
from node.p2p.server import Server, ServerConfig
from tests.support.keys import make_key
from tests.support.peers import RawPeer, live_peer

PING, PONG = 0, 1
ECHO_CAPS = [Capability("echo", 1)]
Run = Callable[[Peer, MessagePipe], Awaitable[None]]


async def answer_pings(peer: Peer, pipe: MessagePipe) -> None:
    """Send each PING back as PONG until the session ends."""
    while True:
        message = await pipe.read()
        if message.code == PING:
            await pipe.send(PONG, message.payload)


async def stay(peer: Peer, pipe: MessagePipe) -> None:
    """Read until the session ends."""
    while True:
        await pipe.read()


def make_protocol(run: Run = answer_pings, *, name: str = "echo", version: int = 1, length: int = 2) -> Protocol:
    return Protocol(name=name, version=version, length=length, run=run)


@contextlib.asynccontextmanager
async def running_server(
    key: int | PrivateKey = 1, *protocols: Protocol, listen_addr: str = "127.0.0.1:0", **options: Any
) -> AsyncIterator[Server]:
    """A server on a free port; the same number gives the same key."""
    private_key = make_key(key) if isinstance(key, int) else key
    config = ServerConfig(private_key=private_key, protocols=protocols, listen_addr=listen_addr, **options)
    async with Server(config) as server:
        yield server


async def round_trip(peer: RawPeer, payload: bytes = b"\x83are") -> None:
    """Ask a server that runs :func:`answer_pings` and get the answer."""
    peer.send(BASE_LENGTH + PING, payload)
    message = await peer.receive()
    assert (message.code, message.payload) == (BASE_LENGTH + PONG, payload)


async def still_serves(server: Server, number: int = 99) -> None:
    """A new peer comes, is served and leaves."""
    async with live_peer(server.node, make_key(number), ECHO_CAPS) as peer:
        await round_trip(peer)


class Collector:
    """A protocol that keeps what it reads; it begins to read when told to."""

    def __init__(self, *, reading: bool = True) -> None:
        self.payloads: list[bytes] = []
        self.go = asyncio.Event()
        if reading:
            self.go.set()

    async def run(self, peer: Peer, pipe: MessagePipe) -> None:
        await self.go.wait()
        while True:
            self.payloads.append((await pipe.read()).payload)
