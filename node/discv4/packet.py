"""The six packets and their envelope: hash, signature, type, body (spec 04 sections 2 and 3).

Further elements at the end of a body and bytes behind it are ignored, so that later versions may add some. What a
packet means, whether it was asked for and whether it is too old is not decided here.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Annotated, TypeAlias

from node.crypto.keccak import keccak256
from node.crypto.secp256k1 import PUBLIC_KEY_BYTES, SIGNATURE_BYTES, InvalidKey, PrivateKey, PublicKey, recover
from node.discv4.endpoint import Endpoint, Neighbor
from node.enr import Record
from node.errors import MalformedMessage
from node.rlp.codec import decode_first
from node.rlp.structure import Length, Rest, Uint64, encode_struct, from_item, uint_from, uint_item

MAX_PACKET_BYTES = 1280
HASH_BYTES = 32
HEADER_BYTES = HASH_BYTES + SIGNATURE_BYTES
MIN_PACKET_BYTES = HEADER_BYTES + 1
VERSION = 4
NEVER = 1 << 63
"""Expirations from here on are negative where they are read as signed 64-bit seconds: expired."""
MAX_NEIGHBORS = 12
"""Nodes in one NEIGHBORS packet; with IPv6 addresses there is room for no more."""


class PacketType(IntEnum):
    """The byte in front of the body."""

    PING = 1
    PONG = 2
    FINDNODE = 3
    NEIGHBORS = 4
    ENRREQUEST = 5
    ENRRESPONSE = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Ping:
    """Are you there?"""

    version: Uint64 = VERSION
    """Not checked."""
    sender: Endpoint
    """The sender's view of itself; only `tcp` is believed."""
    to: Endpoint
    expiration: Uint64
    """Unix seconds; so in all packets."""
    rest: Rest = ()

    @property
    def enr_seq(self) -> int:
        return _seq(self.rest)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pong:
    """The answer to PING."""

    to: Endpoint
    """Where the PING came from."""
    ping_hash: bytes
    expiration: Uint64
    rest: Rest = ()

    @property
    def enr_seq(self) -> int:
        return _seq(self.rest)


@dataclass(frozen=True, slots=True, kw_only=True)
class FindNode:
    """Whom do you know near `target`?"""

    target: Annotated[bytes, Length(PUBLIC_KEY_BYTES)]
    """A key, or 64 bytes that are none; its Keccak-256 is the point in question."""
    expiration: Uint64
    rest: Rest = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Neighbors:
    """The answer to FINDNODE, or a part of it."""

    nodes: list[Neighbor]
    expiration: Uint64
    rest: Rest = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class EnrRequest:
    """What is your record?"""

    expiration: Uint64
    rest: Rest = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class EnrResponse:
    """The answer to ENRREQUEST; it does not expire."""

    request_hash: bytes
    record: Record
    """With a signature that holds."""
    rest: Rest = ()


Packet: TypeAlias = Ping | Pong | FindNode | Neighbors | EnrRequest | EnrResponse
_CLASSES: dict[PacketType, type[Packet]] = {
    PacketType.PING: Ping,
    PacketType.PONG: Pong,
    PacketType.FINDNODE: FindNode,
    PacketType.NEIGHBORS: Neighbors,
    PacketType.ENRREQUEST: EnrRequest,
    PacketType.ENRRESPONSE: EnrResponse,
}
_TYPES = {cls: number for number, cls in _CLASSES.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """A packet that is well formed and signed."""

    packet: Packet
    sender: PublicKey
    hash: bytes
    """Names the packet in the answer to it."""


def encode_packet(key: PrivateKey, packet: Packet) -> bytes:
    """Sign a packet.

    Returns:
        The datagram; its first :data:`HASH_BYTES` are the packet's hash.
    """
    content = bytes([_TYPES[type(packet)]]) + encode_struct(packet)
    # Two hashes: the signature covers type and body, the packet's hash covers the signature as well.
    signed = key.sign(keccak256(content)) + content
    return keccak256(signed) + signed


def decode_packet(datagram: bytes) -> Received:
    """Read a datagram and find out who signed it.

    Raises:
        MalformedMessage: wrong size, hash, signature or type, or a body that does not decode.
    """
    if not MIN_PACKET_BYTES <= len(datagram) <= MAX_PACKET_BYTES:
        raise MalformedMessage(f"packet of {len(datagram)} bytes, want {MIN_PACKET_BYTES} to {MAX_PACKET_BYTES}")
    digest = datagram[:HASH_BYTES]
    if keccak256(datagram[HASH_BYTES:]) != digest:
        raise MalformedMessage("packet hash does not match")
    try:
        cls = _CLASSES[PacketType(datagram[HEADER_BYTES])]
    except ValueError:
        raise MalformedMessage(f"unknown packet type {datagram[HEADER_BYTES]}") from None
    # Recovering a key is the dear part, so the body comes first.
    packet = from_item(cls, decode_first(datagram, MIN_PACKET_BYTES)[0])
    try:
        sender = recover(keccak256(datagram[HEADER_BYTES:]), datagram[HASH_BYTES:HEADER_BYTES])
    except InvalidKey as error:
        raise MalformedMessage(f"packet signature: {error}") from None
    return Received(packet=packet, sender=sender, hash=digest)


def expired(expiration: int, unix_now: float) -> bool:
    """Whether a packet is too old; one stamped with the current second is, unless that second just began."""
    return expiration >= NEVER or expiration < unix_now


def seq_element(seq: int) -> tuple[bytes]:
    """The `rest` of a PING or PONG that tells our record's sequence number (EIP-868)."""
    return (uint_item(seq),)


def _seq(rest: Rest) -> int:
    """The record's sequence number if there is one."""
    try:
        return uint_from(rest[0]) if rest else 0
    except MalformedMessage:
        return 0
