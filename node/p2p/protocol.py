"""What a subprotocol brings, and its end of a connection (spec 02 section 7)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from typing import Protocol as Interface

from node.devp2p.messages import Capability
from node.disconnect import DisconnectReason
from node.errors import LocalProtocolError, PeerDisconnected
from node.events import Kind
from node.ids import NodeId
from node.p2p.inbox import Handler, Inbox, Message
from node.rlpx.snappy import MAX_DECOMPRESSED_BYTES

if TYPE_CHECKING:
    from node.p2p.peer import Peer

MAX_INBOX_MESSAGES = 64
"""Messages that wait for a protocol to read them before the socket is paused; ours (the reference has 0)."""
MAX_INBOX_BYTES = 2 * 1024 * 1024
"""Their payloads together; ours. One message may go over it, and then the socket is paused."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Protocol:
    """A subprotocol: a name, a version, how many message codes, and what to run with each peer."""

    name: str
    version: int
    length: int
    run: Callable[[Peer, MessagePipe], Awaitable[None]]
    """Started once for each connection. When it returns or raises, the whole connection ends."""
    max_message_bytes: int = MAX_DECOMPRESSED_BYTES
    """Longest payload to take; a longer one is refused before it is decompressed and ends the connection."""
    node_info: Callable[[], Any] | None = None
    peer_info: Callable[[NodeId], Any] | None = None


class RemotePeer(Interface):
    """What a protocol can know of the other end, whether it is a :class:`node.p2p.peer.Peer` or reached over pss."""

    @property
    def id(self) -> NodeId: ...

    @property
    def name(self) -> str: ...

    @property
    def caps(self) -> Sequence[Capability]: ...

    @property
    def inbound(self) -> bool: ...

    def disconnect(self, reason: DisconnectReason = ...) -> None: ...


class Pipe(Interface):
    """A protocol's end of a connection. A ``run(peer: RemotePeer, pipe: Pipe)`` works on a connection, where the pipe
    is a :class:`MessagePipe`, and over pss, where it is one of :mod:`node.pss.pipe`."""

    @property
    def congested(self) -> bool: ...

    @property
    def closed(self) -> bool: ...

    async def read(self) -> Message: ...

    async def serve(self, handler: Handler) -> None: ...

    def send_nowait(self, code: int, payload: bytes) -> None: ...

    async def send(self, code: int, payload: bytes) -> None: ...


class MessagePipe:
    """One protocol's messages on one connection."""

    def __init__(self, peer: Peer, protocol: Protocol, offset: int) -> None:
        self.peer, self.protocol, self.offset = peer, protocol, offset
        self._events = peer.events
        self.inbox = Inbox(self._taken, events=peer.events)

    # -- the protocol's side

    async def read(self) -> Message:
        """The next message.

        Raises:
            PeerDisconnected: the session is over.
        """
        message = await self.inbox.read()
        if len(self.inbox) <= MAX_INBOX_MESSAGES // 2 and self.inbox.size_bytes <= MAX_INBOX_BYTES // 2:
            self.peer.inbox_drained()
        return message

    async def serve(self, handler: Handler) -> None:
        """Call `handler` with every message, in order and without a task in between, until the session ends.

        Raises:
            Exception: whatever `handler` raised first.
        """
        while len(self.inbox):
            message = await self.read()
            handler(message.code, message.payload)
        await self.inbox.serve(handler)

    def send_nowait(self, code: int, payload: bytes) -> None:
        """Hand a message to the socket's buffer. Look at :attr:`congested` before sending much.

        Raises:
            LocalProtocolError: not a code of this protocol, or too long for a frame; the connection is untouched.
            PeerDisconnected: the session is over.
        """
        ended = self.inbox.ended
        if ended is not None:
            raise PeerDisconnected("shutting down", reason=ended.reason, by_remote=ended.by_remote)
        if not 0 <= code < self.protocol.length:
            raise LocalProtocolError(
                f"invalid message code: {self.protocol.name} has {self.protocol.length} codes, not handled: {code}"
            )
        self.peer.link.send(self.offset + code, payload)
        if self._events.messages:
            self._note(Kind.MSG_SEND, code, payload)

    async def send(self, code: int, payload: bytes) -> None:
        """Like :meth:`send_nowait`, then wait while the peer reads too slowly."""
        self.send_nowait(code, payload)
        await self.peer.link.drained()

    @property
    def congested(self) -> bool:
        """Whether the socket's buffer is so full that more should wait or go elsewhere."""
        return self.peer.link.congested

    @property
    def closed(self) -> bool:
        return self.inbox.ended is not None

    # -- the peer's side

    def deliver(self, code: int, payload: bytes) -> bool:
        """Give the protocol a message; False asks the peer to stop reading for now."""
        message = Message(code, payload)
        if self.inbox.hand_over(message):
            return True
        self.inbox.put(message)
        return len(self.inbox) < MAX_INBOX_MESSAGES and self.inbox.size_bytes < MAX_INBOX_BYTES

    def end(self, why: PeerDisconnected) -> None:
        """No more messages come. What the peer sent before it ended the session can still be read, as with the
        reference, whose reader hands over each message before it takes the next; if we end it, the rest is dropped."""
        self.inbox.end(why, drop=not why.by_remote)

    def _taken(self, message: Message) -> None:
        self._note(Kind.MSG_RECV, message.code, message.payload)

    def _note(self, kind: Kind, code: int, payload: bytes) -> None:
        self.peer.emit_message(kind, protocol=self.protocol.name, code=code, size=len(payload))
