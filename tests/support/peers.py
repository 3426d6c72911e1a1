"""A scripted peer on a real socket: RLPx by the project's own core, everything above by the test.

Nothing happens by itself: no Hello, no Pong, no echo. Whatever the other side says or fails to say is visible.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import AsyncIterator, Sequence

from node.crypto.secp256k1 import PrivateKey
from node.devp2p.messages import BASE_VERSION, SNAPPY_VERSION, BaseCode, Capability, Hello, decode_disconnect
from node.devp2p.messages import decode_hello as read_hello
from node.enode import Node, parse_ip
from node.rlp.codec import encode
from node.rlpx.connection import Connection
from node.rlpx.events import MessageReceived
from node.rlpx.handshake import Initiator
from tests.support.waiting import DEADLINE_S

READ_BYTES = 1 << 16
CLOSED: int | None = None
"""What :meth:`RawPeer.farewell` says when there was no Disconnect."""


class RawPeer:
    """One end of a connection, driven step by step."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, connection: Connection) -> None:
        self.reader, self.writer, self.connection = reader, writer, connection
        self.received_bytes = 0
        self.follow_hello = True
        """Switch compression on after both Hellos; a test that wants to see bytes as they are says no."""
        self._said_hello = self._compresses = False
        self._messages: deque[MessageReceived] = deque()

    # -- bytes

    def write(self, data: bytes) -> None:
        """Put bytes on the wire as they are."""
        self.writer.write(data)

    async def _read_more(self) -> None:
        data = await self.reader.read(READ_BYTES)
        if not data:
            raise EOFError
        self.received_bytes += len(data)
        for event in self.connection.receive_data(data):
            if isinstance(event, MessageReceived):
                self._messages.append(event)
                if event.code == BaseCode.HELLO and not self._compresses:
                    self._compresses = read_hello(event.payload).version >= SNAPPY_VERSION
                    self._switch_compression()  # what follows may be in the same bytes

    def _switch_compression(self) -> None:
        if self.follow_hello and self._said_hello and self._compresses:
            self.connection.snappy = True

    async def closed(self, *, timeout_s: float = DEADLINE_S) -> None:
        """Read on until the other side closes; what it says is thrown away."""
        async with asyncio.timeout(timeout_s):
            with contextlib.suppress(EOFError, ConnectionError):
                while True:
                    await self._read_more()

    # -- RLPx

    async def encrypt(self, *, timeout_s: float = DEADLINE_S) -> None:
        """The encryption handshake, from either side."""
        async with asyncio.timeout(timeout_s):
            self.write(self.connection.data_to_send())
            while not self.connection.handshake_done:
                await self._read_more()
            self.write(self.connection.data_to_send())

    def send(self, code: int, payload: bytes) -> None:
        """Send a message with its wire code."""
        self.connection.send_message(code, payload)
        self.write(self.connection.data_to_send())

    def frame(self, code: int, payload: bytes) -> bytes:
        """The bytes of a message, to be written (in part, corrupted, later) by the test."""
        self.connection.send_message(code, payload)
        return self.connection.data_to_send()

    async def receive(self, *, timeout_s: float = DEADLINE_S) -> MessageReceived:
        """The next message.

        Raises:
            EOFError, ConnectionError: the other side closed.
        """
        async with asyncio.timeout(timeout_s):
            while not self._messages:
                await self._read_more()
        return self._messages.popleft()

    # -- the base protocol

    def send_hello(
        self,
        key: PrivateKey,
        caps: Sequence[Capability] = (),
        *,
        version: int = BASE_VERSION,
        name: str = "raw",
    ) -> None:
        hello = Hello(version=version, name=name, caps=list(caps), id=key.public.raw)
        self._send_hello(hello.encode(), version)

    def send_hello_as(self, identity: bytes, caps: Sequence[Capability] = ()) -> None:
        """A Hello with an id of any length."""
        items = [[cap.name.encode(), bytes([cap.version])] for cap in caps]
        self._send_hello(encode([bytes([BASE_VERSION]), b"raw", items, b"", identity]), BASE_VERSION)

    def _send_hello(self, payload: bytes, version: int) -> None:
        self.send(BaseCode.HELLO, payload)
        self._said_hello = version >= SNAPPY_VERSION
        self._switch_compression()

    async def receive_hello(self) -> Hello:
        message = await self.receive()
        assert message.code == BaseCode.HELLO, message
        return read_hello(message.payload)

    async def farewell(self, *, timeout_s: float = DEADLINE_S) -> int | None:
        """The reason of the Disconnect that comes before the end, or CLOSED if the connection just ends."""
        reason = CLOSED
        async with asyncio.timeout(timeout_s):
            with contextlib.suppress(EOFError, ConnectionError):
                while True:
                    message = await self.receive(timeout_s=timeout_s)
                    if message.code == BaseCode.DISCONNECT:
                        assert reason is CLOSED, "two Disconnects"
                        reason = decode_disconnect(message.payload)
        return reason

    async def aclose(self) -> None:
        self.writer.transport.abort()
        with contextlib.suppress(OSError):
            await self.writer.wait_closed()


@contextlib.asynccontextmanager
async def tcp_peer(node: Node, key: PrivateKey, *, handshake: Initiator | None = None) -> AsyncIterator[RawPeer]:
    """A TCP connection to `node`, nothing sent yet."""
    reader, writer = await asyncio.open_connection(str(node.ip), node.tcp)
    peer = RawPeer(reader, writer, Connection(key, node.key, handshake=handshake))
    try:
        yield peer
    finally:
        await peer.aclose()


@contextlib.asynccontextmanager
async def encrypted_peer(node: Node, key: PrivateKey, *, handshake: Initiator | None = None) -> AsyncIterator[RawPeer]:
    """Connected to `node`, encryption handshake done, Hello not sent."""
    async with tcp_peer(node, key, handshake=handshake) as peer:
        await peer.encrypt()
        yield peer


@contextlib.asynccontextmanager
async def live_peer(
    node: Node, key: PrivateKey, caps: Sequence[Capability] = (), *, version: int = BASE_VERSION
) -> AsyncIterator[RawPeer]:
    """Connected to `node`, both Hellos exchanged."""
    async with encrypted_peer(node, key) as peer:
        peer.send_hello(key, caps, version=version)
        await peer.receive_hello()
        yield peer


class RawListener:
    """Waits to be dialed; hands out each connection as a :class:`RawPeer`."""

    def __init__(self, key: PrivateKey) -> None:
        self.key = key
        self.node: Node
        self._accepted: asyncio.Queue[RawPeer] = asyncio.Queue()
        self._peers: list[RawPeer] = []

    async def accept(self, *, timeout_s: float = DEADLINE_S) -> RawPeer:
        async with asyncio.timeout(timeout_s):
            return await self._accepted.get()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        peer = RawPeer(reader, writer, Connection(self.key))
        self._peers.append(peer)
        self._accepted.put_nowait(peer)

    async def close_all(self) -> None:
        for peer in self._peers:
            await peer.aclose()


@contextlib.asynccontextmanager
async def raw_listener(key: PrivateKey) -> AsyncIterator[RawListener]:
    """A listener on 127.0.0.1 that speaks RLPx as `key`."""
    listener = RawListener(key)
    server = await asyncio.start_server(listener._connected, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    listener.node = Node(key.public, parse_ip("127.0.0.1"), port, 0)
    try:
        yield listener
    finally:
        server.close()
        await listener.close_all()
        await server.wait_closed()
