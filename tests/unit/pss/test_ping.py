"""The ping protocol (spec 07 part D)."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest

from node.errors import PeerDisconnected
from node.pss.ping import PING_SPEC, Ping, PingMessage
from node.pss.pipe import VirtualPeer, VirtualPipe, run_virtual
from node.pss.protocol_message import decode_protocol_message
from node.pss.topic import protocol_topic

PING, PONG = b"\xc2\xc0\x80", b"\xc2\xc0\x01"


class JoinedPipe(VirtualPipe):
    other: JoinedPipe

    def _send(self, plaintext: bytes) -> None:
        self.other.deliver(decode_protocol_message(plaintext))


@contextlib.asynccontextmanager
async def running(*, responder: bool) -> AsyncIterator[tuple[Ping, JoinedPipe, asyncio.Task[None]]]:
    """A side that runs, and the other end of its pipe."""
    ping = Ping(responder=responder, incoming=asyncio.Queue())
    here, there = JoinedPipe(ping.protocol), JoinedPipe(ping.protocol)
    here.other, there.other = there, here
    task = asyncio.create_task(run_virtual(VirtualPeer("", "", here)))
    yield ping, there, task
    here.end(PeerDisconnected("over"))
    await task


def test_names_and_bytes() -> None:
    assert protocol_topic(PING_SPEC.name, PING_SPEC.version).hex() == "7f64614e"
    assert (Ping(responder=True).protocol.length, PING_SPEC.max_message_bytes) == (1024, 1024)
    assert PING_SPEC.encode(PingMessage(pong=False)) == (0, PING)
    assert PING_SPEC.encode(PingMessage(pong=True)) == (0, PONG)


async def test_a_responder_answers_pings_and_not_pongs() -> None:
    async with running(responder=True) as (ping, other, _):
        assert ping.incoming is not None
        other.send_nowait(0, PONG)
        other.send_nowait(0, PING)
        assert [await ping.incoming.get(), await ping.incoming.get()] == [True, False]
        assert (await other.read()).payload == PONG
        assert not len(other.inbox)


async def test_the_other_side_only_sends_what_it_is_told() -> None:
    async with running(responder=False) as (ping, other, _):
        assert ping.incoming is not None
        other.send_nowait(0, PING)
        assert await ping.incoming.get() is False
        ping.outgoing.put_nowait(True)
        ping.outgoing.put_nowait(False)
        assert [(await other.read()).payload, (await other.read()).payload] == [PONG, PING]


async def test_the_run_ends_with_the_session_or_a_broken_message() -> None:
    async with running(responder=True) as (_, other, task):
        other.other.end(PeerDisconnected("over"))
        await task
    async with running(responder=True) as (_, other, task):
        other.send_nowait(0, b"\xc0")
        await task
        with pytest.raises(PeerDisconnected, match="invalid message #0"):
            await other.other.read()
    async with running(responder=True) as (ping, other, task):
        other.other.end(PeerDisconnected("over"))
        ping.outgoing.put_nowait(True)
        await task


async def test_without_anybody_to_tell() -> None:
    ping = Ping(responder=True)
    here, there = JoinedPipe(ping.protocol), JoinedPipe(ping.protocol)
    here.other, there.other = there, here
    task = asyncio.create_task(run_virtual(VirtualPeer("", "", here)))
    there.send_nowait(0, PING)
    assert (await there.read()).payload == PONG
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
