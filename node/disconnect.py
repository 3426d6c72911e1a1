"""Disconnect reasons and their wire numbers (spec 02 section 3)."""

from __future__ import annotations

from enum import IntEnum


class DisconnectReason(IntEnum):
    """Why a devp2p session ends. The number is what goes on the wire."""

    REQUESTED = 0
    NETWORK_ERROR = 1
    """Never put on the wire: the connection is just closed."""
    PROTOCOL_ERROR = 2
    USELESS_PEER = 3
    TOO_MANY_PEERS = 4
    ALREADY_CONNECTED = 5
    INCOMPATIBLE_VERSION = 6
    INVALID_IDENTITY = 7
    QUITTING = 8
    UNEXPECTED_IDENTITY = 9
    SELF = 10
    READ_TIMEOUT = 11
    SUBPROTOCOL_ERROR = 16

    @property
    def text(self) -> str:
        """The wording of the reference, as it stands in `drop` events."""
        return _TEXTS[self]


_TEXTS = {
    DisconnectReason.REQUESTED: "disconnect requested",
    DisconnectReason.NETWORK_ERROR: "network error",
    DisconnectReason.PROTOCOL_ERROR: "breach of protocol",
    DisconnectReason.USELESS_PEER: "useless peer",
    DisconnectReason.TOO_MANY_PEERS: "too many peers",
    DisconnectReason.ALREADY_CONNECTED: "already connected",
    DisconnectReason.INCOMPATIBLE_VERSION: "incompatible p2p protocol version",
    DisconnectReason.INVALID_IDENTITY: "invalid node identity",
    DisconnectReason.QUITTING: "client quitting",
    DisconnectReason.UNEXPECTED_IDENTITY: "unexpected identity",
    DisconnectReason.SELF: "connected to self",
    DisconnectReason.READ_TIMEOUT: "read timeout",
    DisconnectReason.SUBPROTOCOL_ERROR: "subprotocol error",
}


def reason_text(number: int) -> str:
    """Text for any reason number that a peer may send, known or not."""
    try:
        return DisconnectReason(number).text
    except ValueError:
        return "" if number <= DisconnectReason.SUBPROTOCOL_ERROR else f"unknown disconnect reason {number}"
