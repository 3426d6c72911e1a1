"""The messages of publish and subscribe (spec 07 part E): an RLP list of code, name and payload."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum

from node.errors import MalformedMessage
from node.ids import Topic
from node.pss.crypto import SYMMETRIC_KEY_BYTES
from node.pss.message import MAX_ADDRESS_BYTES
from node.rlp.structure import Uint8, decode_struct, encode_struct

CONTROL_TOPIC = Topic(bytes.fromhex("00000001"))
"""Where subscribers and providers talk; notifications travel on the topic of their name."""


class NotifyCode(IntEnum):
    """What a message is."""

    START = 0
    """Subscriber to provider: send me what is called `name`. Payload: the subscriber's overlay address."""
    NOTIFY_WITH_KEY = 1
    """The answer. Payload: a notification, so far always empty, and the key for those to come, 32 bytes."""
    NOTIFY = 2
    """Provider to its subscribers, with that key, on the topic of the name. Payload: the notification."""
    STOP = 3
    """Subscriber to provider: no more. Payload: an address, in the reference not that of the subscriber."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NotifyMessage:
    """A message.

    Attributes:
        code: one of :class:`NotifyCode`.
        name: what notifications are about, any bytes.
        payload: depends on the code; may hold a key.
    """

    code: Uint8
    name: bytes
    payload: bytes = field(repr=False)


def encode_notify_message(code: NotifyCode, name: bytes, payload: bytes) -> bytes:
    """The RLP."""
    return encode_struct(NotifyMessage(code=code, name=name, payload=payload))


def decode_notify_message(wire: bytes) -> NotifyMessage:
    """Read a message from RLP.

    Lengths that crash the reference are refused here: a key message without a whole key, a subscriber whose address
    no message can carry.

    Raises:
        MalformedMessage: no such message.
    """
    message = decode_struct(NotifyMessage, wire)
    size = len(message.payload)
    match message.code:
        case NotifyCode.START | NotifyCode.STOP:
            if size > MAX_ADDRESS_BYTES:
                raise MalformedMessage(f"notify message: address of {size} > {MAX_ADDRESS_BYTES} bytes")
        case NotifyCode.NOTIFY_WITH_KEY:
            if size < SYMMETRIC_KEY_BYTES:
                raise MalformedMessage(f"notify message: expected a key of {SYMMETRIC_KEY_BYTES} bytes, got {size}")
        case NotifyCode.NOTIFY:
            pass
        case _:
            raise MalformedMessage(f"notify message: unknown code {message.code}")
    return message
