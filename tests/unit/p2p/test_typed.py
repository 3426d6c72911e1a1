"""node.p2p.typed: declared messages on a pipe (spec 02 section 10.3)."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from node.devp2p.messages import Capability
from node.devp2p.protocol import ProtocolSpec
from node.disconnect import DisconnectReason
from node.errors import (
    HandshakeTimeout,
    LocalProtocolError,
    MalformedMessage,
    MessageTooBig,
    PeerDisconnected,
    RemoteProtocolError,
)
from node.ids import NODE_ID_BYTES, NodeId
from node.p2p.inbox import Handler, Inbox, Message
from node.p2p.typed import TypedPeer, typed_protocol


@dataclass
class Hello:
    network: int


@dataclass
class Word:
    text: str


@dataclass
class Undeclared:
    text: str


SPEC = ProtocolSpec(name="talk", version=3, messages=(Hello, Word), max_message_bytes=20)
HELLO_7 = (0, b"\xc1\x07")


@dataclass
class FakePipe:
    """What is sent is kept; what is received is put into the inbox."""

    inbox: Inbox = field(default_factory=Inbox)
    sent: list[tuple[int, bytes]] = field(default_factory=list)
    congested: bool = False
    closed: bool = False

    async def read(self) -> Message:
        return await self.inbox.read()

    async def serve(self, handler: Handler) -> None:
        await self.inbox.serve(handler)

    def send_nowait(self, code: int, payload: bytes) -> None:
        self.sent.append((code, payload))

    async def send(self, code: int, payload: bytes) -> None:
        self.send_nowait(code, payload)

    def receive(self, message: object) -> None:
        self.inbox.put(Message(*SPEC.encode(message)))

    def end(self) -> None:
        self.inbox.end(PeerDisconnected("over"), drop=False)


@dataclass
class FakePeer:
    inbound: bool = False
    name: str = "fake"
    id: NodeId = field(default_factory=lambda: NodeId(bytes(NODE_ID_BYTES)))
    caps: list[Capability] = field(default_factory=list)
    dropped: list[DisconnectReason] = field(default_factory=list)

    def disconnect(self, reason: DisconnectReason = DisconnectReason.REQUESTED) -> None:
        self.dropped.append(reason)

    def __str__(self) -> str:
        return "fake peer"


@pytest.fixture
def pipe() -> FakePipe:
    return FakePipe()


@pytest.fixture
def peer(pipe: FakePipe) -> TypedPeer:
    return TypedPeer(FakePeer(), pipe, SPEC)


async def test_sending(peer: TypedPeer, pipe: FakePipe) -> None:
    await peer.send(Hello(network=7))
    peer.send_nowait(Word(text="hi"))
    assert pipe.sent == [HELLO_7, (1, b"\xc3\x82hi")]
    with pytest.raises(LocalProtocolError, match="talk: invalid message type Undeclared"):
        await peer.send(Undeclared(text="hi"))
    assert len(pipe.sent) == 2, "nothing of it was sent"


async def test_receiving_until_the_session_is_over(peer: TypedPeer, pipe: FakePipe) -> None:
    for message in (Hello(network=1), Word(text="a")):
        pipe.receive(message)
    pipe.end()
    assert [message async for message in peer] == [Hello(network=1), Word(text="a")]
    with pytest.raises(PeerDisconnected, match="over"):
        await peer.receive()


@pytest.mark.parametrize(
    ("code", "payload", "error", "text"),
    [
        (0, bytes(21), MessageTooBig, "talk message too big: 21 > 20 bytes"),
        (2, b"\xc0", MalformedMessage, "talk: invalid message code: 2"),
        (0, b"\xc0", MalformedMessage, "talk: invalid message #0 .*expected 1 elements, got 0"),
        (0, b"\xc1\x07\x00", MalformedMessage, "talk: invalid message #0"),
    ],
)
async def test_what_does_not_decode_ends_the_run(
    peer: TypedPeer, pipe: FakePipe, code: int, payload: bytes, error: type[RemoteProtocolError], text: str
) -> None:
    pipe.inbox.put(Message(code, payload))
    with pytest.raises(error, match=text) as caught:
        await peer.run(lambda message: None)
    assert caught.value.reason is DisconnectReason.SUBPROTOCOL_ERROR


async def test_handlers_plain_and_async_in_order(peer: TypedPeer, pipe: FakePipe) -> None:
    heard: list[Any] = []

    async def slowly(message: Any) -> None:
        await asyncio.sleep(0)
        heard.append(message)

    for handler in (heard.append, slowly):
        pipe.inbox = Inbox()
        for number in range(3):
            pipe.receive(Hello(network=number))
        pipe.end()
        await peer.run(handler)
    assert [message.network for message in heard] == [0, 1, 2] * 2


async def test_a_handler_that_fails_is_logged_and_the_session_goes_on(
    peer: TypedPeer, pipe: FakePipe, caplog: pytest.LogCaptureFixture
) -> None:
    heard: list[str] = []

    def handle(message: Word) -> None:
        if message.text == "bad":
            raise ZeroDivisionError("by design")
        heard.append(message.text)

    for text in ("one", "bad", "two"):
        pipe.receive(Word(text=text))
    pipe.end()
    with caplog.at_level(logging.ERROR):
        await peer.run(handle)
    assert heard == ["one", "two"]
    assert "the handler of Word failed" in caplog.text
    assert "by design" in caplog.text


@pytest.mark.parametrize(
    "error", [PeerDisconnected("somebody else has left"), LocalProtocolError("our own mistake"), KeyError("a bug")]
)
async def test_only_what_is_about_this_peer_ends_the_session(peer: TypedPeer, pipe: FakePipe, error: Exception) -> None:
    heard: list[str] = []

    def handle(message: Word) -> None:
        heard.append(message.text)
        raise error

    for text in ("one", "two"):
        pipe.receive(Word(text=text))
    pipe.end()
    await peer.run(handle)
    assert heard == ["one", "two"]


async def test_a_handler_can_refuse_the_peer(peer: TypedPeer, pipe: FakePipe) -> None:
    def handle(message: Word) -> None:
        raise RemoteProtocolError("we do not say that here")

    pipe.receive(Word(text="x"))
    with pytest.raises(RemoteProtocolError, match="we do not say that") as caught:
        await peer.run(handle)
    assert caught.value.reason is DisconnectReason.SUBPROTOCOL_ERROR


@contextlib.asynccontextmanager
async def handshaking(*, inbound: bool, **options: Any) -> AsyncIterator[tuple[FakePipe, asyncio.Task[Any]]]:
    pipe = FakePipe()
    peer = TypedPeer(FakePeer(inbound=inbound), pipe, SPEC)
    task = asyncio.create_task(peer.handshake(Hello(network=7), **options))
    await asyncio.sleep(0)
    yield pipe, task
    assert task.done()


async def test_the_dialer_speaks_first() -> None:
    async with handshaking(inbound=False) as (pipe, task):
        assert pipe.sent == [HELLO_7]
        pipe.receive(Hello(network=8))
        assert await task == Hello(network=8)
        assert len(pipe.sent) == 1
    async with handshaking(inbound=True) as (pipe, task):
        assert pipe.sent == []
        pipe.receive(Hello(network=8))
        assert await task == Hello(network=8)
        assert pipe.sent == [HELLO_7]


async def test_who_was_dialed_refuses_before_speaking() -> None:
    def verify(theirs: Hello) -> None:
        if theirs.network != 7:
            raise RemoteProtocolError(f"network mismatch: 7 and {theirs.network}")

    async with handshaking(inbound=True, verify=verify) as (pipe, task):
        pipe.receive(Hello(network=8))
        with pytest.raises(RemoteProtocolError, match="7 and 8") as caught:
            await task
        assert caught.value.reason is DisconnectReason.SUBPROTOCOL_ERROR
        assert pipe.sent == []


async def test_a_handshake_that_cannot_succeed() -> None:
    async with handshaking(inbound=True, timeout_s=0.01) as (_, task):
        with pytest.raises(HandshakeTimeout, match=r"talk: no handshake within 0\.01 s"):
            await task
    async with handshaking(inbound=True) as (pipe, task):
        pipe.end()
        with pytest.raises(PeerDisconnected):
            await task
    peer = TypedPeer(FakePeer(), FakePipe(), SPEC)
    with pytest.raises(LocalProtocolError, match="invalid message type Undeclared"):
        await peer.handshake(Undeclared(text=""))


async def test_the_protocol_made_of_it() -> None:
    ran: list[TypedPeer] = []

    async def run(peer: TypedPeer) -> None:
        ran.append(peer)

    protocol = typed_protocol(SPEC, run, node_info=lambda: 5)
    assert (protocol.name, protocol.version, protocol.length, protocol.max_message_bytes) == ("talk", 3, 2, 20)
    assert protocol.node_info is not None
    assert protocol.node_info() == 5
    remote = FakePeer()
    await protocol.run(remote, FakePipe())  # type: ignore[arg-type]
    assert (ran[0].name, ran[0].id, str(ran[0])) == ("fake", remote.id, "fake peer")
    ran[0].drop()
    assert remote.dropped == [DisconnectReason.SUBPROTOCOL_ERROR]
    assert typed_protocol(SPEC, run, length=9).length == 9
    with pytest.raises(LocalProtocolError, match="2 messages do not fit into 1 codes"):
        typed_protocol(SPEC, run, length=1)
