"""How a client writes: which calls, in which order, and what becomes of failures (spec 07 section C1)."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import pytest

from node.errors import LabError, OutboxFull, PeerDisconnected, RPCError
from node.p2p.protocol import Pipe, Protocol, RemotePeer
from node.pss import client_pipe as module
from node.pss.client_pipe import ClientPipe, NoHandshakeKey
from node.pss.topic import topic_from_text
from node.rpc.subscriber import RPCConnectionLost
from tests.support.waiting import until

WIRE = "0xc6800282c12ac0"
FOO = "0x2c26b46b"


async def nothing(peer: RemotePeer, pipe: Pipe) -> None:
    pass


class FakeRPC:
    """A node with keys that are good for some messages."""

    def __init__(self, **keys: int) -> None:
        self.keys = keys
        self.calls: list[tuple[str, *tuple[object, ...]]] = []
        self.new_keys: dict[str, int] | RPCError = RPCError(-32000, "timeout")
        self.send_error: LabError | None = None
        self.gate = asyncio.Event()
        self.gate.set()

    async def call(self, method: str, *params: object) -> Any:
        self.calls.append((method.removeprefix("pss_"), *params))
        await self.gate.wait()
        match method, params:
            case "pss_getHandshakeKeys", ("peer", topic, False, True):
                assert topic == FOO
                return [key for key, left in self.keys.items() if left] or None
            case "pss_getHandshakeKeyCapacity", (str(key),):
                return self.keys[key]
            case "pss_sendSym", (str(key), _, _):
                if self.send_error is not None:
                    raise self.send_error
                self.keys[key] -= 1
                return None
            case "pss_handshake", _:
                if isinstance(self.new_keys, RPCError):
                    raise self.new_keys
                self.keys.update(self.new_keys)
                return list(self.new_keys)
        raise AssertionError(method)

    def named(self, method: str) -> list[tuple[object, ...]]:
        return [tuple(params) for name, *params in self.calls if name == method]


@contextlib.asynccontextmanager
async def writing(rpc: FakeRPC) -> AsyncIterator[ClientPipe]:
    protocol = Protocol(name="test", version=1, length=1, run=nothing)
    pipe = ClientPipe(protocol, rpc, topic_from_text("foo"), "peer")  # type: ignore[arg-type]
    task = asyncio.create_task(pipe.write_waiting())
    try:
        yield pipe
    finally:
        pipe.end(PeerDisconnected("over"))
        await task


async def send(pipe: ClientPipe) -> None:
    async with asyncio.timeout(5):
        await pipe.send(0, b"\xc1\x2a")


async def test_a_write() -> None:
    rpc = FakeRPC(a=2, b=256)
    async with writing(rpc) as pipe:
        await send(pipe)
    assert rpc.calls == [
        ("getHandshakeKeys", "peer", FOO, False, True),
        ("getHandshakeKeyCapacity", "a"),
        ("sendSym", "a", FOO, WIRE),
    ]


@pytest.mark.parametrize(("keys", "sync"), [({"a": 1, "b": 256}, False), ({"a": 1}, True)])
async def test_the_last_use_of_a_key_asks_for_others(keys: dict[str, int], sync: bool) -> None:
    rpc = FakeRPC(**keys)
    rpc.new_keys = {"c": 256}
    async with writing(rpc) as pipe:
        await send(pipe)
        await send(pipe)
    assert rpc.named("handshake") == [("peer", FOO, sync, False)]
    assert [key for key, *_ in rpc.named("sendSym")] == ["a", "b" if "b" in keys else "c"]


async def test_failing_to_get_others_does_no_harm() -> None:
    rpc = FakeRPC(a=1, b=256)
    rpc.new_keys = RPCError(-32000, "Incoming symmetric key store is already full")
    async with writing(rpc) as pipe:
        await send(pipe)
        await send(pipe)
    assert len(rpc.named("sendSym")) == 2


async def test_without_keys() -> None:
    rpc = FakeRPC()
    async with writing(rpc) as pipe:
        with pytest.raises(NoHandshakeKey, match="no key, handshake needed: timeout"):
            await send(pipe)
        rpc.new_keys = {}
        with pytest.raises(NoHandshakeKey, match="no key, handshake needed"):
            await send(pipe)
        rpc.new_keys = {"a": 256}
        await send(pipe)
    assert rpc.named("handshake") == [("peer", FOO, True, False)] * 3
    assert len(rpc.named("sendSym")) == 1


async def test_a_message_sent_with_a_key_another_client_used_up_is_sent() -> None:
    rpc = FakeRPC(a=2)
    rpc.send_error = RPCError(-32000, "symetric key expired (id: a)")
    async with writing(rpc) as pipe:
        await send(pipe)
        rpc.send_error = RPCError(-32000, "address too long")
        with pytest.raises(RPCError, match="address too long"):
            await send(pipe)
        assert not pipe.closed


async def test_a_failure_nobody_waits_for_ends_the_pipe() -> None:
    rpc = FakeRPC(a=2)
    rpc.send_error = RPCConnectionLost("connection lost")
    async with writing(rpc) as pipe:
        pipe.send_nowait(0, b"")
        with pytest.raises(PeerDisconnected, match="connection lost"):
            await pipe.read()


async def test_messages_go_one_by_one_in_their_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_WAITING", 70)
    rpc = FakeRPC(a=256)
    rpc.gate.clear()
    async with writing(rpc) as pipe:
        for number in range(70):
            assert pipe.congested == (number >= module.CONGESTED_WAITING)
            pipe.send_nowait(0, bytes([number]))
        with pytest.raises(OutboxFull, match="70 messages wait"):
            pipe.send_nowait(0, b"")
        rpc.gate.set()
        await until(lambda: not pipe.congested)
        await send(pipe)
    sent = [wire for _, _, wire in rpc.named("sendSym")]
    assert sent[:2] == ["0xc4800100c0", "0xc4800101c0"]
    assert len(sent) == 71
    assert sent[-1] == WIRE


async def test_the_end_reaches_those_who_wait() -> None:
    rpc = FakeRPC(a=256)
    rpc.gate.clear()
    async with writing(rpc) as pipe:
        waiting = [asyncio.create_task(pipe.send(0, b"")) for _ in range(3)]
        await until(lambda: rpc.calls)
        pipe.end(PeerDisconnected("over"))
        for task in waiting[1:]:
            with pytest.raises(PeerDisconnected, match="connection closed"):
                await task
        rpc.gate.set()
        await waiting[0]
        with pytest.raises(PeerDisconnected, match="connection closed"):
            await send(pipe)
