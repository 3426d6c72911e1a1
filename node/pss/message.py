"""The pss message: what travels from hop to hop (spec 06 section 2).

An RLP list of five byte strings. Knows the wire form, the digest and the size limits; nothing of what the payload
means, of keys, or of where the message goes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Self

from node.crypto.keccak import keccak256
from node.errors import LocalProtocolError, MalformedMessage, MessageTooBig
from node.ids import OVERLAY_ADDRESS_BYTES, TOPIC_BYTES, Digest, Topic
from node.rlp.codec import Encodable, Item, decode_first, encode, encode_list, encode_uint
from node.rlp.structure import bytes_from, list_from, uint_from, uint_item

MAX_MESSAGE_BYTES = 1024 * 1024
"""RLP of a message, after decompression (spec 06 section 1). The link is dropped for a byte more."""
MAX_ADDRESS_BYTES = OVERLAY_ADDRESS_BYTES
"""Length of To. One byte more kills a Go node outright (spec 06 section 2), so it is neither sent nor taken."""
MESSAGE_TTL_S = 120
"""Life of a message sent by the API, in seconds (spec 06 section 1: MsgTTL)."""

SYMMETRIC_FLAG = 0x01
RAW_FLAG = 0x02
_FLAGS = tuple(bytes([value]) for value in range(4))
_FIELDS = ("To", "Flags", "Expire", "Topic", "Payload")
_MAX_EXPIRE = 0xFFFFFFFF


class MessageKind(Enum):
    """How the payload is to be read. The value is what the kind adds to a plaintext, in bytes, at most."""

    RAW = 0
    # Container: flags 1, size 3, padding 16, signature 65. Then GCM tag 16 and nonce 12, or ECIES 113 (section 7).
    SYMMETRIC = 1 + 3 + 16 + 65 + 28
    ASYMMETRIC = 1 + 3 + 16 + 65 + 113


@dataclass(frozen=True, slots=True, kw_only=True)
class PssMessage:
    """A pss message.

    Attributes:
        to: recipient's overlay address, a leading part of it, or nothing: 0 to 32 bytes.
        raw: the payload is not pss encryption; wins over `symmetric`.
        symmetric: the payload is AES-GCM, not ECIES.
        expire: unix time in seconds after which the message is dropped; 32 bits.
        topic: 4 bytes.
        payload: envelope (spec 06 section 7) or, if raw, anything.

    Raises:
        LocalProtocolError: an address, topic or time that no message can carry.
    """

    to: bytes
    raw: bool = False
    symmetric: bool = False
    expire: int
    topic: Topic
    payload: bytes = field(repr=False)
    _wire: bytes | None = field(default=None, init=False, repr=False, compare=False)
    _digest: Digest | None = field(default=None, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if len(self.to) > MAX_ADDRESS_BYTES:
            raise LocalProtocolError("address too long")
        if len(self.topic) != TOPIC_BYTES:
            raise LocalProtocolError(f"topic must be {TOPIC_BYTES} bytes, got {len(self.topic)}")
        if not 0 <= self.expire <= _MAX_EXPIRE:
            raise LocalProtocolError(f"expiry must be unix seconds in 32 bits, got {self.expire}")

    @property
    def kind(self) -> MessageKind:
        """Raw if the raw flag is set, whatever the other says."""
        if self.raw:
            return MessageKind.RAW
        return MessageKind.SYMMETRIC if self.symmetric else MessageKind.ASYMMETRIC

    @property
    def digest(self) -> Digest:
        """Keccak-256 of address, topic and payload; flags and expiry are not covered (spec 06 section 2.1)."""
        if self._digest is None:
            object.__setattr__(self, "_digest", Digest(keccak256(self.to + self.topic + self.payload)))
        assert self._digest is not None
        return self._digest

    def encode(self) -> bytes:
        """The RLP; for a message that was decoded, the very bytes it came in.

        Raises:
            LocalProtocolError: larger than any receiver takes.
        """
        if self._wire is not None:
            return self._wire
        # Flags are a string of one byte, not an integer: zero is 00, never 80 (spec 06 section 2).
        wire = encode_list(
            [encode(self.to), self._flags, encode_uint(self.expire), encode(self.topic), encode(self.payload)]
        )
        if len(wire) > MAX_MESSAGE_BYTES:
            raise LocalProtocolError(f"message of {len(wire)} bytes is over the limit of {MAX_MESSAGE_BYTES}")
        object.__setattr__(self, "_wire", wire)
        return wire

    @classmethod
    def decode(cls, wire: bytes) -> Self:
        """Read a message from RLP.

        Raises:
            MessageTooBig: over MAX_MESSAGE_BYTES.
            MalformedMessage: anything else that is no message.
        """
        if len(wire) > MAX_MESSAGE_BYTES:
            raise MessageTooBig("pss message", size=len(wire), limit=MAX_MESSAGE_BYTES)
        return cls._of_strings(read_strings(wire, _FIELDS), wire)

    def to_rlp(self) -> Encodable:
        """The list that :func:`node.rlp.structure.encode_struct` encodes."""
        return [self.to, self._flags, uint_item(self.expire), self.topic, self.payload]

    @classmethod
    def from_rlp(cls, item: Item) -> Self:
        """Read a message from a list that is decoded already.

        Raises:
            MalformedMessage: it is no message.
        """
        strings = [bytes_from(one) for one in list_from(item)]
        if len(strings) != len(_FIELDS):
            raise MalformedMessage(f"pss message: expected {len(_FIELDS)} elements, got {len(strings)}")
        return cls._of_strings(strings, None)

    @classmethod
    def _of_strings(cls, strings: Sequence[bytes], wire: bytes | None) -> Self:
        to, flags, expire, topic, payload = strings
        if len(to) > MAX_ADDRESS_BYTES:
            raise MalformedMessage(f"pss message: To must be at most {MAX_ADDRESS_BYTES} bytes, got {len(to)}")
        if len(flags) != 1:
            raise MalformedMessage(f"pss message: Flags must be 1 byte, got {len(flags)}")
        if len(topic) != TOPIC_BYTES:
            raise MalformedMessage(f"pss message: Topic must be {TOPIC_BYTES} bytes, got {len(topic)}")
        bits = flags[0]
        message = cls(
            to=to,
            raw=bool(bits & RAW_FLAG),
            symmetric=bool(bits & SYMMETRIC_FLAG),
            expire=uint_from(expire, 32),
            topic=Topic(topic),
            payload=payload,
        )
        # A relay sends on the bytes it got: the codec takes canonical RLP only, so they are what encode() would
        # make. Unknown flag bits are the exception: ignored on input, zero on output.
        if wire is not None and bits < len(_FLAGS):
            object.__setattr__(message, "_wire", wire)
        return message

    @property
    def _flags(self) -> bytes:
        return _FLAGS[self.raw * RAW_FLAG | self.symmetric * SYMMETRIC_FLAG]


def max_plaintext_bytes(kind: MessageKind, address_bytes: int = MAX_ADDRESS_BYTES) -> int:
    """The largest plaintext that fits into a message of this kind to an address of this length."""
    # Headers: list 4, To 1 (0 for one small byte, not counted on), Flags 1, Expire 1 + 4, Topic 1 + 4, Payload 4.
    return MAX_MESSAGE_BYTES - (4 + 1 + address_bytes + 1 + 5 + 5 + 4) - kind.value


def check_plaintext_size(kind: MessageKind, address_bytes: int, size: int) -> None:
    """Refuse what would cost the receiver's link, which the reference's sender does not do.

    Raises:
        LocalProtocolError: a plaintext of `size` bytes does not fit.
    """
    limit = max_plaintext_bytes(kind, address_bytes)
    if size > limit:
        raise LocalProtocolError(f"message too long: {size} > {limit} bytes of plaintext")


def read_strings(data: bytes, names: Sequence[str]) -> list[bytes]:
    """The byte strings of an RLP list that holds exactly these.

    Reads by hand rather than through the codec, which would first make a million objects of the list of a million
    one-byte items that fits into a message.

    Raises:
        MalformedMessage: not canonical RLP, not a list, an element is a list, or their number is another.
    """
    at, size = _list_content(data), len(data)
    strings = []
    for name in names:
        if at >= size:
            raise MalformedMessage(f"pss message: the list ends before {name}")
        first = data[at]
        if first < 0x80:
            end = at + 1
            value = data[at:end]
        elif first < 0xB8:
            end = at + 1 + first - 0x80
            value = data[at + 1 : end]
            if end > size:
                raise MalformedMessage(f"pss message: {name} overruns the list by {end - size} bytes")
            if first == 0x81 and value[0] < 0x80:
                raise MalformedMessage(f"pss message: {name}: single byte below 0x80 must stand for itself")
        elif first < 0xC0:
            item, end = decode_first(data, at)
            value = bytes_from(item)
        else:
            raise MalformedMessage(f"pss message: {name} is a list")
        strings.append(value)
        at = end
    if at != size:
        raise MalformedMessage(f"pss message: more than {len(names)} elements")
    return strings


def _list_content(data: bytes) -> int:
    """Where the content of the one list begins that `data` must be."""
    first = data[0] if data else 0
    if first < 0xC0:
        raise MalformedMessage("pss message: empty" if not data else "pss message: expected a list")
    begin, length = 1, first - 0xC0
    if length > 55:
        begin += length - 55
        size_bytes = data[1:begin]
        length = int.from_bytes(size_bytes, "big")
        if length < 56 or size_bytes[0] == 0:
            raise MalformedMessage("pss message: list length is not in its shortest form")
    if begin + length != len(data):
        raise MalformedMessage(f"pss message: list of {begin + length} bytes in an input of {len(data)}")
    return begin
