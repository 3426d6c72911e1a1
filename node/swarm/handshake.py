"""The bzz handshake: one message each way, checked, within three seconds (spec 05 section 5.2).

Knows what to say and what to accept; sending, receiving and the time limit belong to the caller.
"""

from __future__ import annotations

from enum import Enum, auto

from node.disconnect import DisconnectReason
from node.errors import MalformedMessage, RemoteProtocolError, UnexpectedMessage
from node.swarm.address import BzzAddr
from node.swarm.messages import BZZ_VERSION, HandshakeMsg, decode_bzz

HANDSHAKE_TIMEOUT_S = 3.0
"""For the whole exchange, and for every protocol that waits for it to complete (spec 05 section 5.2)."""


def check_handshake(message: HandshakeMsg, *, network_id: int) -> None:
    """Check a received handshake, in the reference's order and with its texts.

    Raises:
        RemoteProtocolError: other network, other version, or capabilities that are neither full nor light.
        MalformedMessage: a record too large to be kept and passed on (ours; the reference has no limit).
    """
    reason = DisconnectReason.SUBPROTOCOL_ERROR
    if message.network_id != network_id:
        raise RemoteProtocolError(f"network id mismatch {message.network_id} (!= {network_id})", reason=reason)
    if message.version != BZZ_VERSION:
        raise RemoteProtocolError(f"version mismatch {message.version} (!= {BZZ_VERSION})", reason=reason)
    capabilities = message.address.capabilities
    if not capabilities.legal_in_handshake:
        raise RemoteProtocolError(f"invalid capabilities setting: {capabilities}", reason=reason)
    if not message.address.storable:
        raise MalformedMessage("address record too long", reason=reason)


class HandshakeState(Enum):
    """How far the exchange is."""

    WAITING = auto()
    """For the remote handshake."""
    DONE = auto()
    FAILED = auto()


class BzzHandshake:
    """The exchange on one connection.

    We speak first on both sides of a connection: the reference's listener waits for the dialer, but either order is
    accepted, and a listener that does not wait saves a round trip.
    """

    def __init__(self, *, address: BzzAddr, network_id: int) -> None:
        """Prepare our side.

        Args:
            address: our own record.
            network_id: the only one we accept.
        """
        self.local = HandshakeMsg(network_id=network_id, address=address)
        """What to send, at once and only once."""
        self.state = HandshakeState.WAITING
        self._remote: BzzAddr | None = None

    @property
    def remote(self) -> BzzAddr:
        """The peer's record.

        Raises:
            ValueError: the exchange is not done.
        """
        if self._remote is None:
            raise ValueError("the bzz handshake is not done")
        return self._remote

    def receive(self, code: int, payload: bytes) -> BzzAddr:
        """Take a message of the bzz protocol; the first completes the exchange, any other is an offence.

        Raises:
            RemoteProtocolError: malformed, refused, or not the first message; `reason` says what to tell the peer.
        """
        if self.state is not HandshakeState.WAITING:
            reason = DisconnectReason.SUBPROTOCOL_ERROR
            raise UnexpectedMessage(expected="no bzz message after the handshake", got=f"code {code}", reason=reason)
        # Set first, so that whatever is wrong with the message leaves us in the final state.
        self.state = HandshakeState.FAILED
        message = decode_bzz(code, payload)
        check_handshake(message, network_id=self.local.network_id)
        self._remote, self.state = message.address, HandshakeState.DONE
        return message.address
