"""The error tree of the node. Catch :class:`LabError` at the edges and nothing wider.

::

    LabError
      ProtocolError                abstract; .reason is what to tell the peer
        LocalProtocolError         our caller asked for what the specification forbids
        RemoteProtocolError        the peer broke a rule: log it, disconnect
          MalformedMessage         the bytes do not decode
          UnexpectedMessage        decodes, but not now
          AuthenticationFailed     an ECIES tag or a frame MAC does not match
          MessageTooBig            over a limit; .size and .limit in bytes
          HandshakeTimeout         the peer did not say in time what it had to
      PeerDisconnected             the session is over; .reason, .by_remote
      DialFailed                   no connection came about; .target
      ConfigError                  a flag, environment variable or file is wrong
      RPCError                     a JSON-RPC error object; .code, .message, .data
      PssError                     abstract
        UnknownKey, UnknownTopic   not in the key store
        DecryptionFailed           no key of ours opens it
        OutboxFull                 too many messages are waiting for a peer

Decoding bytes of a peer raises :class:`RemoteProtocolError` and nothing else; anything else is a bug in this package.
Texts say what was expected and what came. They never contain key material.
"""

from __future__ import annotations

from node.disconnect import DisconnectReason


class LabError(Exception):
    """Root of everything this project raises on purpose."""


class ProtocolError(LabError):
    """A rule of a wire protocol was broken. Raise one of the two subclasses.

    Attributes:
        reason: what to send to the peer in Disconnect; None closes the connection without a word.
    """

    reason: DisconnectReason | None = None

    def __init__(self, message: str, *, reason: DisconnectReason | None = None) -> None:
        super().__init__(message)
        if reason is not None:
            self.reason = reason


class LocalProtocolError(ProtocolError):
    """Our own side asked for what the specification forbids; the connection is untouched."""


class RemoteProtocolError(ProtocolError):
    """The peer broke a rule."""


class MalformedMessage(RemoteProtocolError):
    """The bytes do not decode."""


class UnexpectedMessage(RemoteProtocolError):
    """A message that may not come in this state."""

    def __init__(self, *, expected: str, got: str, reason: DisconnectReason | None = None) -> None:
        super().__init__(f"expected {expected}, got {got}", reason=reason)
        self.expected, self.got = expected, got


class AuthenticationFailed(RemoteProtocolError):
    """An ECIES tag or a frame MAC does not match."""


class MessageTooBig(RemoteProtocolError):
    """Something is larger than a limit allows; sizes in bytes."""

    def __init__(self, what: str, *, size: int, limit: int, reason: DisconnectReason | None = None) -> None:
        super().__init__(f"{what} too big: {size} > {limit} bytes", reason=reason)
        self.size, self.limit = size, limit


class HandshakeTimeout(RemoteProtocolError):
    """The peer did not finish a handshake in time."""


class PeerDisconnected(LabError):
    """The session with a peer is over.

    Attributes:
        reason: the Disconnect reason, None when the connection just ended.
        by_remote: whether the peer ended it.
    """

    def __init__(self, text: str, *, reason: DisconnectReason | int | None = None, by_remote: bool = True) -> None:
        super().__init__(text)
        self.reason, self.by_remote = reason, by_remote


class DialFailed(LabError):
    """No connection to a node came about."""

    def __init__(self, target: str, why: str) -> None:
        super().__init__(f"dialing {target}: {why}")
        self.target = target


class ConfigError(LabError):
    """A flag, an environment variable or a file says something impossible."""


class RPCError(LabError):
    """A JSON-RPC error object (spec 03 section 2.2)."""

    def __init__(self, code: int, message: str, data: object = None) -> None:
        super().__init__(message)
        self.code, self.message, self.data = code, message, data


class PssError(LabError):
    """Something about sending or receiving pss messages."""


class UnknownKey(PssError):
    """A key id that the key store does not hold."""


class UnknownTopic(PssError):
    """A key that is not registered for this topic."""


class DecryptionFailed(PssError):
    """No key of ours opens the message, or its contents are not well formed."""


class OutboxFull(PssError):
    """Too many messages already wait for a peer to take them."""
