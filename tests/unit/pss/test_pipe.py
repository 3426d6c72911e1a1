"""The pipe of a protocol over pss: it behaves like that of a connection, where pss allows."""

from __future__ import annotations

import asyncio

import pytest

from node.disconnect import DisconnectReason
from node.errors import LocalProtocolError, MalformedMessage, PeerDisconnected
from node.p2p.inbox import Message
from node.p2p.protocol import Pipe, Protocol, RemotePeer
from node.pss import pipe as module
from node.pss.pipe import VirtualPeer, VirtualPipe, run_virtual
from node.pss.protocol_message import ProtocolMessage


async def nothing(peer: RemotePeer, pipe: Pipe) -> None:
    pass


class ListPipe(VirtualPipe):
    """Keeps what is sent."""

    def __init__(self, protocol: Protocol | None = None) -> None:
        super().__init__(protocol or Protocol(name="test", version=1, length=2, run=nothing))
        self.sent: list[bytes] = []

    def _send(self, plaintext: bytes) -> None:
        self.sent.append(plaintext)


def message(payload: bytes = b"x", *, code: int = 1) -> ProtocolMessage:
    return ProtocolMessage(code=code, size=len(payload), payload=payload)


CLOSED = PeerDisconnected("connection closed", by_remote=False)


async def test_sending() -> None:
    pipe = ListPipe()
    pipe.send_nowait(0, b"\xc1\x2a")
    await pipe.send(1, b"")
    assert [wire.hex() for wire in pipe.sent] == ["c6800282c12ac0", "c4018080c0"]
    assert not pipe.congested
    for code in (-1, 2):
        with pytest.raises(LocalProtocolError, match="invalid message code"):
            await pipe.send(code, b"")


async def test_reading() -> None:
    pipe = ListPipe()
    reading = asyncio.create_task(pipe.read())
    await asyncio.sleep(0)
    pipe.deliver(message(b"a"))
    pipe.deliver(message(b"b", code=0))
    assert await reading == Message(1, b"a")
    assert await pipe.read() == Message(0, b"b")


async def test_serving_takes_what_waits_first() -> None:
    pipe, got = ListPipe(), []
    pipe.deliver(message(b"a"))
    serving = asyncio.create_task(pipe.serve(lambda code, payload: got.append(payload)))
    await asyncio.sleep(0)
    pipe.deliver(message(b"b"))
    assert got == [b"a", b"b"], "without a task in between"
    pipe.end(CLOSED)
    await serving


async def test_a_handler_that_fails_ends_the_serving() -> None:
    pipe = ListPipe()

    def fail(code: int, payload: bytes) -> None:
        raise ZeroDivisionError

    serving = asyncio.create_task(pipe.serve(fail))
    await asyncio.sleep(0)
    pipe.deliver(message())
    pipe.deliver(message())
    with pytest.raises(ZeroDivisionError):
        await serving


async def test_the_end() -> None:
    pipe = ListPipe()
    pipe.deliver(message())
    pipe.end(CLOSED)
    pipe.end(PeerDisconnected("too late", by_remote=False))
    pipe.deliver(message())
    assert pipe.closed
    for failing in (pipe.read(), pipe.send(0, b"")):
        with pytest.raises(PeerDisconnected, match="connection closed"):
            await failing


async def test_what_waits_is_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_INBOX_MESSAGES", 2)
    monkeypatch.setattr(module, "MAX_INBOX_BYTES", 5)
    pipe = ListPipe()
    pipe.deliver(message(b"abc"))
    with pytest.raises(LocalProtocolError, match="test reads too slowly: 1 messages wait"):
        pipe.deliver(message(b"def"))
    pipe.deliver(message(b"de"))
    with pytest.raises(LocalProtocolError):
        pipe.deliver(message(b""))
    await pipe.read()
    await pipe.read()
    pipe.deliver(message(b"fghij"))
    assert (await pipe.read()).payload == b"fghij"


def test_codes_the_protocol_does_not_have() -> None:
    with pytest.raises(MalformedMessage, match="test: invalid message code: 2"):
        ListPipe().deliver(message(code=2))


async def test_the_peer() -> None:
    peer = VirtualPeer("name", "0x04", ListPipe())
    remote: RemotePeer = peer
    assert (remote.id, remote.name, list(remote.caps), remote.inbound) == (bytes(32), "name", [], False)
    peer.disconnect(DisconnectReason.USELESS_PEER)
    with pytest.raises(PeerDisconnected) as caught:
        await peer.pipe.read()
    assert caught.value.reason is DisconnectReason.USELESS_PEER


@pytest.mark.parametrize(
    ("error", "text", "logged"),
    [
        (None, "protocol returned", False),
        (PeerDisconnected("gone"), "gone", False),
        (MalformedMessage("not like that"), "not like that", True),
        (ZeroDivisionError("by design"), "by design", True),
    ],
)
async def test_a_run_that_is_over_closes_the_pipe(
    error: Exception | None, text: str, logged: bool, caplog: pytest.LogCaptureFixture
) -> None:
    async def run(peer: RemotePeer, pipe: Pipe) -> None:
        if error is not None:
            raise error

    peer = VirtualPeer("name", "0x04", ListPipe(Protocol(name="test", version=1, length=1, run=run)))
    await run_virtual(peer)
    with pytest.raises(PeerDisconnected, match=text):
        await peer.pipe.read()
    assert (text in caplog.text) == logged
