"""One TCP connection on its way to a peer and as one: the socket, RLPx and the base protocol put together.

The only reader and writer of peer sockets. What a connection means (whether it may become a peer, who takes its
messages) is its owner's business; the steps and their failures are those of spec 02 section 2.1.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Protocol as Interface

from node.crypto.secp256k1 import PrivateKey, PublicKey
from node.devp2p.messages import (
    BASE_LENGTH,
    EMPTY_LIST,
    MAX_HELLO_BYTES,
    SNAPPY_VERSION,
    BaseCode,
    Hello,
    encode_disconnect,
)
from node.devp2p.session import Phase, Session, check_identity
from node.disconnect import DisconnectReason
from node.enode import Node
from node.errors import PeerDisconnected, ProtocolError, RemoteProtocolError
from node.ids import NodeId
from node.p2p.roundtrips import RoundTrips
from node.p2p.shaper import NONE, Conditions, Shaper, Shaping
from node.rlpx.connection import Connection
from node.rlpx.events import HandshakeCompleted, MessageReceived
from node.rlpx.frame import HEADER_BYTES, MAC_BYTES

log = logging.getLogger(__name__)

WRITE_TIMEOUT_S = 20.0
"""For the socket to take what was written (spec 01 section 7)."""
DISCONNECT_WRITE_TIMEOUT_S = 1.0
"""For the last message (spec 01 section 7)."""
WRITE_HIGH_WATER_BYTES = 1024 * 1024
"""What waits, in the socket's buffer or held back by link conditions, above which a link counts as congested; ours."""
WRITE_BATCH_BYTES = 64 * 1024
"""A sender lets the event loop turn whenever this much was queued, or it would never see congestion; ours."""
MAX_WRITE_BUFFER_BYTES = 48 * 1024 * 1024
"""What waits, above which the peer is dropped: two of the longest frames and some; ours. For senders who do not care
whether the link is congested."""


class Owner(Interface):
    """Who decides about a link."""

    shaping: Shaping
    """Conditions that somebody put on links on purpose."""

    def check_handshaken(self, link: Link) -> DisconnectReason | None:
        """The remote key is known: is it welcome?"""

    def hello(self) -> Hello: ...

    def check_hello(self, link: Link, hello: Hello) -> DisconnectReason | None:
        """Hello came and the identity holds. None makes it a peer: from now on messages go to :attr:`Link.sink`."""

    def link_ended(self, link: Link) -> None:
        """The socket is closed; :attr:`Link.error` says why. Called once for every link that was connected."""


class Sink(Interface):
    """Who takes the messages of a link that became a peer."""

    def dispatch(self, code: int, payload: bytes) -> None: ...

    def limit_for(self, code: int) -> int:
        """Longest payload to take with a wire code, in bytes."""

    @property
    def longest_message(self) -> int:
        """The greatest of these limits."""

    def link_failed(self, error: Exception) -> None:
        """The link ends by itself: the peer said Disconnect, broke a rule, fell silent or is gone."""


