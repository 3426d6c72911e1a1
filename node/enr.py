"""Signed node records, EIP-778, identity scheme v4 (spec 04 section 7)."""

from __future__ import annotations

import base64
import binascii
import ipaddress
import itertools
from dataclasses import dataclass
from typing import Self

from node.crypto.keccak import keccak256
from node.crypto.secp256k1 import InvalidKey, PrivateKey, PublicKey, recover
from node.enode import InvalidEnode, IPAddress, Node, parse_ip
from node.errors import MalformedMessage
from node.rlp.codec import Encodable, Item, decode, encode
from node.rlp.structure import bytes_from, list_from, uint_from, uint_item

MAX_RECORD_BYTES = 300
"""EIP-778."""
PREFIX = "enr:"
_SIGNATURE_BYTES = 64
_HALF_ORDER = 0x7FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF5D576E7357A4501DDFE92F46681B20A0
"""Half of the curve's order: a record's signature must have its s below."""


@dataclass(frozen=True, slots=True)
class Record:
    """A record whose signature holds."""

    node: Node
    """The key and, as far as the record tells, the endpoint; IPv4 if it has both."""
    seq: int
    """Higher ones are newer."""
    raw: bytes
    """The RLP, at most :data:`MAX_RECORD_BYTES`."""

    @property
    def text(self) -> str:
        """``enr:`` and base64url without padding."""
        return PREFIX + base64.urlsafe_b64encode(self.raw).rstrip(b"=").decode()

    def to_rlp(self) -> Encodable:
        """The record as an element of a message: a list, not a string."""
        return decode(self.raw)

    @classmethod
    def from_rlp(cls, item: Item) -> Self:
        """Read and verify an element of a message.

        Raises:
            MalformedMessage: naming what is wrong.
        """
        raw = encode(item)
        if len(raw) > MAX_RECORD_BYTES:
            raise MalformedMessage(f"record too big: {len(raw)} > {MAX_RECORD_BYTES} bytes")
        try:
            items = list_from(item)
            signature, content = bytes_from(items[0]), items[1:]
            seq = uint_from(content[0])
            return cls(_verified(signature, content, _pairs(content[1:])), seq, raw)
        except (InvalidKey, IndexError, KeyError, ValueError) as error:
            raise MalformedMessage(f"invalid record: {error}") from None


def make_record(key: PrivateKey, *, seq: int, ip: IPAddress, tcp: int = 0, udp: int = 0) -> Record:
    """Sign a record for an endpoint; ports of 0 are left out."""
    pairs: dict[bytes, bytes] = {
        b"id": b"v4",
        b"ip" if ip.version == 4 else b"ip6": ip.packed,
        b"secp256k1": key.public.compressed,
    }
    pairs |= {name: uint_item(port) for name, port in ((b"tcp", tcp), (b"udp", udp)) if port}
    content: list[Encodable] = [uint_item(seq), *(part for pair in sorted(pairs.items()) for part in pair)]
    signature = key.sign(keccak256(encode(content)))[:_SIGNATURE_BYTES]
    return Record(Node(key.public, ip, tcp, udp), seq, encode([signature, *content]))


def parse_record(text: str) -> Node:
    """Read and verify the text form of a record.

    Raises:
        InvalidEnode: naming what is wrong.
    """
    if not text.startswith(PREFIX):
        raise InvalidEnode("missing 'enr:' prefix for base64-encoded record")
    body = text.removeprefix(PREFIX)
    try:
        raw = base64.b64decode(body + "=" * (-len(body) % 4), altchars=b"-_", validate=True)
        if len(raw) > MAX_RECORD_BYTES:
            raise InvalidEnode(f"record too big: {len(raw)} > {MAX_RECORD_BYTES} bytes")
        return Record.from_rlp(decode(raw)).node
    except (binascii.Error, MalformedMessage, ValueError) as error:
        text = str(error)
        raise InvalidEnode(text if text.startswith("invalid record") else f"invalid record: {text}") from None


def _pairs(items: list[Item]) -> dict[bytes, Item]:
    keys = [bytes_from(key) for key in items[::2]]
    if len(items) % 2 or any(a >= b for a, b in itertools.pairwise(keys)):
        raise MalformedMessage("keys are not sorted, not unique or lack a value")
    return dict(zip(keys, items[1::2], strict=True))


def _verified(signature: bytes, content: list[Item], pairs: dict[bytes, Item]) -> Node:
    if pairs[b"id"] != b"v4":
        raise MalformedMessage("unknown identity scheme")
    key = PublicKey(bytes_from(pairs[b"secp256k1"]))
    digest = keccak256(encode(content))
    if len(signature) != _SIGNATURE_BYTES or int.from_bytes(signature[32:], "big") > _HALF_ORDER:
        raise MalformedMessage("invalid signature")
    # The record has no recovery id: one of the two must lead to its key.
    if not any(_recovers(digest, signature + bytes([v]), key) for v in (0, 1)):
        raise MalformedMessage("invalid signature")
    address = bytes_from(pairs.get(b"ip", pairs.get(b"ip6", b"")))
    tcp, udp = (uint_from(pairs.get(name, b""), 16) for name in (b"tcp", b"udp"))
    return Node(key, parse_ip(str(ipaddress.ip_address(address))) if address else None, tcp, udp)


def _recovers(digest: bytes, signature: bytes, key: PublicKey) -> bool:
    try:
        return recover(digest, signature) == key
    except InvalidKey:
        return False
