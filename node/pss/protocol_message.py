"""A devp2p message as the plaintext of a pss message (spec 07 section B2).

Knows the wire form only. Codes are those of the protocol: there is no offset here as there is on a connection.
"""

from __future__ import annotations

import datetime
from dataclasses import dataclass, field

from node.errors import MalformedMessage
from node.rlp.structure import Uint32, Uint64, decode_struct, encode_struct


@dataclass(frozen=True, slots=True, kw_only=True)
class ProtocolMessage:
    """A message of a protocol.

    Attributes:
        code: relative to the protocol; 64 bits.
        size: length of the payload as the sender has it, in bytes. Not compared with anything.
        payload: RLP of the message, carried as a byte string.
        received_at: a Go time, which has no RLP fields: always an empty list on the wire.
    """

    code: Uint64
    size: Uint32
    payload: bytes = field(repr=False)
    received_at: datetime.datetime = datetime.datetime.min


def encode_protocol_message(code: int, payload: bytes) -> bytes:
    """The plaintext for a message.

    Raises:
        ValueError: a code of more than 64 bits, or a payload that is over 4 GB.
    """
    return encode_struct(ProtocolMessage(code=code, size=len(payload), payload=payload))


def decode_protocol_message(plaintext: bytes) -> ProtocolMessage:
    """The message in a plaintext.

    Raises:
        MalformedMessage: not four items, the last of them not an empty list, trailing bytes, or no RLP at all.
    """
    try:
        return decode_struct(ProtocolMessage, plaintext)
    except MalformedMessage as error:
        raise MalformedMessage(f"could not decode pssmsg: {error}") from None
