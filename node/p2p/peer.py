"""A connected node and the protocols that run with it (spec 02 section 7)."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

from node.devp2p.capability import Match, sort_capabilities
from node.devp2p.messages import BASE_LENGTH, Capability, Hello
from node.disconnect import DisconnectReason, reason_text
from node.enode import Node, parse_ip
from node.errors import LocalProtocolError, MalformedMessage, PeerDisconnected, ProtocolError
from node.events import EventBus, Kind
from node.ids import NodeId
from node.p2p.link import Link
from node.p2p.protocol import MessagePipe, Protocol

log = logging.getLogger(__name__)

MAX_BASE_BYTES = 64 * 1024
"""Payload of a base message after Hello; ours. What Ping, Pong and Disconnect carry has five bytes."""
PROTOCOL_STOP_GRACE_S = 1.0
"""How long protocols may take to return once their connection has ended; then they are cancelled. The reference waits
for ever."""


class Peer:
    """One live session. Made by the server; protocols get it as their first argument."""

    def __init__(
        self,
        link: Link,
        hello: Hello,
        matches: list[Match[Protocol]],
        events: EventBus,
        *,
        trusted: bool,
    ) -> None:
        assert link.remote_key is not None
        self.link = link
        self.name = hello.name
        self.caps: list[Capability] = sort_capabilities(hello.caps)
        self.trusted = trusted
        self.node = link.dialed or _seen_as(link)
        self.id: NodeId = self.node.id
        self.events = events
        self._common = {"peer": self.id.hex(), "local": link.local, "remote": link.remote}
        self.pipes = {m.protocol.name: MessagePipe(self, m.protocol, m.offset) for m in matches}
        # Wire code to pipe by index: every message goes through here.
        self._by_code = [pipe for pipe in self.pipes.values() for _ in range(pipe.protocol.length)]
        self._paused = False
        self._end: asyncio.Future[tuple[DisconnectReason | int | None, Exception]] = (
            asyncio.get_running_loop().create_future()
        )

    @property
    def inbound(self) -> bool:
        return self.link.inbound

    @property
    def static(self) -> bool:
        return self.link.static

    def disconnect(self, reason: DisconnectReason = DisconnectReason.REQUESTED) -> None:
        """End the session with this reason; returns at once."""
        self._finish(reason, PeerDisconnected(reason.text, reason=reason, by_remote=False))

    def emit(self, kind: Kind, **fields: Any) -> None:
        """Report something about this peer."""
        self.events.emit(kind, **self._common, **fields)

    def emit_message(self, kind: Kind, *, protocol: str, code: int, size: int) -> None:
        """Report a message from or to this peer."""
        self.events.emit_message(kind, protocol=protocol, code=code, size=size, **self._common)

    # -- the link's side

    def dispatch(self, code: int, payload: bytes) -> None:
        """Hand a subprotocol message to its protocol.

        Raises:
            ProtocolError: without a reason, the code belongs to none: the connection is closed in silence.
        """
        index = code - BASE_LENGTH
        if index >= len(self._by_code):
            raise MalformedMessage(f"msg code out of range: {code}")
        pipe = self._by_code[index]
        if not pipe.deliver(code - pipe.offset, payload) and not self._paused:
            self._paused = True
            self.link.pause_reading()

    def limit_for(self, code: int) -> int:
        """Longest payload of a wire code, in bytes; a code that nobody has is refused elsewhere."""
        index = code - BASE_LENGTH
        return self._by_code[index].protocol.max_message_bytes if 0 <= index < len(self._by_code) else MAX_BASE_BYTES

    @property
    def longest_message(self) -> int:
        """The greatest of all limits, in bytes."""
        return max([MAX_BASE_BYTES, *(pipe.protocol.max_message_bytes for pipe in self.pipes.values())])

    def inbox_drained(self) -> None:
        """A protocol has caught up."""
        if self._paused:
            self._paused = False
            self.link.resume_reading()

    def link_failed(self, error: Exception) -> None:
        self._finish(None, error)

    # -- the server's side

    async def run(self) -> None:
        """Run the protocols until one returns or the connection ends; then end them all.

        The `add` event is out before any protocol starts, `drop` after all have returned.
        """
        log.debug("%s connected: %s %s", self, self.name, " ".join(map(str, self.caps)))
        self.emit(Kind.ADD)
        tasks = [
            asyncio.create_task(self._run_protocol(pipe), name=f"{name} with {self.id.hex()[:8]}")
            for name, pipe in self.pipes.items()
        ]
        try:
            reason, error = await asyncio.shield(self._end)
        except asyncio.CancelledError:
            reason, error = DisconnectReason.QUITTING, PeerDisconnected(DisconnectReason.QUITTING.text, by_remote=False)
            raise
        finally:
            self.link.close(reason, error)
            for pipe in self.pipes.values():
                pipe.end(_as_disconnect(reason, error))
            await _finish_all(tasks)
            log.debug("%s is gone: %s", self, _text_of(error))
            self.emit(Kind.DROP, reason=_text_of(error))

    async def _run_protocol(self, pipe: MessagePipe) -> None:
        try:
            await pipe.protocol.run(self, pipe)
        except PeerDisconnected as error:
            self._finish(error.reason if isinstance(error.reason, DisconnectReason) else None, error)
        except (LocalProtocolError, MalformedMessage) as error:
            # A message-layer error as it came; protocols that judge for themselves give a reason.
            self._finish(error.reason or DisconnectReason.PROTOCOL_ERROR, error)
        except ProtocolError as error:
            self._finish(error.reason or DisconnectReason.SUBPROTOCOL_ERROR, error)
        except Exception as error:
            log.exception("%s with %s failed", pipe.protocol.name, self)
            self._finish(DisconnectReason.SUBPROTOCOL_ERROR, error)
        else:
            self._finish(DisconnectReason.QUITTING, PeerDisconnected("protocol returned", by_remote=False))

    def _finish(self, reason: DisconnectReason | int | None, error: Exception) -> None:
        if not self._end.done():
            self._end.set_result((reason, error))

    def info(self) -> dict[str, Any]:
        """PeerInfo as the admin API gives it (spec 02 section 9.3)."""
        return {
            "enode": self.node.url,
            "id": self.id.hex(),
            "name": self.name,
            "caps": [str(cap) for cap in self.caps] or None,
            "network": {
                "localAddress": self.link.local,
                "remoteAddress": self.link.remote,
                "inbound": self.inbound,
                "trusted": self.trusted,
                "static": self.static,
            },
            "protocols": {name: self._protocol_info(pipe.protocol) for name, pipe in sorted(self.pipes.items())},
        }

    def _protocol_info(self, protocol: Protocol) -> Any:
        if protocol.peer_info is None:
            return "unknown"
        info = protocol.peer_info(self.id)
        return "handshake" if info is None else info

    def __str__(self) -> str:
        return f"Peer {self.id.hex()[:16]} {self.link.remote}"


def _seen_as(link: Link) -> Node:
    """Who connected to us: key and socket address, its source port standing for both ports."""
    assert link.remote_key is not None
    port = int(link.remote.rpartition(":")[2])
    return Node(link.remote_key, parse_ip(link.remote_ip), port, port)


def _as_disconnect(reason: DisconnectReason | int | None, error: Exception) -> PeerDisconnected:
    if isinstance(error, PeerDisconnected):
        return error
    # A protocol that failed comes with a reason, a link that failed without.
    return PeerDisconnected(str(error) or type(error).__name__, reason=reason, by_remote=reason is None)


def _text_of(error: Exception) -> str:
    if isinstance(error, PeerDisconnected) and error.by_remote and error.reason is not None:
        return reason_text(error.reason)
    return str(error) or type(error).__name__


async def _finish_all(tasks: list[asyncio.Task[None]]) -> None:
    if tasks:
        await asyncio.wait(tasks, timeout=PROTOCOL_STOP_GRACE_S)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
