"""The ping protocol of the reference's examples, over pss or over a connection (spec 07 part D).

One message that is a ping or a pong. It has a time of creation, which is never transmitted.
"""

from __future__ import annotations

import asyncio
import datetime
from dataclasses import dataclass

from node.devp2p.protocol import ProtocolSpec
from node.p2p.protocol import Protocol
from node.p2p.typed import TypedPeer, typed_protocol

MAX_MESSAGE_BYTES = 1024
PROTOCOL_LENGTH = 1024
"""How many codes the reference reserves for its one message."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PingMessage:
    """A ping, or the pong that answers it."""

    created: datetime.datetime = datetime.datetime.min
    pong: bool


PING_SPEC = ProtocolSpec(name="psstest", version=1, messages=(PingMessage,), max_message_bytes=MAX_MESSAGE_BYTES)


class Ping:
    """One side of the protocol.

    Attributes:
        outgoing: put a value in to send a message with `pong` set to it. With several peers the first one that is
            free to send takes it.
        incoming: the `pong` of every message that came, if anybody wants to know.
    """

    def __init__(self, *, responder: bool, incoming: asyncio.Queue[bool] | None = None) -> None:
        """`responder`: answer every ping with a pong, to the peer it came from. Pongs are never answered."""
        self.responder, self.incoming = responder, incoming
        self.outgoing: asyncio.Queue[bool] = asyncio.Queue()

    @property
    def protocol(self) -> Protocol:
        """The protocol to mount."""
        return typed_protocol(PING_SPEC, self.run, length=PROTOCOL_LENGTH)

    async def run(self, peer: TypedPeer) -> None:
        """Send what is asked for and answer, until the session ends.

        Raises:
            RemoteProtocolError: something that is neither ping nor pong.
        """
        sending = asyncio.create_task(self._send_outgoing(peer))
        receiving = asyncio.create_task(peer.run(lambda message: self._answer(peer, message)))
        try:
            await asyncio.wait((sending, receiving), return_when=asyncio.FIRST_COMPLETED)
            await (receiving if receiving.done() else sending)
        finally:
            sending.cancel()
            receiving.cancel()
            await asyncio.gather(sending, receiving, return_exceptions=True)

    async def _send_outgoing(self, peer: TypedPeer) -> None:
        while True:
            await peer.send(PingMessage(pong=await self.outgoing.get()))

    async def _answer(self, peer: TypedPeer, message: PingMessage) -> None:
        if self.incoming is not None:
            await self.incoming.put(message.pong)
        if self.responder and not message.pong:
            await peer.send(PingMessage(pong=True))
