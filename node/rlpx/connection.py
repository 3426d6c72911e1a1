"""One RLPx connection without its socket: handshake first, then messages (spec 01).

The caller feeds bytes in and must send what :meth:`Connection.data_to_send` returns after every other method. Errors
are final: close the socket. Time limits are the caller's (spec 01 section 7), as are Hello and everything above.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from node.crypto.secp256k1 import PrivateKey, PublicKey
from node.disconnect import DisconnectReason
from node.errors import LocalProtocolError, MalformedMessage, MessageTooBig
from node.rlpx import snappy
from node.rlpx.events import Event, HandshakeCompleted, MessageReceived
from node.rlpx.frame import HEADER_BYTES, MAC_BYTES, MAX_FRAME_BYTES, FrameReader, FrameWriter
from node.rlpx.handshake import Initiator, Responder
from node.rlpx.secrets import Secrets

MAX_HANDSHAKE_BUFFER_BYTES = 2 + 0xFFFF
"""An EIP-8 packet with the longest size its prefix can say; more is never held back before the handshake is done."""
DISCONNECT_CODE = 1
TOO_LONG_REASON = DisconnectReason.SUBPROTOCOL_ERROR
"""What a message over its protocol's limit is answered with (spec 02 section 10.3)."""
SNAPPY_GROWTH = 6
SNAPPY_EXTRA_BYTES = 64
"""A snappy block is at most a sixth and 32 bytes longer than what it holds; the rest is the message code."""
_HEADER_AND_MAC_BYTES = HEADER_BYTES + MAC_BYTES


class Connection:
    """The core of one connection. Give `remote` to dial it; leave it out to accept."""

    def __init__(
        self, static_key: PrivateKey, remote: PublicKey | None = None, *, handshake: Initiator | Responder | None = None
    ) -> None:
        """`handshake` is given only to replay a recorded one."""
        self.remote = remote
        self._handshake = handshake or (Initiator(static_key, remote) if remote else Responder(static_key))
        self._buffer = bytearray()
        self._out: list[bytes] = []
        self._reader: FrameReader | None = None
        self._writer: FrameWriter | None = None
        self._body_bytes = 0
        self._limit_for: Callable[[int], int] = lambda code: snappy.MAX_DECOMPRESSED_BYTES
        self.max_frame_bytes = MAX_FRAME_BYTES
        """Longest frame to take, checked before its body is buffered. The owner lowers it until Hello."""
        self.snappy = False
        """Whether payloads are compressed. The owner switches it on once both Hellos allow it (spec 01 section 6)."""
        if isinstance(self._handshake, Initiator):
            self._out.append(self._handshake.auth_packet)

    def limit_messages(self, limit_for: Callable[[int], int], *, longest: int) -> None:
        """From now on take payloads up to these sizes, decompressed; checked before anything is allocated for them.

        Args:
            limit_for: bytes for a wire code.
            longest: the greatest that `limit_for` gives: bounds what is buffered of a frame.
        """
        self._limit_for = limit_for
        self.max_frame_bytes = min(MAX_FRAME_BYTES, longest + longest // SNAPPY_GROWTH + SNAPPY_EXTRA_BYTES)

    @property
    def handshake_done(self) -> bool:
        return self._reader is not None

    def data_to_send(self) -> bytes:
        """Everything that waits to be written; the caller takes it over."""
        if not self._out:
            return b""
        data = self._out[0] if len(self._out) == 1 else b"".join(self._out)
        self._out.clear()
        return data

    def send_message(self, code: int, payload: bytes) -> None:
        """Queue one message.

        Raises:
            LocalProtocolError: before the handshake is done, or too long for a frame.
        """
        if self._writer is None:
            raise LocalProtocolError("no message can be sent before the handshake is done")
        if self.snappy:
            if len(payload) > snappy.MAX_DECOMPRESSED_BYTES:
                raise LocalProtocolError(f"message length >= 16MB: {len(payload)} bytes")
            payload = snappy.compress(payload)
        self._out.append(self._writer.encode(code, payload))

    def receive_data(self, data: bytes) -> Iterator[Event]:
        """Take bytes from the peer and yield what they complete.

        The owner may act between two events (switch compression on, say): each is decoded only when asked for.

        Raises:
            RemoteProtocolError: the peer broke a rule; the connection is of no more use.
        """
        buffer = self._buffer
        buffer += data
        if self._reader is None:
            completed = self._advance_handshake()
            if completed is None:
                return
            yield completed
        reader = self._reader
        assert reader is not None
        while True:
            if not self._body_bytes:
                if len(buffer) < _HEADER_AND_MAC_BYTES:
                    return
                self._body_bytes = reader.read_header(bytes(buffer[:_HEADER_AND_MAC_BYTES]))
                del buffer[:_HEADER_AND_MAC_BYTES]
                if reader.size > self.max_frame_bytes:
                    raise MessageTooBig("message", size=reader.size, limit=self.max_frame_bytes)
            wanted = self._body_bytes
            if len(buffer) < wanted:
                return
            body = bytes(buffer[:wanted])
            del buffer[:wanted]
            self._body_bytes = 0
            code, payload = reader.read_body(body)
            limit = self._limit_for(code)
            if self.snappy:
                payload = self._decompress(code, payload, limit)
            elif len(payload) > limit:
                raise MessageTooBig("message", size=len(payload), limit=limit, reason=TOO_LONG_REASON)
            yield MessageReceived(code, payload)

    def _decompress(self, code: int, payload: bytes, limit: int) -> bytes:
        try:
            return snappy.decompress(payload, limit)
        except MalformedMessage:
            # A peer that rejects our Hello sends Disconnect before it switches compression on (spec 01 pitfall 10).
            if code == DISCONNECT_CODE:
                return payload
            raise

    def _advance_handshake(self) -> HandshakeCompleted | None:
        data = bytes(self._buffer[:MAX_HANDSHAKE_BUFFER_BYTES])
        if isinstance(self._handshake, Initiator):
            finished = self._handshake.receive_ack(data)
            if finished is None:
                return None
            secrets, consumed = finished
        else:
            accepted = self._handshake.receive_auth(data)
            if accepted is None:
                return None
            secrets, consumed, self.remote = accepted.secrets, accepted.consumed, accepted.remote
            self._out.append(accepted.ack_packet)
        del self._buffer[:consumed]
        self._use(secrets)
        assert self.remote is not None
        return HandshakeCompleted(self.remote)

    def _use(self, secrets: Secrets) -> None:
        self._reader = FrameReader(secrets.aes, secrets.mac, secrets.ingress_mac)
        self._writer = FrameWriter(secrets.aes, secrets.mac, secrets.egress_mac)
