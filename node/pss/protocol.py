"""A devp2p protocol over pss, on the node that it runs on (spec 07 part B)::

    async with PssProtocol(pss, protocol, asymmetric=True) as mounted:
        mounted.add_peer(pubkey_id, asymmetric=True)

The protocol is the same object that a p2p server takes. Its run function starts for each peer that is added, and for
each whose first message comes in. From another process: :mod:`node.pss.client`.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, NamedTuple, Self

from node.errors import LabError, LocalProtocolError, PeerDisconnected, UnknownKey
from node.ids import Topic
from node.p2p.protocol import Protocol
from node.pss.handlers import Delivery
from node.pss.pipe import VirtualPeer, VirtualPipe, run_virtual
from node.pss.protocol_message import decode_protocol_message
from node.pss.topic import protocol_topic
from node.tasks import TaskOwner

if TYPE_CHECKING:
    from node.pss.service import PssService, Subscription

log = logging.getLogger(__name__)

MAX_PEERS = 256
"""Ours: peers of one protocol that may come by themselves, by sending a message."""
STOP_GRACE_S = 1.0
"""How long a run function may take to return once its peer is removed; then it is cancelled."""


class _PeerKey(NamedTuple):
    asymmetric: bool
    key_id: str


class _DirectPipe(VirtualPipe):
    """Sends through the node's own pss."""

    def __init__(self, protocol: Protocol, pss: PssService, topic: Topic, key: _PeerKey) -> None:
        super().__init__(protocol)
        self._pss, self._topic, self._key = pss, topic, key

    def _send(self, plaintext: bytes) -> None:
        send = self._pss.send_asymmetric if self._key.asymmetric else self._pss.send_symmetric
        send(self._key.key_id, self._topic, plaintext)


class PssProtocol:
    """A protocol mounted on a pss service.

    Attributes:
        topic: where its messages travel.
    """

    def __init__(
        self,
        pss: PssService,
        protocol: Protocol,
        *,
        asymmetric: bool = False,
        symmetric: bool = False,
        topic: Topic | None = None,
    ) -> None:
        """Nothing is received before :meth:`start`.

        Args:
            asymmetric, symmetric: which messages to take. With both, reference nodes take asymmetric ones only.
            topic: None for that of the protocol's name and version.

        Raises:
            LocalProtocolError: neither mode.
        """
        if not (asymmetric or symmetric):
            raise LocalProtocolError("specify at least one of asymmetric or symmetric messaging mode")
        self.protocol = protocol
        self.topic = topic or protocol_topic(protocol.name, protocol.version)
        self._pss = pss
        self._modes = {mode for mode, wanted in ((True, asymmetric), (False, symmetric)) if wanted}
        self._peers: dict[_PeerKey, VirtualPeer] = {}
        self._running: dict[VirtualPeer, asyncio.Task[None]] = {}
        self._tasks = TaskOwner()
        self._subscription: Subscription | None = None

    # -- mounting

    def start(self) -> None:
        """Receive messages from now on."""
        if self._subscription is None:
            self._subscription = self._pss.subscribe(self.topic, self._received)

    async def aclose(self) -> None:
        """Receive nothing more, remove all peers and wait until their run functions have ended."""
        if self._subscription is not None:
            self._subscription.cancel()
            self._subscription = None
        for asymmetric, key_id in list(self._peers):
            self.remove_peer(key_id, asymmetric=asymmetric)
        await self._tasks.wait(timeout_s=STOP_GRACE_S)
        await self._tasks.aclose()

    async def __aenter__(self) -> Self:
        self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    # -- peers

    def add_peer(self, key_id: str, *, asymmetric: bool, name: str = "") -> VirtualPeer:
        """Run the protocol with a peer, in place of an earlier run with it. By itself this sends nothing.

        Args:
            key_id: public key id, or symmetric key id if not `asymmetric`. Filed for any topic; sending needs it
                filed for this one.
            name: what the run function sees as the peer's name.

        Raises:
            UnknownKey: the node has no such key.
        """
        if asymmetric and not self._pss.keys.knows_peer(key_id):
            raise UnknownKey(f"asym key does not exist: {key_id}")
        if not asymmetric:
            try:
                self._pss.keys.symmetric_key(key_id)
            except UnknownKey:
                raise UnknownKey(f"symkey does not exist: {key_id}") from None
        self.remove_peer(key_id, asymmetric=asymmetric)
        key = _PeerKey(asymmetric, key_id)
        peer = VirtualPeer(name, key_id, _DirectPipe(self.protocol, self._pss, self.topic, key))
        self._peers[key] = peer
        task = self._tasks.spawn(run_virtual(peer), name=f"{self.protocol.name} with {peer}")
        self._running[peer] = task
        task.add_done_callback(lambda _: self._running.pop(peer))
        return peer

    def remove_peer(self, key_id: str, *, asymmetric: bool) -> bool:
        """End the run with a peer; False if there is none. The next message of the peer starts another."""
        peer = self._peers.pop(_PeerKey(asymmetric, key_id), None)
        if peer is None:
            return False
        peer.pipe.end(PeerDisconnected("connection closed", by_remote=False))
        if peer in self._running:
            asyncio.get_running_loop().call_later(STOP_GRACE_S, self._running[peer].cancel)
        return True

    def peer(self, key_id: str, *, asymmetric: bool) -> VirtualPeer | None:
        """The peer that goes by a key; its run may be over."""
        return self._peers.get(_PeerKey(asymmetric, key_id))

    # -- receiving

    def handle(self, delivery: Delivery) -> None:
        """Take a message that came in on the topic. :meth:`start` arranges for that.

        Raises:
            LocalProtocolError: encrypted in a way that is not wanted, or too much waits already.
            UnknownKey: from somebody who is no contact.
            MalformedMessage: no message of the protocol.
        """
        if delivery.raw or delivery.asymmetric not in self._modes:
            raise LocalProtocolError("invalid protocol encryption")
        peer = self._peers.get(_PeerKey(delivery.asymmetric, delivery.key_id))
        if peer is None:
            self._make_room()
            name = delivery.sender_address.hex()
            peer = self.add_peer(delivery.key_id, asymmetric=delivery.asymmetric, name=name)
        peer.pipe.deliver(decode_protocol_message(delivery.payload))

    def _make_room(self) -> None:
        if len(self._peers) < MAX_PEERS:
            return
        over = next((key for key, peer in self._peers.items() if peer.pipe.closed), None)
        if over is None:
            raise LocalProtocolError(f"{self.protocol.name} runs with {len(self._peers)} peers already")
        del self._peers[over]

    def _received(self, delivery: Delivery) -> None:
        try:
            self.handle(delivery)
        except LabError as error:
            log.warning("%s over pss: %s", self.protocol.name, error)