class Link(asyncio.Protocol):
    """A connection. Give `dialed` to open it, leave it out for one that was accepted."""

    def __init__(self, owner: Owner, key: PrivateKey, *, dialed: Node | None = None, static: bool = False) -> None:
        self._owner = owner
        self.dialed, self.static = dialed, static
        self.error: Exception | None = None
        """Why it ended; the first cause wins."""
        self.sink: Sink | None = None
        self.session: Session
        self.local = self.remote = ""
        """Socket ends as ``ip:port``."""
        self.remote_ip = ""
        self.settled: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        """Done when the link became a peer or ended."""
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        """Done when the socket is closed."""
        self._loop = asyncio.get_running_loop()
        self._connection = Connection(key, dialed.key if dialed else None)
        # Until Hello nobody has a reason to send more; sizes are checked before anything is buffered.
        self._connection.max_frame_bytes = MAX_HELLO_BYTES + 1
        self._transport: asyncio.Transport
        self._timer: asyncio.TimerHandle | None = None
        self._flush_scheduled = self._closing = False
        self._queued_bytes = 0
        self._paused = False
        self._writable = asyncio.Event()
        self._writable.set()
        self._blocked_since: float | None = None
        self._blocked_bytes = 0
        """What was in the socket's buffer then."""
        self._shaper: Shaper | None = None
        self._shaper_timer: asyncio.TimerHandle | None = None
        self._held_up = False
        """Congested by what the shaper holds."""
        self._round_trips = RoundTrips()

    @property
    def inbound(self) -> bool:
        return self.dialed is None

    @property
    def remote_key(self) -> PublicKey | None:
        """The peer's static key, proven once :attr:`handshaken`."""
        return self._connection.remote

    @property
    def handshaken(self) -> bool:
        return self._connection.handshake_done

    # -- asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        transport.set_write_buffer_limits(high=WRITE_HIGH_WATER_BYTES)
        self.local = format_endpoint(transport.get_extra_info("sockname"))
        peer = transport.get_extra_info("peername")
        self.remote, self.remote_ip = format_endpoint(peer), peer[0] if peer else ""
        self.session = Session(now=self._loop.time())
        self._owner.shaping.attach(self)
        self._flush()
        self._arm()

    def data_received(self, data: bytes) -> None:
        try:
            for event in self._connection.receive_data(data):
                if self._closing:
                    return
                if isinstance(event, MessageReceived):
                    self._message(event.code, event.payload)
                elif isinstance(event, HandshakeCompleted):
                    self._handshaken()
                if self._paused:
                    break  # what else has come stays as it is, encrypted, until somebody reads
        except (ProtocolError, PeerDisconnected) as error:
            self._fail(error)
        else:
            self._schedule_flush()

    def connection_lost(self, exc: Exception | None) -> None:
        self._fail(exc or EOFError("EOF"))
        for timer in (self._timer, self._shaper_timer):
            if timer is not None:
                timer.cancel()
        self._owner.shaping.detach(self)
        self._round_trips.ended()
        self._writable.set()
        self._settle()
        self.ended.set_result(None)
        self._owner.link_ended(self)

    def pause_writing(self) -> None:
        self._writable.clear()
        self._blocked_since, self._blocked_bytes = self._loop.time(), self._transport.get_write_buffer_size()
        self._arm()

    def resume_writing(self) -> None:
        self._blocked_since = None
        self._weigh()

    # -- setting up

    def _handshaken(self) -> None:
        self._owner.shaping.attach(self)
        reason = self._owner.check_handshaken(self)
        if reason is not None:
            raise RemoteProtocolError(f"refused: {reason.text}", reason=reason)
        self.session.send_hello(self._owner.hello())
        self._send_base_messages()

    def _message(self, code: int, payload: bytes) -> None:
        if code >= BASE_LENGTH and self.sink is not None:
            self.session.message_read(self._loop.time())
            self.sink.dispatch(code, payload)
            return
        if code == BaseCode.PONG:
            self._round_trips.pong_read(self._loop.time())
        hello = self.session.receive(code, payload, now=self._loop.time())
        if hello is not None:
            self._received_hello(hello)
        self._send_base_messages()

    def _received_hello(self, hello: Hello) -> None:
        self._connection.snappy = hello.version >= SNAPPY_VERSION
        assert self.remote_key is not None
        check_identity(hello, self.remote_key)
        reason = self._owner.check_hello(self, hello)
        if reason is not None:
            raise RemoteProtocolError(f"refused: {reason.text}", reason=reason)
        assert self.sink is not None
        self._connection.limit_messages(self.sink.limit_for, longest=self.sink.longest_message)
        self._arm()
        self._settle()

    # -- sending

    def send(self, code: int, payload: bytes) -> None:
        """Queue a message with its wire code; what is sent within one turn of the event loop leaves together.

        Raises:
            LocalProtocolError: too long for a frame; nothing was sent.
        """
        self._queued_bytes += len(payload) + HEADER_BYTES + 2 * MAC_BYTES
        if self._closing:
            return
        self._connection.send_message(code, payload)
        self._schedule_flush()

    @property
    def congested(self) -> bool:
        return self._blocked_since is not None or self._held_up or self._queued_bytes > WRITE_HIGH_WATER_BYTES

    async def drained(self) -> None:
        """Wait while the link is congested; hardly longer than a turn of the event loop when it is closed."""
        if self._queued_bytes >= WRITE_BATCH_BYTES:
            await asyncio.sleep(0)
        await self._writable.wait()

    def _schedule_flush(self) -> None:
        if not self._flush_scheduled:
            self._flush_scheduled = True
            self._loop.call_soon(self._flush)

    def _flush(self) -> None:
        self._flush_scheduled = False
        self._queued_bytes = 0
        data = self._connection.data_to_send()
        if not data or self._transport.is_closing():
            return
        held = 0
        if self._shaper is None:
            self._transport.write(data)
        else:
            self._shaper.push(data, now=self._loop.time())
            self._release()
            held = self._shaper.held_bytes if self._shaper else 0
        if self._transport.get_write_buffer_size() + held > MAX_WRITE_BUFFER_BYTES:
            self._fail(PeerDisconnected(f"write buffer over {MAX_WRITE_BUFFER_BYTES} bytes", by_remote=False))

    def _send_base_messages(self) -> None:
        for code, payload in self.session.outgoing:
            self._connection.send_message(code, payload)
            if code == BaseCode.PING:
                self._round_trips.ping_sent()
        self.session.outgoing.clear()

    async def measure(self) -> float:
        """Seconds from a Ping until its Pong, link conditions included.

        Raises:
            PeerDisconnected: the connection ended meanwhile.
        """
        if self.ended.done():
            raise PeerDisconnected("the connection ended", by_remote=False)
        started = self._loop.time()
        self._connection.send_message(BaseCode.PING, EMPTY_LIST)
        self._schedule_flush()
        number, waiting = self._round_trips.ping_sent(), self._round_trips.waiting
        pong: asyncio.Future[float] = self._loop.create_future()
        waiting[number] = pong
        try:
            return await pong - started
        finally:
            del waiting[number]

    # -- link conditions (what node.p2p.shaper asks of a connection)

    @property
    def peer_id(self) -> NodeId | None:
        return self.remote_key.node_id if self.remote_key is not None else None

    def shape(self, shaper: Shaper | None) -> None:
        """From now on send through this; None: as it comes."""
        self._shaper = shaper

    def reshape(self, conditions: Conditions) -> None:
        """Give the present shaper other conditions; with none left it goes, once it is empty."""
        if self._shaper is not None and self._shaper.conditions != conditions:
            self._shaper.change(conditions, now=self._loop.time())
            self._release()

    def _release(self) -> None:
        """Write what may leave by now, and come back when more may."""
        if self._shaper_timer is not None:
            self._shaper_timer.cancel()
            self._shaper_timer = None
        shaper = self._shaper
        if shaper is None or self._transport.is_closing():
            return
        data = shaper.pop(now=self._loop.time())
        if data:
            self._transport.write(data)
        at = shaper.next_release()
        if at is not None:
            self._shaper_timer = self._loop.call_at(at, self._release)
        elif shaper.conditions == NONE:
            self._shaper = None
        self._weigh()

    def _weigh(self) -> None:
        """See whether so much waits that senders should. No time limit runs on what is held back on purpose."""
        held = self._shaper.held_bytes if self._shaper is not None else 0
        self._held_up = held > 0 and held + self._transport.get_write_buffer_size() > WRITE_HIGH_WATER_BYTES
        if self._held_up:
            self._writable.clear()
        elif self._blocked_since is None:
            self._writable.set()

    # -- flow control and time

    def pause_reading(self) -> None:
        """Take nothing more from the socket until :meth:`resume_reading`."""
        if not self._transport.is_closing():
            self._paused = True
            self._transport.pause_reading()
            self.session.pause_reading(True, now=self._loop.time())

    def resume_reading(self) -> None:
        """Go on, first with what was received before the pause."""
        self._paused = False
        self._loop.call_soon(self._catch_up)

    def _catch_up(self) -> None:
        if self._paused or self._closing or self._transport.is_closing():
            return
        self.session.pause_reading(False, now=self._loop.time())
        self.data_received(b"")
        if not self._paused and not self._closing:
            self._transport.resume_reading()

    def _arm(self) -> None:
        """Wake up at the next deadline. Reading moves deadlines only back, so a timer too early re-arms itself."""
        if self._timer is not None:
            self._timer.cancel()
        at = self.session.next_deadline()
        if self._blocked_since is not None:
            at = min(at, self._blocked_since + WRITE_TIMEOUT_S)
        self._timer = self._loop.call_at(at, self._on_deadline)

    def _on_deadline(self) -> None:
        self._timer = None
        if self._closing:
            return
        now = self._loop.time()
        try:
            if self._blocked_since is not None and now >= self._blocked_since + WRITE_TIMEOUT_S:
                waiting, before = self._transport.get_write_buffer_size(), self._blocked_bytes
                if waiting >= before:
                    raise PeerDisconnected(f"i/o timeout: nothing taken for {WRITE_TIMEOUT_S:g} s", by_remote=False)
                # A narrow line: it takes longer, but it does take.
                self._blocked_since, self._blocked_bytes = now, waiting
            self.session.handle_deadline(now=now)
        except (ProtocolError, PeerDisconnected) as error:
            self._fail(error)
            return
        self._send_base_messages()
        self._schedule_flush()
        self._arm()

    # -- ending

    def _fail(self, error: Exception) -> None:
        if self._closing:
            return
        if self.sink is not None:
            self.error = error
            self.sink.link_failed(error)
        reason = error.reason if isinstance(error, (ProtocolError, PeerDisconnected)) else None
        self.close(reason, error)

    def close(self, reason: DisconnectReason | int | None, error: Exception) -> None:
        """End the connection, with a Disconnect if there is a reason to give and a frame layer to carry it.

        A reason that came from the peer is echoed (spec 02 section 4.3), but never a number that we do not know:
        17 ends a reference node.
        """
        if self._closing:
            return
        self._closing = True
        self.error = self.error or error
        if self._transport.is_closing():
            return
        if reason in (None, DisconnectReason.NETWORK_ERROR) or not self.handshaken or reason not in _SENDABLE:
            self._flush_then_abort()
            return
        self._connection.send_message(BaseCode.DISCONNECT, encode_disconnect(DisconnectReason(reason)))
        self._write_last()
        self._transport.close()
        # A peer that does not read would keep the socket open for ever.
        self._loop.call_later(DISCONNECT_WRITE_TIMEOUT_S, self._transport.abort)

    def _flush_then_abort(self) -> None:
        # Dropped without a word; but what was said before (our Hello, say) should not be cut off by a reset.
        self._write_last()
        if self._transport.get_write_buffer_size():
            self._transport.abort()
        else:
            self._transport.close()

    def _write_last(self) -> None:
        """Write what is left to say. Link conditions do not hold up the end, but what is blocked is lost."""
        data = self._connection.data_to_send()
        if self._shaper is not None:
            self._shaper.push(data, now=self._loop.time())
            data = self._shaper.flush()
        self._transport.write(data)

    @property
    def live(self) -> bool:
        return self.session.phase is Phase.LIVE and not self._closing

    def _settle(self) -> None:
        if not self.settled.done():
            self.settled.set_result(None)


_SENDABLE = frozenset(DisconnectReason) - {DisconnectReason.NETWORK_ERROR}


def format_endpoint(address: tuple[object, ...] | None) -> str:
    """``ip:port`` of a socket address, IPv6 in brackets, IPv4 in IPv6 as IPv4."""
    if not address:
        return ""
    host = str(address[0]).removeprefix("::ffff:")
    return f"[{host}]:{address[1]}" if ":" in host else f"{host}:{address[1]}"
