"""One devp2p session without its transport: Hello, keep-alive, base messages, time limits (spec 02, spec 01 section 7).

The caller passes messages and the clock in, sends what :attr:`Session.outgoing` holds, and closes the connection on any
error. Messages of subprotocols pass by: the caller hands codes from BASE_LENGTH up to the protocols itself.
"""

from __future__ import annotations

from enum import Enum

from node.crypto.secp256k1 import InvalidKey, PublicKey
from node.devp2p.messages import (
    EMPTY_LIST,
    BaseCode,
    Hello,
    decode_disconnect,
    decode_hello,
)
from node.disconnect import DisconnectReason, reason_text
from node.errors import HandshakeTimeout, PeerDisconnected, RemoteProtocolError, UnexpectedMessage

HANDSHAKE_TIMEOUT_S = 5.0
"""Encryption handshake and Hello together, from the moment the TCP connection exists (spec 01 section 7)."""
READ_TIMEOUT_S = 30.0
"""For one message, from the end of the one before: in effect the idle limit."""
PING_INTERVAL_S = 15.0


class Phase(Enum):
    HELLO = "waiting for Hello"
    LIVE = "live"


class Session:
    """The base protocol's part of one connection."""

    def __init__(self, *, now: float) -> None:
        """Begin when the TCP connection exists."""
        self.phase = Phase.HELLO
        self.outgoing: list[tuple[int, bytes]] = []
        """Base messages to send, oldest first; the caller empties it."""
        self._handshake_deadline = now + HANDSHAKE_TIMEOUT_S
        self._last_read = now
        self._next_ping = now
        self._reading_paused = False

    def send_hello(self, hello: Hello) -> None:
        """Queue our Hello, once the encryption handshake is done and the peer is welcome."""
        self.outgoing.append((BaseCode.HELLO, hello.encode()))

    def receive(self, code: int, payload: bytes, *, now: float) -> Hello | None:
        """Take a message with a code below BASE_LENGTH, or the first one whatever its code.

        Returns:
            The peer's Hello when it was just that. The caller then decides on compression and admission.

        Raises:
            PeerDisconnected: the peer said Disconnect.
            RemoteProtocolError: no valid Hello; without `reason` the connection is closed in silence.
        """
        self._last_read = now
        if code == BaseCode.DISCONNECT:
            reason = decode_disconnect(payload)
            raise PeerDisconnected(reason_text(reason), reason=reason)
        if self.phase is Phase.HELLO:
            return self._receive_hello(code, payload, now)
        if code == BaseCode.PING:
            self.outgoing.append((BaseCode.PONG, EMPTY_LIST))
        # Pong, a second Hello and the reserved codes are ignored.
        return None

    def _receive_hello(self, code: int, payload: bytes, now: float) -> Hello:
        if code != BaseCode.HELLO:
            raise UnexpectedMessage(expected="Hello", got=f"message code {code:#x}")
        hello = decode_hello(payload)
        self.phase = Phase.LIVE
        self._next_ping = now + PING_INTERVAL_S
        return hello

    def message_read(self, now: float) -> None:
        """Note that a subprotocol message came in."""
        self._last_read = now

    def pause_reading(self, paused: bool, *, now: float) -> None:
        """While our own side does not read, the peer's silence is not held against it."""
        self._reading_paused = paused
        self._last_read = now

    def next_deadline(self) -> float:
        """When :meth:`handle_deadline` wants to be called; seconds on the caller's clock."""
        if self.phase is Phase.HELLO:
            return self._handshake_deadline
        if self._reading_paused:
            return self._next_ping
        return min(self._next_ping, self._last_read + READ_TIMEOUT_S)

    def handle_deadline(self, *, now: float) -> None:
        """Send a Ping that is due, or give the peer up.

        Raises:
            HandshakeTimeout: no Hello in time.
            PeerDisconnected: nothing was read for READ_TIMEOUT_S. Both end the connection in silence.
        """
        if self.phase is Phase.HELLO:
            if now >= self._handshake_deadline:
                raise HandshakeTimeout(f"no complete handshake within {HANDSHAKE_TIMEOUT_S:g} s")
            return
        if not self._reading_paused and now >= self._last_read + READ_TIMEOUT_S:
            raise PeerDisconnected(f"i/o timeout: nothing read for {READ_TIMEOUT_S:g} s", by_remote=False)
        if now >= self._next_ping:
            self._next_ping = now + PING_INTERVAL_S
            self.outgoing.append((BaseCode.PING, EMPTY_LIST))


def check_identity(hello: Hello, remote: PublicKey) -> None:
    """Hold the key in Hello against the one that the encryption handshake proved.

    Raises:
        RemoteProtocolError: with reason UNEXPECTED_IDENTITY.
    """
    try:
        same = PublicKey(hello.id) == remote
    except InvalidKey:
        same = False
    if not same:
        raise RemoteProtocolError("Hello carries another identity", reason=DisconnectReason.UNEXPECTED_IDENTITY)
