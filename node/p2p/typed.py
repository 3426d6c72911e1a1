"""Protocols whose messages are declared: objects on the program's side, bytes on the wire (spec 02 section 10).

::

    @dataclass
    class Greeting:
        text: str

    SPEC = ProtocolSpec(name="greet", version=1, messages=(Greeting,))

    async def run(peer: TypedPeer) -> None:
        await peer.send(Greeting(text="hello"))
        async for message in peer:
            print(peer, "says", message.text)

    protocol = typed_protocol(SPEC, run)

The same run function works on a connection and over pss.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

from node.devp2p.protocol import ProtocolSpec
from node.disconnect import DisconnectReason
from node.errors import HandshakeTimeout, LocalProtocolError, PeerDisconnected, RemoteProtocolError
from node.ids import NodeId
from node.p2p.protocol import Pipe, Protocol, RemotePeer

log = logging.getLogger(__name__)

HANDSHAKE_TIMEOUT_S = 3.0
"""How long a handshake may take unless the protocol says otherwise; that of bzz (spec 05 section 5.2)."""

MessageHandler = Callable[[Any], Awaitable[None] | None]
"""Takes one message."""


class TypedPeer:
    """A peer as a declared protocol sees it."""

    def __init__(self, peer: RemotePeer, pipe: Pipe, spec: ProtocolSpec) -> None:
        self.remote, self.pipe, self.spec = peer, pipe, spec

    @property
    def id(self) -> NodeId:
        """Its node ID; all zero over pss, which does not tell."""
        return self.remote.id

    @property
    def name(self) -> str:
        """How it calls itself."""
        return self.remote.name

    def __str__(self) -> str:
        return str(self.remote)

    # -- sending

    async def send(self, message: object) -> None:
        """Send a message, then wait while the peer reads too slowly.

        Raises:
            LocalProtocolError: its type is not declared, or it is too long; nothing is sent.
            PeerDisconnected: the session is over.
        """
        await self.pipe.send(*self.spec.encode(message))

    def send_nowait(self, message: object) -> None:
        """Send a message without waiting. Raises like :meth:`send`."""
        self.pipe.send_nowait(*self.spec.encode(message))

    # -- receiving

    async def receive(self) -> Any:
        """The next message.

        Raises:
            PeerDisconnected: the session is over.
            RemoteProtocolError: too long, undeclared or not decodable. A run function lets it through, and the peer is
                dropped with `subprotocol error`.
        """
        message = await self.pipe.read()
        return self.spec.decode(message.code, message.payload)

    async def __aiter__(self) -> AsyncIterator[Any]:
        """All messages until the session is over. Raises what :meth:`receive` does, but PeerDisconnected."""
        while True:
            try:
                message = await self.receive()
            except PeerDisconnected:
                return
            yield message

    async def run(self, handler: MessageHandler) -> None:
        """Call `handler` with every message, one after the other, until the session is over.

        What a handler raises is logged and the session goes on, as with the reference. Only a
        :class:`RemoteProtocolError`, which says that this peer broke a rule, ends it.

        Raises:
            RemoteProtocolError: as :meth:`receive`, or raised by the handler; then its reason is `subprotocol error`
                unless it has one.
        """
        async for message in self:
            try:
                result = handler(message)
                if inspect.isawaitable(result):
                    await result
            except RemoteProtocolError as error:
                error.reason = error.reason or DisconnectReason.SUBPROTOCOL_ERROR
                raise
            except PeerDisconnected as error:
                # This peer's end shows with the next message; a handler may also have written to another that has left.
                log.info("%s: the handler of %s: %s", self.spec.name, type(message).__name__, error)
            except Exception:
                log.exception("%s: the handler of %s failed", self.spec.name, type(message).__name__)

    async def handshake(
        self,
        local: object,
        verify: Callable[[Any], None] | None = None,
        *,
        timeout_s: float = HANDSHAKE_TIMEOUT_S,
    ) -> Any:
        """Exchange one message each, before anything else: the side that dialed speaks first.

        Args:
            local: what we say.
            verify: looks at what the other says, and raises :class:`RemoteProtocolError` to refuse it. The side that
                was dialed refuses before it has said anything.

        Returns:
            The peer's message.

        Raises:
            LocalProtocolError: the type of `local` is not declared.
            HandshakeTimeout: the peer said nothing in time.
            RemoteProtocolError, PeerDisconnected: as :meth:`receive`, or from `verify`.
        """
        self.spec.encode(local)  # before anything is read: a wrong type is our own mistake
        if not self.remote.inbound:
            await self.send(local)
        try:
            async with asyncio.timeout(timeout_s):
                theirs = await self.receive()
        except TimeoutError:
            raise HandshakeTimeout(
                f"{self.spec.name}: no handshake within {timeout_s:g} s", reason=DisconnectReason.SUBPROTOCOL_ERROR
            ) from None
        if verify is not None:
            try:
                verify(theirs)
            except RemoteProtocolError as error:
                error.reason = error.reason or DisconnectReason.SUBPROTOCOL_ERROR
                raise
        if self.remote.inbound:
            await self.send(local)
        return theirs

    def drop(self, reason: DisconnectReason = DisconnectReason.SUBPROTOCOL_ERROR) -> None:
        """End the session; returns at once."""
        self.remote.disconnect(reason)


def typed_protocol(
    spec: ProtocolSpec,
    run: Callable[[TypedPeer], Awaitable[None]],
    *,
    length: int | None = None,
    node_info: Callable[[], Any] | None = None,
    peer_info: Callable[[NodeId], Any] | None = None,
) -> Protocol:
    """The protocol that a server (or pss) takes, of a declaration and what to run with each peer.

    Args:
        length: codes to reserve, where peers expect another number than there are messages.
        node_info, peer_info: as in :class:`Protocol`.

    Raises:
        LocalProtocolError: fewer codes than messages.
    """
    if length is not None and length < spec.length:
        raise LocalProtocolError(f"{spec.name}: {spec.length} messages do not fit into {length} codes")

    async def run_typed(peer: RemotePeer, pipe: Pipe) -> None:
        await run(TypedPeer(peer, pipe, spec))

    return Protocol(
        name=spec.name,
        version=spec.version,
        length=spec.length if length is None else length,
        run=run_typed,
        max_message_bytes=spec.max_message_bytes,
        node_info=node_info,
        peer_info=peer_info,
    )
