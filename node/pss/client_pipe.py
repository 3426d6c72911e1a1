"""How a protocol message leaves a client: with a key of the handshake, through a node's RPC (spec 07 section C1).

One message after the other, in the order they were sent. A key that was used up is replaced on the way; without any
key the client asks the peer for new ones.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from typing import Any, NamedTuple

from node.errors import LabError, OutboxFull, PeerDisconnected, PssError, RPCError
from node.ids import Topic
from node.p2p.protocol import Protocol
from node.pss.pipe import VirtualPipe
from node.pss.topic import format_topic
from node.rpc.client import RPCClient

log = logging.getLogger(__name__)

MAX_WAITING = 1024
"""Ours: messages that may wait until the node has taken those before them."""
CONGESTED_WAITING = 64
"""Ours: from how many on a protocol is told to wait."""
EXHAUSTED = "symetric key expired"
"""How the node's text begins when it sent a message with a key that was used up before."""


class NoHandshakeKey(PssError):
    """There is no key to send with, and the peer gave no new ones."""


class _Waiting(NamedTuple):
    plaintext: bytes
    done: asyncio.Future[None] | None
    """Set when somebody waits for the outcome."""


class ClientPipe(VirtualPipe):
    """A pipe whose messages go through an RPC connection. :meth:`write_waiting` must run for them to go."""

    def __init__(self, protocol: Protocol, rpc: RPCClient, topic: Topic, pubkey_id: str) -> None:
        super().__init__(protocol)
        self._rpc, self._topic, self._pubkey_id = rpc, format_topic(topic), pubkey_id
        self._waiting: deque[_Waiting] = deque()
        self._more = asyncio.Event()

    # -- the protocol's side

    async def send(self, code: int, payload: bytes) -> None:
        """Send a message and wait until the node has taken it.

        Raises:
            NoHandshakeKey: the peer gave us no key.
            RPCError: the node refuses it.
            LocalProtocolError, PeerDisconnected, OutboxFull: as :meth:`send_nowait`.
        """
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._queue(_Waiting(self._encode(code, payload), done))
        await done

    @property
    def congested(self) -> bool:
        return len(self._waiting) >= CONGESTED_WAITING

    def _send(self, plaintext: bytes) -> None:
        self._queue(_Waiting(plaintext, None))

    def _queue(self, waiting: _Waiting) -> None:
        if len(self._waiting) >= MAX_WAITING:
            raise OutboxFull(f"{len(self._waiting)} messages wait for the node to take them")
        self._waiting.append(waiting)
        self._more.set()

    def end(self, why: PeerDisconnected) -> None:
        """Also drops what waits to be sent."""
        super().end(why)
        while self._waiting:
            _settle(self._waiting.popleft(), PeerDisconnected("connection closed", by_remote=False))
        self._more.set()

    # -- the client's side

    async def write_waiting(self) -> None:
        """Send what waits and what comes, until the pipe ends. A failure that nobody waits for ends it."""
        while not self.closed:
            if not self._waiting:
                self._more.clear()
                await self._more.wait()
                continue
            item = self._waiting.popleft()
            try:
                await self._write(item.plaintext)
            except LabError as error:
                if item.done is None:
                    log.warning("%s over pss: %s", self.protocol.name, error)
                    self.end(PeerDisconnected(str(error), by_remote=False))
                _settle(item, error)
            except asyncio.CancelledError:
                _settle(item, PeerDisconnected("connection closed", by_remote=False))
                raise
            else:
                _settle(item, None)

    async def _write(self, plaintext: bytes) -> None:
        key_ids = await self._keys() or await self._new_keys()
        capacity = await self._call("pss_getHandshakeKeyCapacity", key_ids[0])
        try:
            await self._call("pss_sendSym", key_ids[0], self._topic, "0x" + plaintext.hex())
        except RPCError as error:
            if not error.message.startswith(EXHAUSTED):
                raise
            log.info("sent with a key that another client used up meanwhile: %s", error)
        if capacity == 1:
            await self._refresh(sync=len(key_ids) == 1)

    async def _refresh(self, *, sync: bool) -> None:
        """Replace the key that has just been used up. The message is sent; failing here does no harm (section C3)."""
        try:
            await self._call("pss_handshake", self._pubkey_id, self._topic, sync, False)
        except RPCError as error:
            log.info("no fresh keys for %s: %s", self._topic, error)

    async def _new_keys(self) -> list[str]:
        try:
            await self._call("pss_handshake", self._pubkey_id, self._topic, True, False)
        except RPCError as error:
            raise NoHandshakeKey(f"no key, handshake needed: {error}") from error
        key_ids = await self._keys()
        if not key_ids:
            raise NoHandshakeKey("no key, handshake needed")
        return key_ids

    async def _keys(self) -> list[str]:
        return await self._call("pss_getHandshakeKeys", self._pubkey_id, self._topic, False, True) or []

    async def _call(self, method: str, *params: object) -> Any:
        return await self._rpc.call(method, *params)


def _settle(item: _Waiting, error: LabError | None) -> None:
    if item.done is None or item.done.done():
        return
    if error is None:
        item.done.set_result(None)
    else:
        item.done.set_exception(error)
