"""Whole nodes in this process: the overlay and pss on a service node, and a scripted peer for them."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from node.app import make_pss_node
from node.crypto.secp256k1 import PrivateKey
from node.devp2p.messages import BASE_LENGTH, BaseCode, Capability, decode_disconnect
from node.enode import Node
from node.events import Kind
from node.p2p.server import ServerConfig
from node.pss.handlers import Delivery
from node.pss.service import PssService
from node.service.endpoints import EndpointConfig
from node.service.stack import NodeConfig, ServiceNode
from node.swarm.address import BzzAddr
from node.swarm.capability import FULL_CAPABILITIES, Capabilities
from node.swarm.messages import HandshakeMsg, HiveMessage, PeersMsg, decode_bzz, decode_hive, encode_message
from node.swarm.service import OverlayService
from tests.support.keys import make_key
from tests.support.peers import RawPeer, live_peer
from tests.support.waiting import DEADLINE_S, Recorder, recording, until

NETWORK_ID = 4
BZZ, HIVE, PSS = Capability("bzz", 14), Capability("hive", 11), Capability("pss", 2)
OVERLAY_CAPS = [BZZ, HIVE, PSS]
BZZ_CODE, HIVE_CODE, PSS_CODE = BASE_LENGTH, BASE_LENGTH + 1, BASE_LENGTH + 3
"""Where the protocols begin when a peer offers all three."""


def bzz_key(number: int) -> PrivateKey:
    """The overlay key of node `number`; its node key is ``make_key(number)``."""
    return make_key(1000 + number)


@dataclass
class LabNode:
    """A running node and what happened in it."""

    node: ServiceNode
    key: PrivateKey
    """The bzz key."""
    events: Recorder
    inbox: list[Delivery] = field(default_factory=list)

    @property
    def overlay(self) -> OverlayService:
        return self.node.service(OverlayService)

    @property
    def pss(self) -> PssService:
        return self.node.service(PssService)

    @property
    def enode(self) -> Node:
        return self.node.server.node

    @property
    def address(self) -> bytes:
        return self.overlay.overlay

    def listen(self, topic: Any, **options: bool) -> Any:
        """Collect what comes on a topic in `inbox`."""
        return self.pss.subscribe(topic, self.inbox.append, **options)

    def knows(self, other: LabNode) -> bool:
        """Whether a node is among the live peers of the table."""
        return self.overlay.kademlia.get_conn(other.address) is not None


@contextlib.asynccontextmanager
async def lab_node(
    number: int,
    *,
    key: PrivateKey | None = None,
    auto_connect: bool = False,
    resume: bool = True,
    light: bool = False,
    network_id: int = NETWORK_ID,
    bootnodes: Sequence[Node] = (),
    data_dir: Path | None = None,
    ipc_path: str = "",
    http: EndpointConfig | None = None,
    ws: EndpointConfig | None = None,
    services: Sequence[Any] = (),
    **p2p: Any,
) -> AsyncIterator[LabNode]:
    """A node on a free port of 127.0.0.1; the same number gives the same keys, but for a bzz `key` that is given. `p2p`
    goes to ServerConfig."""
    config = NodeConfig(
        name="pss",
        client_name=f"node-{number}",
        data_dir=data_dir,
        ipc_path=ipc_path,
        http=http,
        ws=ws,
        p2p=ServerConfig(private_key=make_key(number), listen_addr="127.0.0.1:0", **p2p),
    )
    own_key = key or bzz_key(number)
    node = make_pss_node(
        config,
        bzz_key=own_key,
        network_id=network_id,
        light=light,
        auto_connect=auto_connect,
        resume=resume,
        bootnodes=bootnodes,
    )
    for constructor in services:
        node.register(constructor)
    with recording(node.events) as events:
        async with node:
            yield LabNode(node, own_key, events)


async def connect(a: LabNode, b: LabNode) -> None:
    """Connect two nodes and wait until each is in the table of the other and pss runs between them."""
    a.node.server.add_peer(b.enode)
    await until(lambda: a.knows(b) and b.knows(a))
    await until(lambda: all(len(one.pss._pipes) == one.node.server.peer_count for one in (a, b)))


@contextlib.asynccontextmanager
async def line(*numbers: int, **options: Any) -> AsyncIterator[list[LabNode]]:
    """Nodes connected in a row, auto-connect off."""
    async with contextlib.AsyncExitStack() as stack:
        nodes = [await stack.enter_async_context(lab_node(number, **options)) for number in numbers]
        for left, right in itertools.pairwise(nodes):
            await connect(left, right)
        yield nodes


# -- a scripted peer


def record_of(number: int, *, capabilities: Capabilities = FULL_CAPABILITIES) -> BzzAddr:
    """The address record of node `number`, which nobody needs to run."""
    url = f"enode://{make_key(number).public.raw.hex()}@127.0.0.1:1"
    return BzzAddr.of(bzz_key(number).public.overlay, url, capabilities)


def handshake_of(
    number: int,
    *,
    network_id: int = NETWORK_ID,
    version: int = 14,
    capabilities: Capabilities = FULL_CAPABILITIES,
) -> bytes:
    """The payload of a bzz handshake."""
    address = record_of(number, capabilities=capabilities)
    return encode_message(HandshakeMsg(version=version, network_id=network_id, address=address))[1]


@contextlib.asynccontextmanager
async def overlay_peer(node: LabNode, number: int, caps: Sequence[Capability] = OVERLAY_CAPS) -> AsyncIterator[RawPeer]:
    """A scripted peer that said Hello and nothing else."""
    async with live_peer(node.enode, make_key(number), caps) as peer:
        yield peer


async def greet(peer: RawPeer, number: int, **handshake: Any) -> HandshakeMsg:
    """Exchange bzz handshakes; what the node said."""
    peer.send(BZZ_CODE, handshake_of(number, **handshake))
    return await receive_handshake(peer)


async def receive_handshake(peer: RawPeer) -> HandshakeMsg:
    message = await peer.receive()
    assert message.code == BZZ_CODE, message
    return decode_bzz(0, message.payload)


async def receive_hive(peer: RawPeer) -> HiveMessage:
    """The next message, which must be one of hive."""
    message = await peer.receive()
    assert message.code in (HIVE_CODE, HIVE_CODE + 1), message
    return decode_hive(message.code - HIVE_CODE, message.payload)


@contextlib.asynccontextmanager
async def greeted_peer(node: LabNode, number: int) -> AsyncIterator[RawPeer]:
    """A scripted peer that is in the node's table, with the first hive message read."""
    async with overlay_peer(node, number) as peer:
        await greet(peer, number)
        await receive_hive(peer)
        await until(lambda: node.overlay.kademlia.get_conn(bzz_key(number).public.overlay))
        yield peer


async def told_why(peer: RawPeer, *, timeout_s: float = DEADLINE_S) -> int:
    """The reason in the Disconnect that comes; unlike ``farewell`` without waiting for the socket to close."""
    async with asyncio.timeout(timeout_s):
        while True:
            message = await peer.receive()
            if message.code == BaseCode.DISCONNECT:
                return decode_disconnect(message.payload)


async def still_welcomes(node: LabNode, number: int = 99) -> None:
    """A new peer comes and is taken into the table."""
    async with greeted_peer(node, number):
        pass
    await node.events.wait(Kind.KAD_OFF, count=1)


def told_of(message: HiveMessage) -> list[bytes]:
    """The overlay addresses in a peersMsg."""
    assert isinstance(message, PeersMsg), message
    return [record.overlay for record in message.peers]
