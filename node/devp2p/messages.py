"""Messages of the base protocol: Hello, Disconnect, Ping, Pong (spec 02 sections 1 to 5)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Annotated

from node.disconnect import DisconnectReason
from node.errors import MalformedMessage, MessageTooBig, RemoteProtocolError
from node.rlp.codec import decode_first
from node.rlp.structure import Length, Rest, Uint64, encode_struct, from_item, list_from, uint_from

BASE_VERSION = 5
"""The devp2p version we announce; from the same version on, a peer's payloads are compressed."""
SNAPPY_VERSION = 5
BASE_LENGTH = 16
"""Message codes that belong to the base protocol."""
MAX_HELLO_BYTES = 2048
PUBLIC_KEY_BYTES = 64


class BaseCode(IntEnum):
    """Wire codes of the base protocol; 4 to 15 are reserved and ignored."""

    HELLO = 0
    DISCONNECT = 1
    PING = 2
    PONG = 3


EMPTY_LIST = b"\xc0"
"""Payload of Ping and Pong; whatever a peer sends there is not looked at."""


@dataclass(frozen=True, slots=True, order=True)
class Capability:
    """A protocol name and version; sorted as capabilities are announced."""

    name: str
    version: Uint64

    def __str__(self) -> str:
        return f"{self.name}/{self.version}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Hello:
    """The first message of each side."""

    version: Uint64
    name: str
    caps: list[Capability]
    listen_port: Uint64 = 0
    """Always sent as 0 and ignored on receipt."""
    id: Annotated[bytes, Length(PUBLIC_KEY_BYTES)]
    rest: Rest = ()

    def encode(self) -> bytes:
        """The payload; capabilities in the order given."""
        return encode_struct(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class _LooseHello:
    """As it may arrive: the id is checked afterwards, because a bad one has its own Disconnect reason."""

    version: Uint64
    name: str
    caps: list[Capability]
    listen_port: Uint64
    id: bytes
    rest: Rest = ()


def decode_hello(payload: bytes) -> Hello:
    """Read a Hello; further elements and bytes behind the list are ignored.

    Raises:
        MessageTooBig, MalformedMessage: to be answered with silence.
        RemoteProtocolError: with reason INVALID_IDENTITY, the id is not 64 bytes or all zero.
    """
    if len(payload) > MAX_HELLO_BYTES:
        raise MessageTooBig("Hello", size=len(payload), limit=MAX_HELLO_BYTES)
    loose = from_item(_LooseHello, decode_first(payload)[0])
    if len(loose.id) != PUBLIC_KEY_BYTES or not any(loose.id):
        raise RemoteProtocolError("invalid node identity in Hello", reason=DisconnectReason.INVALID_IDENTITY)
    return Hello(
        version=loose.version,
        name=loose.name,
        caps=loose.caps,
        listen_port=loose.listen_port,
        id=loose.id,
        rest=loose.rest,
    )


def encode_disconnect(reason: DisconnectReason) -> bytes:
    """A one-element list."""
    return b"\xc1" + (reason.to_bytes(1, "big") if reason else b"\x80")


def decode_disconnect(payload: bytes) -> int:
    """The reason number, read as the reference does: what cannot be decoded is 0 (spec 02 section 4.2)."""
    try:
        items = list_from(decode_first(payload)[0])
        return uint_from(items[0]) if items else 0
    except MalformedMessage:
        return _reason_before_the_break(payload)


def _reason_before_the_break(payload: bytes) -> int:
    """The first element of a list that is broken later on."""
    if not payload or not 0xC0 < payload[0] < 0xF8:
        return 0
    try:
        return uint_from(decode_first(payload, 1)[0])
    except MalformedMessage:
        return 0
