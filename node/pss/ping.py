"""The ping protocol of the reference's examples, over pss or over a connection (spec 07 part D).

One message that is a ping or a pong. It has a time of creation, which is never transmitted.
"""

from __future__ import annotations

import asyncio
import datetime
from dataclasses import dataclass

from node.devp2p.protocol import ProtocolSpec
from node.p2p.protocol import Pipe, Protocol, RemotePeer

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
        return Protocol(name=PING_SPEC.name, version=PING_SPEC.version, length=PROTOCOL_LENGTH, run=self.run)

    async def run(self, peer: RemotePeer, pipe: Pipe) -> None:
        """Send what is asked for and answer, until the session ends.

        Raises:
            PeerDisconnected: it has.
            RemoteProtocolError: something that is neither ping nor pong.
        """
        sending = asyncio.create_task(self._send_outgoing(pipe))
        receiving = asyncio.create_task(self._receive(pipe))
        try:
            await asyncio.wait((sending, receiving), return_when=asyncio.FIRST_COMPLETED)
            await (receiving if receiving.done() else sending)
        finally:
            sending.cancel()
            receiving.cancel()
            await asyncio.gather(sending, receiving, return_exceptions=True)

    async def _send_outgoing(self, pipe: Pipe) -> None:
        while True:
            await self._send(pipe, pong=await self.outgoing.get())

    async def _receive(self, pipe: Pipe) -> None:
        while True:
            message = await pipe.read()
            pong = PING_SPEC.decode(message.code, message.payload).pong
            if self.incoming is not None:
                await self.incoming.put(pong)
            if self.responder and not pong:
                await self._send(pipe, pong=True)

    @staticmethod
    async def _send(pipe: Pipe, *, pong: bool) -> None:
        await pipe.send(*PING_SPEC.encode(PingMessage(pong=pong)))
