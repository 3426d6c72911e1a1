"""The two objects that a protocol's run function gets when it runs over pss (spec 07 section B3).

They look like those of a connection (:class:`node.p2p.protocol.RemotePeer`, :class:`node.p2p.protocol.Pipe`), but there
is none: nothing tells that the other side is gone, and messages may be lost or change places. How messages leave is
up to the subclasses, in :mod:`node.pss.protocol` and :mod:`node.pss.client_pipe`.
"""

from __future__ import annotations

import asyncio
import logging
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import cast

from node.devp2p.messages import Capability
from node.disconnect import DisconnectReason
from node.errors import LabError, LocalProtocolError, MalformedMessage, PeerDisconnected
from node.ids import NODE_ID_BYTES, NodeId
from node.p2p.inbox import Handler, Inbox, Message
from node.p2p.protocol import Pipe, Protocol, RemotePeer
from node.pss.protocol_message import ProtocolMessage, encode_protocol_message

log = logging.getLogger(__name__)

MAX_INBOX_MESSAGES = 1024
MAX_INBOX_BYTES = 16 * 1024 * 1024
"""Ours: what may wait for a protocol to read it. More is dropped, for pss cannot ask a sender to wait (the reference
blocks its handlers instead)."""


class VirtualPipe(ABC):
    """One protocol's messages to and from one peer."""

    def __init__(self, protocol: Protocol) -> None:
        self.protocol = protocol
        self.inbox = Inbox()

    # -- the protocol's side

    async def read(self) -> Message:
        """The next message.

        Raises:
            PeerDisconnected: no more messages come, because this side ended it.
        """
        return await self.inbox.read()

    async def serve(self, handler: Handler) -> None:
        """Call `handler` with every message, in the order they come, until this side ends it.

        Raises:
            Exception: whatever `handler` raised first.
        """
        await self.inbox.serve(handler)

    def send_nowait(self, code: int, payload: bytes) -> None:
        """Send a message, without waiting and without hearing what becomes of it.

        Raises:
            LocalProtocolError: not a code of this protocol, or too long.
            PeerDisconnected: `connection closed`.
            OutboxFull: too many messages wait to be sent.
        """
        self._send(self._encode(code, payload))

    async def send(self, code: int, payload: bytes) -> None:
        """Send a message and let others have their turn. Raises like :meth:`send_nowait`."""
        self.send_nowait(code, payload)
        await asyncio.sleep(0)

    @property
    def congested(self) -> bool:
        """Whether more should rather wait."""
        return False

    @property
    def closed(self) -> bool:
        return self.inbox.ended is not None

    def _encode(self, code: int, payload: bytes) -> bytes:
        if self.closed:
            raise PeerDisconnected("connection closed", by_remote=False)
        if not 0 <= code < self.protocol.length:
            raise LocalProtocolError(
                f"invalid message code: {self.protocol.name} has {self.protocol.length} codes, not handled: {code}"
            )
        return encode_protocol_message(code, payload)

    @abstractmethod
    def _send(self, plaintext: bytes) -> None:
        """Let a pss message go, or queue it."""

    # -- the other side

    def deliver(self, message: ProtocolMessage) -> None:
        """Give the protocol a message.

        Raises:
            MalformedMessage: not a code of this protocol.
            LocalProtocolError: the protocol does not read, and too much waits already.
        """
        if self.closed:
            return
        if message.code >= self.protocol.length:
            raise MalformedMessage(f"{self.protocol.name}: invalid message code: {message.code}")
        inbox, received = self.inbox, Message(message.code, message.payload)
        if inbox.hand_over(received):
            return
        if len(inbox) >= MAX_INBOX_MESSAGES or inbox.size_bytes + len(received.payload) > MAX_INBOX_BYTES:
            raise LocalProtocolError(f"{self.protocol.name} reads too slowly: {len(inbox)} messages wait")
        inbox.put(received)

    def end(self, why: PeerDisconnected) -> None:
        """No more messages come or go, also none of those that wait. A second time does nothing."""
        self.inbox.end(why, drop=True)


@dataclass(eq=False, slots=True)
class VirtualPeer:
    """A peer that is reached over pss. Of the node behind it nothing is known.

    Attributes:
        name: given by whoever added it, or made of its overlay address.
        key_id: public key id or symmetric key id it goes by.
        pipe: the messages to and from it.
    """

    name: str
    key_id: str
    pipe: VirtualPipe

    @property
    def id(self) -> NodeId:
        return NodeId(bytes(NODE_ID_BYTES))

    @property
    def caps(self) -> list[Capability]:
        return []

    @property
    def inbound(self) -> bool:
        return False

    def disconnect(self, reason: DisconnectReason = DisconnectReason.REQUESTED) -> None:
        """End it on this side; the other hears nothing of it."""
        self.pipe.end(PeerDisconnected(reason.text, reason=reason, by_remote=False))

    def __str__(self) -> str:
        return f"pss peer {self.key_id[:18]}"


async def run_virtual(peer: VirtualPeer) -> None:
    """Run a peer's protocol to its end. Then the pipe is closed; messages that still come are dropped.

    They do not start it anew: two protocols that return after one message would keep each other going for ever.
    """
    protocol = peer.pipe.protocol
    # Typed for connections, as most protocols are; one that is meant for both takes the two interfaces.
    run = cast("Callable[[RemotePeer, Pipe], Awaitable[None]]", protocol.run)
    end = PeerDisconnected("protocol returned", by_remote=False)
    try:
        await run(peer, peer.pipe)
    except PeerDisconnected as error:
        end = error
    except LabError as error:
        log.warning("%s with %s ended: %s", protocol.name, peer, error)
        end = PeerDisconnected(str(error), by_remote=False)
    except Exception as error:
        log.exception("%s with %s failed", protocol.name, peer)
        end = PeerDisconnected(str(error) or type(error).__name__, by_remote=False)
    finally:
        peer.pipe.end(end)
