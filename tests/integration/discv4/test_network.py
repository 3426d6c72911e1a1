"""Discovery on real sockets of 127.0.0.1 (spec 04)."""

from __future__ import annotations

import asyncio
import contextlib
import random
import socket
import time
from collections.abc import AsyncIterator, Sequence

import pytest

from node.crypto.keccak import keccak256
from node.discv4.core import Discovery, Intervals
from node.discv4.endpoint import Endpoint
from node.discv4.packet import (
    EnrRequest,
    EnrResponse,
    FindNode,
    Neighbors,
    Packet,
    Ping,
    Pong,
    Received,
    decode_packet,
    encode_packet,
)
from node.discv4.service import DiscoveryService, bind_udp
from node.enode import Node, parse_ip
from node.enr import make_record
from tests.support.keys import make_key
from tests.support.waiting import until

QUICK = Intervals(revalidate_max_s=0.05)
LOCAL = parse_ip("127.0.0.1")


class Running:
    """A discovery node and who it is."""

    def __init__(self, service: DiscoveryService, node: Node) -> None:
        self.service, self.node = service, node

    def knows(self, other: Running) -> bool:
        return self.service.core.table.get(other.node.id) is not None


@contextlib.asynccontextmanager
async def discovery(number: int, *, bootnodes: Sequence[Node] = (), host: str = "127.0.0.1") -> AsyncIterator[Running]:
    sock = bind_udp(host, 0)
    record = make_record(make_key(number), seq=1, ip=LOCAL, udp=sock.getsockname()[1])
    core = Discovery(make_key(number), record, bootnodes=bootnodes, intervals=QUICK, rng=random.Random(number))
    service = await DiscoveryService.open(sock, core)
    try:
        yield Running(service, record.node)
    finally:
        await service.close()


class Client:
    """A socket that sends packets to a node and reads what comes."""

    def __init__(self, target: Node, number: int = 70) -> None:
        self.key, self._target = make_key(number), target
        self.socket = bind_udp("127.0.0.1", 0)

    def send(self, packet: Packet | bytes) -> bytes:
        data = packet if isinstance(packet, bytes) else encode_packet(self.key, packet)
        self.socket.sendto(data, (str(self._target.ip), self._target.udp))
        return data[:32]

    async def receive(self) -> Received:
        async with asyncio.timeout(5):
            return decode_packet(await asyncio.get_running_loop().sock_recv(self.socket, 2000))

    async def nothing_comes(self) -> None:
        """Told by a PING, whose answer would come behind."""
        digest = self.send(ping())
        received = await self.receive()
        assert isinstance(received.packet, Pong)
        assert received.packet.ping_hash == digest

    async def bond(self) -> None:
        self.send(ping())
        pong, back = await self.receive(), await self.receive()
        assert isinstance(pong.packet, Pong)
        assert isinstance(back.packet, Ping)
        self.send(Pong(to=Endpoint(), ping_hash=back.hash, expiration=soon()))


@pytest.fixture
async def node() -> AsyncIterator[Running]:
    async with discovery(1) as running:
        yield running


@pytest.fixture
def client(node: Running) -> AsyncIterator[Client]:
    client = Client(node.node)
    yield client
    client.socket.close()


def soon() -> int:
    return int(time.time()) + 20


def ping() -> Ping:
    return Ping(sender=Endpoint(), to=Endpoint(), expiration=soon())


async def test_eight_nodes_that_know_one_find_each_other() -> None:
    async with contextlib.AsyncExitStack() as stack:
        first = await stack.enter_async_context(discovery(1))
        others = [await stack.enter_async_context(discovery(n, bootnodes=[first.node])) for n in range(2, 9)]
        nodes = [first, *others]
        async with asyncio.timeout(30):
            while not all(one.knows(other) for one in nodes for other in nodes if one is not other):
                await asyncio.gather(*(one.service.lookup() for one in nodes))
        target = bytes(64)
        found = await others[0].service.lookup(target)
        point = int.from_bytes(keccak256(target), "big")
        expected = sorted(
            (one.node.id for one in nodes if one is not others[0]), key=lambda i: int.from_bytes(i, "big") ^ point
        )
        assert [one.id for one in found] == expected
        assert first.service.core.dropped.keys() <= {"unsolicited", "unbonded"}


async def test_no_neighbors_for_strangers(node: Running, client: Client) -> None:
    """An address in a UDP header is no proof: nothing is sent there that is larger than what came."""
    for _ in range(20):
        client.send(FindNode(target=bytes(64), expiration=soon()))
        client.send(EnrRequest(expiration=soon()))
    await client.nothing_comes()
    assert node.service.core.dropped["unbonded"] == 40


async def test_neighbors_and_records_for_the_bonded(node: Running, client: Client) -> None:
    await client.bond()
    client.send(FindNode(target=bytes(64), expiration=soon()))
    assert isinstance((await client.receive()).packet, Neighbors)
    digest = client.send(EnrRequest(expiration=soon()))
    while not isinstance(answer := (await client.receive()).packet, EnrResponse):
        assert isinstance(answer, Ping)  # it is being checked as well
    assert (answer.request_hash, answer.record.node) == (digest, node.node)


async def test_nonsense_is_counted_and_nothing_else(node: Running, client: Client) -> None:
    for data in (b"", b"x", bytes(98), bytes(1280), bytes(1281), bytes(60000)):
        client.send(data)
    await client.nothing_comes()
    assert node.service.core.dropped == {"malformed": 6}


async def test_all_interfaces_speak_ipv4_too() -> None:
    async with discovery(1, host="") as first, discovery(2, bootnodes=[first.node]) as second:
        await until(lambda: first.knows(second) and second.knows(first))


async def test_a_search_is_cancelled_by_the_end() -> None:
    dead = Node(make_key(9).public, LOCAL, 0, 9)
    async with discovery(1, bootnodes=[dead]) as node:
        search = asyncio.create_task(node.service.lookup())
        await asyncio.sleep(0)
    with pytest.raises(asyncio.CancelledError):
        await search


async def test_an_address_of_the_other_kind_is_no_error(node: Running) -> None:
    node.service.core.table.add_seen(Node(make_key(2).public, parse_ip("fd00::1"), 0, 30303))
    await until(lambda: node.service.unsent)
    await until(lambda: not len(node.service.core.table))


async def test_nothing_is_left_in_the_end() -> None:
    tasks = asyncio.all_tasks()
    async with discovery(1) as first, discovery(2, bootnodes=[first.node]) as second:
        await until(lambda: first.knows(second))
        ports = [first.node.udp, second.node.udp]
    assert asyncio.all_tasks() == tasks
    for port in ports:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.bind(("127.0.0.1", port))
