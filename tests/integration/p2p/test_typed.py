"""A declared protocol on real connections: handshake, messages, refusal (spec 02 section 10)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

from node.devp2p.protocol import ProtocolSpec
from node.errors import RemoteProtocolError
from node.events import Kind, NodeEvent
from node.p2p.protocol import Protocol
from node.p2p.typed import TypedPeer, typed_protocol
from tests.integration.p2p.conftest import Start
from tests.support.waiting import until


@dataclass
class Status:
    network: int


@dataclass
class Count:
    number: int


SPEC = ProtocolSpec(name="count", version=1, messages=(Status, Count))


@dataclass
class Counter:
    """Agrees on a network, then answers each number with the next one, up to ten."""

    network: int = 1
    starts: bool = False
    agreed: list[int] = field(default_factory=list)
    heard: list[int] = field(default_factory=list)

    @property
    def protocol(self) -> Protocol:
        return typed_protocol(SPEC, self.run)

    async def run(self, peer: TypedPeer) -> None:
        theirs = await peer.handshake(Status(network=self.network), self.verify)
        self.agreed.append(theirs.network)
        if self.starts:
            await peer.send(Count(number=0))

        async def count(message: Count) -> None:
            self.heard.append(message.number)
            if message.number < 10:
                await peer.send(Count(number=message.number + 1))

        await peer.run(count)

    def verify(self, theirs: Status) -> None:
        if theirs.network != self.network:
            raise RemoteProtocolError(f"network {theirs.network}, not {self.network}")


async def test_two_sides_count_to_ten(start: Start) -> None:
    left, right = Counter(starts=True), Counter()
    a, b = await start(1, left.protocol), await start(2, right.protocol)
    a.add_peer(b.node)
    await until(lambda: len(left.heard) == 5 and len(right.heard) == 6)
    assert (left.heard, right.heard) == ([1, 3, 5, 7, 9], [0, 2, 4, 6, 8, 10])


async def test_a_refused_handshake_ends_the_connection_on_both_sides(start: Start) -> None:
    left, right = Counter(network=1), Counter(network=2)
    a, b = await start(1, left.protocol), await start(2, right.protocol)
    dropped: asyncio.Queue[tuple[str, str]] = asyncio.Queue()

    def listen(name: str) -> Callable[[NodeEvent], None]:
        return lambda event: dropped.put_nowait((name, event.reason)) if event.kind is Kind.DROP else None

    with a.events.listening(listen("a")), b.events.listening(listen("b")):
        a.add_peer(b.node)
        async with asyncio.timeout(5):
            reasons = dict([await dropped.get(), await dropped.get()])
    assert reasons == {"a": "subprotocol error", "b": "network 1, not 2"}
    assert left.agreed == right.agreed == []
