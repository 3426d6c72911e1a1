"""How much of a peer's bytes a server keeps: each protocol's own limit, and what waits to be read."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from node.devp2p.messages import BASE_LENGTH
from node.disconnect import DisconnectReason
from node.p2p.peer import Peer
from node.p2p.protocol import MAX_INBOX_BYTES, MAX_INBOX_MESSAGES, MessagePipe
from tests.integration.p2p.conftest import Start
from tests.support.keys import make_key
from tests.support.peers import live_peer
from tests.support.servers import ECHO_CAPS, PING, make_protocol, still_serves
from tests.support.waiting import until

KEY = make_key(51)
LIMIT = 100_000
BIG = bytes(900_000)
"""Under a message's limit, and a few of them over the inbox's; compressed it is small."""


async def test_a_message_over_its_protocols_limit_is_refused_before_it_is_unpacked(start: Start) -> None:
    server = await start(1, replace(make_protocol(), max_message_bytes=LIMIT))
    async with live_peer(server.node, KEY, ECHO_CAPS) as peer:
        peer.send(BASE_LENGTH + PING, bytes(LIMIT))
        assert len((await peer.receive()).payload) == LIMIT
        peer.send(BASE_LENGTH + PING, bytes(LIMIT + 1))
        assert await peer.farewell() == DisconnectReason.SUBPROTOCOL_ERROR
    await still_serves(server)


@pytest.mark.parametrize("code", [1, 2, 3, 4, 15])
async def test_base_messages_are_short(start: Start, code: int) -> None:
    server = await start(1, make_protocol())
    async with live_peer(server.node, KEY, ECHO_CAPS) as peer:
        peer.send(code, bytes(1_000_000))
        assert await peer.farewell() in (DisconnectReason.SUBPROTOCOL_ERROR, None)
    await still_serves(server)


async def test_what_waits_unread_is_bounded_in_bytes_and_nothing_is_lost(start: Start) -> None:
    """A protocol that does not read: the socket is paused long before a node's memory is full of zeros."""
    go = asyncio.Event()
    got: list[int] = []
    pipes: list[MessagePipe] = []

    async def late(peer: Peer, pipe: MessagePipe) -> None:
        pipes.append(pipe)
        await go.wait()
        while True:
            got.append(len((await pipe.read()).payload))

    server = await start(1, make_protocol(late))
    count = 40
    async with live_peer(server.node, KEY, ECHO_CAPS) as peer:
        for _ in range(count):
            peer.send(BASE_LENGTH + PING, BIG)
        await until(lambda: bool(pipes) and pipes[0].inbox.size_bytes >= MAX_INBOX_BYTES)
        # Whatever else arrives in the meantime must not be unpacked.
        for _ in range(20):
            await asyncio.sleep(0)
        assert pipes[0].inbox.size_bytes < MAX_INBOX_BYTES + len(BIG)
        assert len(pipes[0].inbox) < MAX_INBOX_MESSAGES
        go.set()
        await until(lambda: len(got) == count)
        assert got == [len(BIG)] * count
