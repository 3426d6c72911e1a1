"""Pings and the Pongs that answer them, one for one (spec 02 section 4)."""

from __future__ import annotations

import asyncio

import pytest

from node.devp2p.messages import EMPTY_LIST, BaseCode
from node.errors import PeerDisconnected
from node.p2p.link import Link
from node.p2p.server import Server
from node.p2p.shaper import Conditions
from tests.support.keys import make_key
from tests.support.peers import RawPeer, live_peer
from tests.support.servers import ECHO_CAPS, round_trip
from tests.support.waiting import until

KEY = make_key(50)


async def link_of(server: Server) -> Link:
    await until(lambda: server.peers)
    return server.peers[0].link


async def ping(peer: RawPeer) -> None:
    assert (await peer.receive()).code == BaseCode.PING


def pong(peer: RawPeer) -> None:
    peer.send(BaseCode.PONG, EMPTY_LIST)


async def heard(peer: RawPeer) -> None:
    """Return when the server has read everything that was sent before."""
    await round_trip(peer)


async def timed_out(link: Link) -> None:
    """Ask, and give up before there is an answer."""
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await link.measure()


async def test_a_late_answer_is_not_one_to_the_next_question(server: Server) -> None:
    async with live_peer(server.node, KEY, ECHO_CAPS) as peer:
        link = await link_of(server)
        await timed_out(link)
        await ping(peer)
        second = asyncio.create_task(link.measure())
        await ping(peer)
        pong(peer)
        await heard(peer)
        assert not second.done()
        pong(peer)
        assert await second > 0
        assert link._round_trips.waiting == {}


async def test_a_late_answer_on_a_slow_link_does_not_shorten_the_next_measurement(server: Server) -> None:
    async with live_peer(server.node, KEY, ECHO_CAPS) as peer:
        link = await link_of(server)
        answering = asyncio.create_task(answer(peer))
        server.shaping.set({KEY.public.node_id: Conditions(delay_s=0.3)}, seed=1)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await link.measure()
        assert await link.measure() >= 0.3
        answering.cancel()


async def answer(peer: RawPeer) -> None:
    while True:
        await ping(peer)
        pong(peer)


async def test_questions_at_the_same_time_have_their_own_answers(server: Server) -> None:
    async with live_peer(server.node, KEY, ECHO_CAPS) as peer:
        link = await link_of(server)
        first, second = asyncio.create_task(link.measure()), asyncio.create_task(link.measure())
        await ping(peer)
        await ping(peer)
        pong(peer)
        await first
        await heard(peer)
        assert not second.done()
        pong(peer)
        assert await second >= first.result()


async def test_the_answer_to_a_keep_alive_is_none_to_a_question(server: Server) -> None:
    async with live_peer(server.node, KEY, ECHO_CAPS) as peer:
        link = await link_of(server)
        keep_alive(link)
        asked = asyncio.create_task(link.measure())
        await ping(peer)
        await ping(peer)
        pong(peer)
        await heard(peer)
        assert not asked.done()
        keep_alive(link)
        await ping(peer)
        pong(peer)
        await asked


def keep_alive(link: Link) -> None:
    """Have the Ping sent that is due every 15 s."""
    link.session._next_ping = asyncio.get_running_loop().time()
    link._on_deadline()


async def test_a_pong_that_nobody_asked_for_answers_nothing(server: Server) -> None:
    async with live_peer(server.node, KEY, ECHO_CAPS) as peer:
        link = await link_of(server)
        for _ in range(3):
            pong(peer)
        await heard(peer)
        asked = asyncio.create_task(link.measure())
        await ping(peer)
        await heard(peer)
        assert not asked.done()
        pong(peer)
        await asked


async def test_questions_without_answers_leave_nothing_behind(server: Server) -> None:
    async with live_peer(server.node, KEY, ECHO_CAPS) as peer:
        link = await link_of(server)
        for _ in range(20):
            await timed_out(link)
        assert link._round_trips.waiting == {}
        for _ in range(20):
            await ping(peer)


async def test_the_end_of_the_connection_is_the_answer(server: Server) -> None:
    async with live_peer(server.node, KEY, ECHO_CAPS) as peer:
        link = await link_of(server)
        asked = asyncio.create_task(link.measure())
        await ping(peer)
    with pytest.raises(PeerDisconnected, match="the connection ended"):
        await asked
    await link.ended
    with pytest.raises(PeerDisconnected, match="the connection ended"):
        async with asyncio.timeout(5):
            await link.measure()
    assert link._round_trips.waiting == {}
