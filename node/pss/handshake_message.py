"""The message that carries symmetric keys from one node to another (spec 07 section A2).

The plaintext of an asymmetric pss message. Knows the wire form and its limits; what is done with the keys is
:mod:`node.pss.handshake`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated

from node.errors import MalformedMessage
from node.ids import TOPIC_BYTES, Topic
from node.pss.message import MAX_ADDRESS_BYTES
from node.rlp.structure import Length, MaxLength, Uint8, Uint16, decode_struct, encode_struct

MAX_KEYS = 255
"""Keys in one message. A message can ask for no more, and the reference, when its subtraction underflows, sends 253
(spec 07 section A6, row 3)."""
MAX_KEY_MESSAGE_BYTES = 16 * 1024
"""Ours: the longest message of 255 keys has 8.5 KB. Looked at before anything is decoded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyMessage:
    """Keys for the recipient to send with, and how many it should send back.

    Attributes:
        address: sender's overlay address, which becomes the address to send to with these keys: 0 to 32 bytes.
        limit: how many messages each key is good for.
        keys: of any length, as far as this codec is concerned; only 32 bytes make a key.
        request: how many keys are wanted in return.
        topic: the topic the keys are for, 4 bytes; this field counts, not the topic of the envelope.
    """

    address: Annotated[bytes, MaxLength(MAX_ADDRESS_BYTES)]
    limit: Uint16
    keys: tuple[bytes, ...] = field(repr=False)
    request: Uint8
    topic: Annotated[Topic, Length(TOPIC_BYTES)]


def encode_key_message(message: KeyMessage) -> bytes:
    """The RLP.

    Raises:
        ValueError: a field that is out of its range (our bug).
    """
    return encode_struct(message)


def decode_key_message(payload: bytes) -> KeyMessage:
    """Read a message from RLP.

    An address of more than 32 bytes is refused, though the reference takes it: a message sent to it would end every
    reference node on its way (spec 06 section 2).

    Raises:
        MalformedMessage: it is something else, as most of what comes on an application's topic, or too much.
    """
    if len(payload) > MAX_KEY_MESSAGE_BYTES:
        raise MalformedMessage(f"key message: {len(payload)} > {MAX_KEY_MESSAGE_BYTES} bytes")
    message = decode_struct(KeyMessage, payload)
    if len(message.keys) > MAX_KEYS:
        raise MalformedMessage(f"key message: {len(message.keys)} > {MAX_KEYS} keys")
    return message
