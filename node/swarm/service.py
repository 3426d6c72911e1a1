"""The overlay as a service: bzz handshakes, hive, dialing whom kademlia suggests (spec 05).

The shell around :mod:`node.swarm.handshake` and :mod:`node.swarm.hive`: it owns tasks, timers and connections.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from datetime import UTC, datetime

from node.crypto.secp256k1 import PublicKey
from node.disconnect import DisconnectReason
from node.enode import InvalidEnode, Node, parse_enode
from node.errors import DialFailed, HandshakeTimeout, PeerDisconnected
from node.events import Kind
from node.ids import NodeId
from node.p2p.peer import Peer
from node.p2p.protocol import MessagePipe, Protocol
from node.p2p.server import Server
from node.service.service import API, Service, ServiceContext
from node.statefile import StateFile
from node.swarm import handshake as bzz_handshake
from node.swarm.address import MAX_CAPABILITIES_BYTES, BzzAddr
from node.swarm.api import BzzAPI, HiveAPI
from node.swarm.capability import FULL_CAPABILITIES, LIGHT_CAPABILITIES, Capabilities, Capability
from node.swarm.handshake import BzzHandshake
from node.swarm.hive import TICK_INTERVAL_S, HiveCore, Outgoing
from node.swarm.kademlia import ConnChange, Kademlia
from node.swarm.messages import (
    BZZ_MESSAGES,
    BZZ_NAME,
    BZZ_VERSION,
    HIVE_MESSAGES,
    HIVE_NAME,
    HIVE_VERSION,
    PeersMsg,
    decode_hive,
    encode_message,
)
from node.swarm.persisted import from_document, remember, to_document
from node.swarm.table_text import format_table
from node.tasks import TaskOwner

log = logging.getLogger(__name__)

MAX_WIRE_BYTES = 1024 * 1024
"""Payload of a bzz or hive message that we take; ours. The reference takes ten times as much, which fifty peers could
fill a small node's memory with; a handshake has 230 bytes, and this is room for 4,000 address records."""

STEADY_S = 3.0
"""A connection that lasted shorter may have been ended on purpose: then the server's own pause counts; ours."""

MAX_SUGGESTED = 128
"""Nodes that the server tries to reach only because kademlia suggested them; ours. In the reference every suggestion is
dialed until the node ends, and peers could have us dial whatever they invent."""

STATE_FILE = "hive.json"
"""In the instance directory: the address records of the last run."""


