"""Typed protocols: declared messages, their codes and sizes (spec 02 section 10).

A message is a dataclass; its code is its place in :attr:`ProtocolSpec.messages`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from node.disconnect import DisconnectReason
from node.errors import LocalProtocolError, MalformedMessage, MessageTooBig
from node.rlp.codec import decode, encode, encode_list
from node.rlp.structure import bytes_from, decode_struct, encode_struct, list_from, uint_item

DEFAULT_MAX_MESSAGE_BYTES = 10 * 1024 * 1024
"""What bzz, hive and their siblings allow (spec 05 section 1.3)."""


class Wrapping(Enum):
    """The three incompatible forms of a payload; not negotiated (spec 02 section 10.2)."""

    PLAIN = "plain"
    CONTEXT = "context"
    """`[trace context, message]`: a reference node with tracing switched on."""
    LEGACY = "legacy"
    """`[trace context, size, message]`: before August 2019."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProtocolSpec:
    """A protocol by its messages."""

    name: str
    version: int
    messages: Sequence[type]
    max_message_bytes: int = DEFAULT_MAX_MESSAGE_BYTES
    wrapping: Wrapping = Wrapping.PLAIN
    _codes: dict[type, int] = field(init=False, repr=False, compare=False, default_factory=dict)

    def __post_init__(self) -> None:
        if len(set(self.messages)) != len(self.messages):
            raise ValueError(f"{self.name}: a message type is declared twice")
        self._codes.update({message: code for code, message in enumerate(self.messages)})

    @property
    def length(self) -> int:
        """How many message codes the protocol takes."""
        return len(self.messages)

    def encode(self, message: object) -> tuple[int, bytes]:
        """Code and payload of a message.

        Raises:
            LocalProtocolError: the type is not declared; nothing is to be sent.
        """
        code = self._codes.get(type(message))
        if code is None:
            raise LocalProtocolError(f"{self.name}: invalid message type {type(message).__name__}")
        return code, self._wrap(encode_struct(message))

    def decode(self, code: int, payload: bytes) -> Any:
        """The message in a payload.

        Raises:
            RemoteProtocolError: with reason SUBPROTOCOL_ERROR, too long, an unknown code, or not decodable.
        """
        if len(payload) > self.max_message_bytes:
            raise MessageTooBig(
                f"{self.name} message",
                size=len(payload),
                limit=self.max_message_bytes,
                reason=DisconnectReason.SUBPROTOCOL_ERROR,
            )
        if not 0 <= code < len(self.messages):
            raise MalformedMessage(
                f"{self.name}: invalid message code: {code}", reason=DisconnectReason.SUBPROTOCOL_ERROR
            )
        try:
            return decode_struct(self.messages[code], self._unwrap(payload))
        except MalformedMessage as error:
            raise MalformedMessage(
                f"{self.name}: invalid message #{code} ({len(payload)} bytes): {error}",
                reason=DisconnectReason.SUBPROTOCOL_ERROR,
            ) from None

    def _wrap(self, payload: bytes) -> bytes:
        match self.wrapping:
            case Wrapping.PLAIN:
                return payload
            case Wrapping.CONTEXT:
                return encode_list([encode(b""), encode(payload)])
            case Wrapping.LEGACY:
                return encode([b"", uint_item(len(payload)), payload])

    def _unwrap(self, payload: bytes) -> bytes:
        if self.wrapping is Wrapping.PLAIN:
            return payload
        items = list_from(decode(payload))
        wanted = 2 if self.wrapping is Wrapping.CONTEXT else 3
        if len(items) != wanted:
            raise MalformedMessage(f"wrapped message: expected {wanted} elements, got {len(items)}")
        return bytes_from(items[-1])
