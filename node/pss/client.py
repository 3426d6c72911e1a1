"""Protocols in a process of their own, on a node that is reached by RPC (spec 07 part C)::

    async with await PssClient.connect("ws://127.0.0.1:8546") as client:
        await client.run_protocol(protocol)
        await client.add_peer(pubkey_id, address, protocol)

The protocol is the same object that a p2p server takes. Messages travel with symmetric keys that the two nodes
exchanged; the node does all of pss, and this end only calls it. HTTP cannot notify, so it takes IPC or WebSocket.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, field
from typing import Any, Self

from node.errors import LabError, LocalProtocolError, MalformedMessage, PeerDisconnected, PssError, RPCError
from node.ids import Topic
from node.p2p.protocol import Protocol
from node.pss.client_pipe import ClientPipe
from node.pss.notification import parse_notification
from node.pss.pipe import VirtualPeer, run_virtual
from node.pss.protocol_message import decode_protocol_message
from node.pss.topic import format_topic, protocol_topic
from node.rpc.client import RPCClient
from node.rpc.encoding import HexBytes
from node.rpc.subscriber import Subscription
from node.tasks import TaskOwner

log = logging.getLogger(__name__)

HANDSHAKE_ATTEMPTS = 4
"""How often :meth:`PssClient.add_peer` tries to get keys (spec 07 section C1)."""
HANDSHAKE_PAUSE_S = 1.0
"""Between two tries (spec 07 section C1)."""
MAX_PEERS = 256
"""Ours: peers of one protocol that may come by themselves, by sending a message."""
STOP_GRACE_S = 1.0
"""How long run functions may take to return once their peer is removed; then they are cancelled."""


class HandshakeFailed(PssError):
    """The peer gave us no keys."""


@dataclass(eq=False, slots=True)
class _Mount:
    """A protocol on its topic."""

    protocol: Protocol
    topic: Topic
    subscription: Subscription
    peers: dict[str, VirtualPeer] = field(default_factory=dict)
    """By public key id."""

    def live(self, pubkey_id: str) -> VirtualPeer | None:
        peer = self.peers.get(pubkey_id)
        return None if peer is None or peer.pipe.closed else peer


class PssClient:
    """Protocols on a node elsewhere. Get one with :meth:`connect`.

    Attributes:
        base_address: the node's overlay address, 32 bytes.
    """

    def __init__(
        self, rpc: RPCClient, base_address: bytes, *, owns_rpc: bool, pause_s: float = HANDSHAKE_PAUSE_S
    ) -> None:
        self.base_address = base_address
        self._rpc, self._owns_rpc, self._pause_s = rpc, owns_rpc, pause_s
        self._mounts: dict[Topic, _Mount] = {}
        self._running: dict[VirtualPeer, list[asyncio.Task[None]]] = {}
        self._tasks = TaskOwner()

    @classmethod
    async def connect(cls, node: str | RPCClient, *, pause_s: float = HANDSHAKE_PAUSE_S) -> Self:
        """A client of the node at an endpoint (path of a socket, or ``ws://``), or of one that is connected already.

        Args:
            node: an :class:`RPCClient` stays its owner's to close.
            pause_s: between two tries of a handshake, in seconds.

        Raises:
            ConfigError, DialFailed, RPCError: as :meth:`RPCClient.connect` and :meth:`RPCClient.call`.
        """
        rpc = await RPCClient.connect(node) if isinstance(node, str) else node
        owns_rpc = rpc is not node
        try:
            address = HexBytes.from_json(await rpc.call("pss_baseAddr"))
        except BaseException:
            if owns_rpc:
                await rpc.close()
            raise
        return cls(rpc, bytes(address), owns_rpc=owns_rpc, pause_s=pause_s)

    async def close(self) -> None:
        """End all runs and subscriptions. The node goes on exchanging keys on the topics."""
        for mount in list(self._mounts.values()):
            for pubkey_id in list(mount.peers):
                self.remove_peer(pubkey_id, mount.protocol)
            try:
                await mount.subscription.unsubscribe()
            except LabError as error:
                log.info("unsubscribing from %s: %s", mount.topic.hex(), error)
        self._mounts.clear()
        await self._tasks.wait(timeout_s=STOP_GRACE_S)
        await self._tasks.aclose()
        if self._owns_rpc:
            await self._rpc.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    # -- protocols and peers

    async def run_protocol(self, protocol: Protocol) -> Topic:
        """Take part in a protocol: its run function starts for every peer that is added or sends a message.

        Returns:
            The topic its messages travel on.

        Raises:
            LocalProtocolError: it runs already.
            RPCError: the node refuses; `notifications not supported` over HTTP.
        """
        topic = protocol_topic(protocol.name, protocol.version)
        if topic in self._mounts:
            raise LocalProtocolError(f"{protocol.name}:{protocol.version} runs already")
        text = format_topic(topic)
        subscription = await self._rpc.subscribe("pss", "receive", text, False, False)
        try:
            await self._rpc.call("pss_addHandshake", text)
        except LabError:
            await subscription.unsubscribe()
            raise
        mount = self._mounts[topic] = _Mount(protocol, topic, subscription)
        self._tasks.spawn(self._dispatch(mount), name=f"{protocol.name} over RPC")
        return topic

    async def add_peer(
        self, pubkey_id: str, address: bytes, protocol: Protocol, *, fresh_keys: bool = False
    ) -> VirtualPeer:
        """Run a protocol with a peer, whose node must have ours as a contact on the topic.

        Args:
            pubkey_id: ``0x`` and 130 hex digits.
            address: its overlay address or a leading part of it: 0 to 32 bytes.
            fresh_keys: exchange keys even if the node holds some for this peer, for instance because the peer was
                started anew since. A reference node then neither asks for keys nor recovers (spec 07 section A6).

        Returns:
            The peer; the one that is there if its run is not over.

        Raises:
            LocalProtocolError: `addpeer on unset topic`.
            HandshakeFailed: the peer gave no keys.
            RPCError: the node refuses key or address.
        """
        mount = self._mounts.get(protocol_topic(protocol.name, protocol.version))
        if mount is None:
            raise LocalProtocolError("addpeer on unset topic")
        if (peer := mount.live(pubkey_id)) is not None:
            return peer
        await self._file_peer(mount, pubkey_id, "0x" + address.hex())
        text = format_topic(mount.topic)
        if fresh_keys or not await self._rpc.call("pss_getHandshakeKeys", pubkey_id, text, False, True):
            await self._exchange_keys(pubkey_id, text)
        # Meanwhile the peer may have said something, or another caller may have added it.
        return mount.live(pubkey_id) or self._start_peer(mount, pubkey_id, address)

    def remove_peer(self, pubkey_id: str, protocol: Protocol) -> bool:
        """End the run with a peer, on this side only; False if there is none."""
        mount = self._mounts.get(protocol_topic(protocol.name, protocol.version))
        peer = mount.peers.pop(pubkey_id, None) if mount else None
        if peer is None:
            return False
        peer.pipe.end(PeerDisconnected("connection closed", by_remote=False))
        for task in self._running.get(peer, ()):
            asyncio.get_running_loop().call_later(STOP_GRACE_S, task.cancel)
        return True

    def peer(self, pubkey_id: str, protocol: Protocol) -> VirtualPeer | None:
        """The peer of that key; its run may be over."""
        mount = self._mounts.get(protocol_topic(protocol.name, protocol.version))
        return mount.peers.get(pubkey_id) if mount else None

    async def _file_peer(self, mount: _Mount, pubkey_id: str, address: str) -> None:
        await self._rpc.call("pss_setPeerPublicKey", pubkey_id, format_topic(mount.topic), address)

    async def _exchange_keys(self, pubkey_id: str, topic: str) -> None:
        for attempt in range(HANDSHAKE_ATTEMPTS):
            if attempt:
                await asyncio.sleep(self._pause_s)
            try:
                await self._rpc.call("pss_handshake", pubkey_id, topic, True, True)
                return
            except RPCError as error:
                log.info("handshake on %s failed: %s", topic, error)
                last = error
        raise HandshakeFailed(f"handshake failed after {HANDSHAKE_ATTEMPTS} attempts") from last

    def _start_peer(self, mount: _Mount, pubkey_id: str, address: bytes) -> VirtualPeer:
        pipe = ClientPipe(mount.protocol, self._rpc, mount.topic, pubkey_id)
        # The name is what the reference makes of the address: a list of numbers.
        peer = VirtualPeer(f"[{' '.join(map(str, address))}]", pubkey_id, pipe)
        mount.peers[pubkey_id] = peer
        name = f"{mount.protocol.name} with {peer}"
        run = self._tasks.spawn(run_virtual(peer), name=name)
        self._running[peer] = [run, self._tasks.spawn(pipe.write_waiting(), name=f"sending {name}")]
        run.add_done_callback(lambda _: self._running.pop(peer))
        return peer

    # -- receiving

    async def _dispatch(self, mount: _Mount) -> None:
        """Hand on what the node tells, one message after the other so that their order stays."""
        why = "subscription ended"
        try:
            async for event in mount.subscription:
                try:
                    await self._receive(mount, event)
                except (RPCError, MalformedMessage, LocalProtocolError) as error:
                    log.warning("%s over pss: %s", mount.protocol.name, error)
        except LabError as error:
            log.warning("%s over pss: %s", mount.protocol.name, error)
            why = str(error)
        finally:
            for peer in mount.peers.values():
                peer.pipe.end(PeerDisconnected(why, by_remote=False))

    async def _receive(self, mount: _Mount, event: Any) -> None:
        notification = parse_notification(event)
        if notification.asymmetric or not notification.key_id:
            return  # key exchange, or raw
        try:
            pubkey_id = await self._rpc.call("pss_getHandshakePublicKey", notification.key_id)
        except RPCError:
            return  # with a key of no handshake: not ours
        if not pubkey_id:
            return
        peer = mount.peers.get(pubkey_id) or await self._welcome(mount, pubkey_id, notification.key_id)
        try:
            peer.pipe.deliver(decode_protocol_message(notification.payload))
        except MalformedMessage as error:
            peer.pipe.end(PeerDisconnected(str(error), by_remote=False))
            raise

    async def _welcome(self, mount: _Mount, pubkey_id: str, key_id: str) -> VirtualPeer:
        """A peer that came by itself: it has exchanged keys with our node, so it can be written to."""
        if len(mount.peers) >= MAX_PEERS:
            over = next((key for key, peer in mount.peers.items() if peer.pipe.closed), None)
            if over is None:
                raise LocalProtocolError(f"{mount.protocol.name} runs with {len(mount.peers)} peers already")
            del mount.peers[over]
        address = await self._rpc.call("pss_getAddress", format_topic(mount.topic), False, key_id)
        await self._file_peer(mount, pubkey_id, address)
        return mount.peers.get(pubkey_id) or self._start_peer(mount, pubkey_id, bytes(HexBytes.from_json(address)))