class OverlayService(Service):
    """One node's place in the overlay."""

    def __init__(
        self,
        context: ServiceContext,
        *,
        key: PublicKey,
        network_id: int,
        light: bool = False,
        auto_connect: bool = True,
        resume: bool = True,
        bootnodes: Sequence[Node] = (),
    ) -> None:
        """Prepare the tables.

        Args:
            key: the bzz public key; the overlay address follows from it.
            network_id: nodes of other networks are refused.
            light: say in the handshake that we store nothing.
            auto_connect: dial whom kademlia suggests.
            resume: know whom the last run knew, and dial whom it was connected with. Off, with auto-connect off, keeps
                a topology as somebody laid it out.
            bootnodes: stay connected with these, besides those that the p2p server has (spec 05 section 8).
        """
        self.public_key, self.overlay = key, key.overlay
        self.network_id, self.auto_connect, self._bootnodes = network_id, auto_connect, tuple(bootnodes)
        self.capabilities: Capabilities = LIGHT_CAPABILITIES if light else FULL_CAPABILITIES
        self.hive: HiveCore[Peer] = HiveCore(self.overlay)
        keeps = resume and context.instance_dir is not None
        self._state = StateFile(context.instance_dir / STATE_FILE) if keeps and context.instance_dir else None
        self._server: asyncio.Future[Server] = asyncio.get_running_loop().create_future()
        self._suggested: dict[NodeId, None] = {}
        """Nodes the server has from us, the longest ago suggested first."""
        self._brief: dict[NodeId, None] = {}
        """Nodes whose last connection was brief, the latest last."""
        self._handshakes: dict[Peer, asyncio.Future[BzzAddr]] = {}
        self._tasks = TaskOwner()
        self.kademlia.listeners.append(self._report)

    @property
    def kademlia(self) -> Kademlia[Peer]:
        return self.hive.kademlia

    # -- Service

    def protocols(self) -> Sequence[Protocol]:
        return (
            Protocol(
                name=BZZ_NAME,
                version=BZZ_VERSION,
                length=len(BZZ_MESSAGES),
                max_message_bytes=MAX_WIRE_BYTES,
                run=self._run_bzz,
                node_info=lambda: self.overlay,
            ),
            Protocol(
                name=HIVE_NAME,
                version=HIVE_VERSION,
                length=len(HIVE_MESSAGES),
                max_message_bytes=MAX_WIRE_BYTES,
                run=self._run_hive,
                node_info=self.table_text,
                peer_info=self.peer_info,
            ),
        )

    def apis(self) -> Sequence[API]:
        return API("hive", HiveAPI(self)), API("bzz", BzzAPI(self))

    async def start(self, server: Server) -> None:
        self._server.set_result(server)
        for node in self._bootnodes:
            try:
                server.add_peer(node)
            except DialFailed as error:
                log.warning("bootnode: %s", error)
        if self._state is not None:
            await self._resume(server, self._state)
        if self.auto_connect:
            self._tasks.spawn(self._tick_loop(server), name="hive ticks")

    async def stop(self) -> None:
        await self._tasks.aclose()
        if self._state is not None:
            await self._state.save(to_document(remember(self.kademlia), network_id=self.network_id))

    async def _resume(self, server: Server, state: StateFile) -> None:
        """Know whom the last run knew, and dial whom it was connected with; auto-connect or not (spec 05 section 8)."""
        document = await state.load()
        if document is None:
            return
        try:
            remembered = from_document(document, network_id=self.network_id, base=self.overlay)
        except ValueError as error:
            log.warning("%s is ignored: %s", state.path, error)
            return
        if remembered.left_out:
            log.warning("%s: %d entries are ignored: no address records", state.path, remembered.left_out)
        self.kademlia.register(remembered.peers, asyncio.get_running_loop().time())
        for address in remembered.conns:
            self._dial(server, address)

    # -- who we are

    @property
    def address(self) -> BzzAddr:
        """Our own record, as handshakes give it.

        Raises:
            ValueError: the p2p server does not run yet.
        """
        if not self._server.done():
            raise ValueError("the overlay is not started")
        return BzzAddr.of(self.overlay, self._server.result().node.url, self.capabilities)

    def register_capability(self, capability: Capability) -> None:
        """Announce one more capability in all handshakes from now on.

        Raises:
            ValueError: its id is taken, or the handshake would be too long for others.
        """
        capabilities = self.capabilities.adding(capability)
        size = len(capabilities.encode())
        if size > MAX_CAPABILITIES_BYTES:
            raise ValueError(f"Capabilities too long: {size} > {MAX_CAPABILITIES_BYTES} bytes")
        self.capabilities = capabilities

    # -- who is connected

    def address_of(self, peer: Peer) -> BzzAddr | None:
        """The record of a peer that finished its bzz handshake."""
        return self.hive.address_of(peer)

    def record(self, node_id: NodeId) -> BzzAddr | None:
        """The record of a connected node, by its node ID."""
        peer = self._server.result().peer(node_id) if self._server.done() else None
        return self.address_of(peer) if peer else None

    def table_text(self) -> str:
        """The tables as hive_string shows them, dated now."""
        return format_table(self.kademlia, datetime.now(UTC))

    def peer_info(self, node_id: NodeId) -> dict[str, str] | None:
        """A peer as admin_peers and hive_peerInfo show it."""
        address = self.record(node_id)
        if address is None:
            return None
        # The reference shows the node ID where one expects the overlay address (spec 05 pitfall 15).
        return {"OAddr": "0x" + node_id.hex(), "UAddr": "0x" + address.underlay.hex()}

    # -- bzz

    async def _run_bzz(self, peer: Peer, pipe: MessagePipe) -> None:
        """Exchange handshakes; after that the protocol stays silent, and anything that still comes is an offence."""
        outcome = self._handshake_of(peer)
        try:
            await asyncio.shield(self._server)
            handshake = BzzHandshake(address=self.address, network_id=self.network_id)
            pipe.send_nowait(*encode_message(handshake.local))
            try:
                async with asyncio.timeout(bzz_handshake.HANDSHAKE_TIMEOUT_S):
                    message = await pipe.read()
            except TimeoutError:
                raise _late("bzz") from None
            outcome.set_result(handshake.receive(message.code, message.payload))
            message = await pipe.read()
            handshake.receive(message.code, message.payload)
        except Exception as error:
            if not outcome.done():
                outcome.set_exception(error)
                outcome.exception()  # who waits for it gets it; nobody may
            raise
        finally:
            if HIVE_NAME not in peer.pipes:  # otherwise hive has yet to see it, and may start after we are through
                self._handshakes.pop(peer, None)

    def _handshake_of(self, peer: Peer) -> asyncio.Future[BzzAddr]:
        """The outcome of the handshake with a peer; bzz and hive start in any order."""
        return self._handshakes.setdefault(peer, asyncio.get_running_loop().create_future())

    # -- hive

    async def _run_hive(self, peer: Peer, pipe: MessagePipe) -> None:
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(bzz_handshake.HANDSHAKE_TIMEOUT_S):
                address = await asyncio.shield(self._handshake_of(peer))
        except TimeoutError:
            raise _late("hive") from None
        finally:
            self._handshakes.pop(peer, None)

        def handle(code: int, payload: bytes) -> None:
            message = decode_hive(code, payload)
            self._send_all(self.hive.on_message(peer, message, loop.time()))
            if isinstance(message, PeersMsg):
                log.debug("%s told of %d peers: %s", peer, len(message.peers), self.hive.last_registration)

        # Joins the tables and starts to listen without a pause in between: no message can come first.
        began_s = loop.time()
        self._send_all(self.hive.on_connected(peer, address, began_s))
        try:
            await pipe.serve(handle)
        finally:
            self.hive.on_disconnected(peer, loop.time())
            self._note_duration(peer.id, loop.time() - began_s)

    def _note_duration(self, node_id: NodeId, seconds: float) -> None:
        self._brief.pop(node_id, None)
        if seconds < STEADY_S:
            self._brief[node_id] = None
            if len(self._brief) > MAX_SUGGESTED:
                del self._brief[next(iter(self._brief))]

    def send_depth(self, depth: int) -> None:
        """Tell every peer a depth, 0..255."""
        self._send_all(self.hive.broadcast_depth(depth))

    def _send_all(self, messages: Sequence[Outgoing[Peer]]) -> None:
        for outgoing in messages:
            peer, message = outgoing
            pipe = peer.pipes[HIVE_NAME]
            # A depth is three bytes, and nobody would repeat it.
            if pipe.congested and isinstance(message, PeersMsg):
                self.hive.on_unsent(outgoing)
                continue
            try:
                pipe.send_nowait(*encode_message(message))
            except PeerDisconnected:
                continue  # it is on its way out of the tables

    # -- dialing

    async def _tick_loop(self, server: Server) -> None:
        loop = asyncio.get_running_loop()
        while True:
            tick = self.hive.on_tick(loop.time())
            self._send_all(tick.messages)
            if tick.dial is not None:
                self._dial(server, tick.dial)
            await asyncio.sleep(TICK_INTERVAL_S)

    def _dial(self, server: Server, address: BzzAddr) -> None:
        try:
            node = parse_enode(address.underlay.decode("ascii"))
            if server.keeps(node.id) and node.id not in self._suggested:
                return  # somebody asked for it; then it is not ours to forget
            if not self._make_room(server, node.id):
                raise DialFailed(node.url, f"all {MAX_SUGGESTED} nodes suggested before are connected")
            # At once where the target does not throttle, or a node that was restarted would be missing from the table
            # for half a minute; but not who may just have got rid of us: kademlia suggests it again and again.
            server.add_peer(node, control=False, immediately=node.id not in self._brief)
        except (InvalidEnode, DialFailed, UnicodeDecodeError) as error:
            log.info("suggested peer %s cannot be dialed: %s", address.overlay.hex()[:8], error)
            return
        self._suggested.pop(node.id, None)  # it becomes the latest
        self._suggested[node.id] = None

    def _make_room(self, server: Server, node_id: NodeId) -> bool:
        """Have room to suggest a node: forget the one suggested the longest ago that is not connected, if it must be.

        Returns:
            Whether there is room.
        """
        if node_id in self._suggested or len(self._suggested) < MAX_SUGGESTED:
            return True
        oldest = next((other for other in self._suggested if server.peer(other) is None), None)
        if oldest is None:
            return False
        del self._suggested[oldest]
        server.remove_peer(oldest)  # ends the dialing; there is no connection to end
        return True

    def _report(self, change: ConnChange[Peer]) -> None:
        kind = Kind.KAD_ON if change.on else Kind.KAD_OFF
        change.peer.emit(
            kind,
            protocol=HIVE_NAME,
            data={"overlay": change.address.overlay.hex(), "po": change.po, "depth": self.kademlia.neighbourhood_depth},
        )


def _late(protocol: str) -> HandshakeTimeout:
    limit_s = bzz_handshake.HANDSHAKE_TIMEOUT_S
    return HandshakeTimeout(
        f"{protocol}: no bzz handshake within {limit_s:g} s", reason=DisconnectReason.SUBPROTOCOL_ERROR
    )
