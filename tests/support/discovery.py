"""Discovery nodes that exchange datagrams in memory, on a clock that stands still until it is moved."""

from __future__ import annotations

import heapq
import itertools
import random
from collections.abc import Callable
from typing import Any

from node.crypto.secp256k1 import PrivateKey
from node.discv4.core import Discovery, Event
from node.discv4.endpoint import Address
from node.discv4.packet import Packet, Received, decode_packet, encode_packet
from node.enode import Node, parse_ip
from node.enr import make_record
from tests.support.keys import make_key

LATENCY_S = 0.01
EPOCH = 1_700_000_000.0
"""Unix time when the clock of a network stands at 0."""
UDP_PORT = 30303


class SimNode:
    """A node of a simulated network."""

    def __init__(self, number: int, ip: str, **options: Any) -> None:
        self.key = make_key(number)
        self.address = Address(parse_ip(ip), UDP_PORT)
        self.events: list[Event] = []
        record = make_record(self.key, seq=1, ip=self.address.ip, tcp=UDP_PORT, udp=UDP_PORT)
        self.node = record.node
        self.core = Discovery(self.key, record, rng=random.Random(number), unix_offset=EPOCH, **options)

    def knows(self, other: SimNode) -> bool:
        return self.core.table.get(other.node.id) is not None


class Stranger:
    """Somebody with a key and an address who sends what we say and keeps what comes."""

    def __init__(self, network: SimNetwork, number: int, ip: str = "10.9.9.9", port: int = 40404) -> None:
        self.key, self.address, self._network = make_key(number), Address(parse_ip(ip), port), network
        self.node = Node(self.key.public, self.address.ip, port, port)
        self.inbox: list[Received] = []
        network.listeners[self.address] = lambda data: self.inbox.append(decode_packet(data))

    def send(self, packet: Packet | bytes, to: SimNode, *, key: PrivateKey | None = None) -> bytes:
        """Send and let the other answer; returns the hash of the packet."""
        data = packet if isinstance(packet, bytes) else encode_packet(key or self.key, packet)
        self._network.deliver(data, self.address, to.address)
        return data[:32]

    def take(self) -> list[Packet]:
        """What came since the last time."""
        packets = [received.packet for received in self.inbox]
        self.inbox.clear()
        return packets


class SimNetwork:
    """Addresses, datagrams on their way and the time."""

    def __init__(self) -> None:
        self.now = 0.0
        self.nodes: dict[Address, SimNode] = {}
        self.listeners: dict[Address, Callable[[bytes], None]] = {}
        self.lost: Callable[[Address, Address], bool] = lambda source, to: False
        """Decides which datagrams do not arrive."""
        self.sent = 0
        self._on_the_way: list[tuple[float, int, bytes, Address, Address]] = []
        self._order = itertools.count()

    def add(self, number: int, *, ip: str = "", start: bool = True, **options: Any) -> SimNode:
        node = SimNode(number, ip or f"10.0.{number // 256}.{number % 256}", **options)
        self.nodes[node.address] = node
        if start:
            node.core.start(now=self.now)
        return node

    def remove(self, node: SimNode) -> None:
        del self.nodes[node.address]

    def deliver(self, data: bytes, source: Address, to: Address) -> None:
        """Hand over a datagram at once."""
        if to in self.nodes:
            node = self.nodes[to]
            node.events += node.core.receive_datagram(data, source, now=self.now)
            self._collect(node)
        elif to in self.listeners:
            self.listeners[to](data)

    def _collect(self, node: SimNode) -> None:
        for datagram in node.core.data_to_send():
            self.sent += 1
            if not self.lost(node.address, datagram.to):
                at = self.now + LATENCY_S
                heapq.heappush(self._on_the_way, (at, next(self._order), datagram.data, node.address, datagram.to))

    def run(self, seconds: float) -> None:
        """Let time pass."""
        end = self.now + seconds
        while self._step(end):
            pass
        self.now = end

    def run_until(self, condition: Callable[[], object], *, limit_s: float) -> None:
        """Let time pass until something holds.

        Raises:
            TimeoutError: it does not within `limit_s` of the network's time.
        """
        end = self.now + limit_s
        while not condition():
            if not self._step(end):
                raise TimeoutError(f"not within {limit_s} s")

    def _step(self, end: float) -> bool:
        """The next thing that happens before `end`, if any."""
        for node in self.nodes.values():
            self._collect(node)
        deadlines = [(node.core.next_deadline(), node) for node in self.nodes.values()]
        due, node = min(
            ((at, node) for at, node in deadlines if at is not None), key=lambda one: one[0], default=(None, None)
        )
        arrival = self._on_the_way[0][0] if self._on_the_way else None
        if arrival is not None and arrival <= end and (due is None or arrival <= due):
            self.now = max(self.now, arrival)
            _, _, data, source, to = heapq.heappop(self._on_the_way)
            self.deliver(data, source, to)
            return True
        if due is not None and node is not None and due <= end:
            self.now = max(self.now, due)
            node.events += node.core.handle_deadline(now=self.now)
            self._collect(node)
            return True
        return False

    def lookup(self, node: SimNode, target: bytes | None = None, *, limit_s: float = 120.0) -> list[Node]:
        """Have a node search and wait for the end."""
        number = node.core.lookup(target, now=self.now)
        self.run_until(lambda: any(event.number == number for event in node.events), limit_s=limit_s)
        return list(next(event.nodes for event in node.events if event.number == number))
