"""Messages of the protocols bzz/14 and hive/11 (spec 05 sections 5.1 and 6).

The classes bring their RLP form, so :func:`node.rlp.structure.encode_struct` and ``decode_struct`` take them. Knows
nothing of when a message may come.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Self, TypeAlias, TypeVar

from node.disconnect import DisconnectReason
from node.errors import MalformedMessage, MessageTooBig, RemoteProtocolError
from node.ids import OVERLAY_ADDRESS_BYTES
from node.rlp.codec import Encodable, Item
from node.rlp.structure import Uint8, decode_struct, encode_struct, list_from, uint_from, uint_item
from node.swarm.address import ITEMS_PER_ADDRESS, BzzAddr, check_items

BZZ_NAME: Final = "bzz"
BZZ_VERSION: Final = 14
HIVE_NAME: Final = "hive"
HIVE_VERSION: Final = 11
MAX_MESSAGE_BYTES: Final = 10 * 1024 * 1024
"""Largest payload of a bzz or hive message (spec 05 section 1.3); one of exactly this size still passes."""

HANDSHAKE_ITEMS = 2 + ITEMS_PER_ADDRESS
"""Version, network id and a flattened address record."""

M = TypeVar("M")


@dataclass(frozen=True, slots=True, kw_only=True)
class HandshakeMsg:
    """bzz message 0: who the sender is.

    Attributes:
        version: of the bzz protocol; 14.
        network_id: unsigned 64-bit number.
        address: the sender's record.
    """

    version: int = BZZ_VERSION
    network_id: int
    address: BzzAddr

    def to_rlp(self) -> Encodable:
        """A flat list of five items."""
        return [uint_item(self.version), uint_item(self.network_id), *self.address.to_items()]

    @classmethod
    def from_rlp(cls, item: Item) -> Self:
        """Decode; exactly five items.

        Raises:
            MalformedMessage: anything else.
        """
        items = list_from(item)
        if len(items) != HANDSHAKE_ITEMS:
            raise MalformedMessage(f"handshake: expected {HANDSHAKE_ITEMS} items, got {len(items)}")
        version, network_id = uint_from(items[0]), uint_from(items[1])
        return cls(version=version, network_id=network_id, address=BzzAddr.from_items(items[2:]))


@dataclass(frozen=True, slots=True, kw_only=True)
class PeersMsg:
    """hive message 0: here are peers.

    Attributes:
        peers: their records. Those whose overlay address is not 32 bytes were left out when decoding.
    """

    peers: tuple[BzzAddr, ...] = ()

    def to_rlp(self) -> Encodable:
        """A list whose one element is a flat list of three items per peer."""
        return [[part for peer in self.peers for part in peer.to_items()]]

    @classmethod
    def from_rlp(cls, item: Item) -> Self:
        """Decode with the tolerance of the reference.

        Raises:
            MalformedMessage: not a list in a list, or items are left over behind a record that does not decode.
        """
        outer = list_from(item)
        if len(outer) != 1:
            raise MalformedMessage(f"peers: expected 1 element, got {len(outer)}")
        return cls(peers=tuple(_records(list_from(outer[0]))))


def _records(items: list[Item]) -> list[BzzAddr]:
    """The records of a flat list, up to the first that does not decode.

    A broken record is forgiven if it is the last thing in the list and was read to its end (spec 05 section 6); the
    reference reads item by item, so a list in place of a string stops it with that list unread.
    """
    records: list[BzzAddr] = []
    for start in range(0, len(items), ITEMS_PER_ADDRESS):
        record = items[start : start + ITEMS_PER_ADDRESS]
        try:
            overlay, underlay, capabilities_rlp = check_items(record)
        except MalformedMessage as error:
            if start + len(record) < len(items) or any(isinstance(part, list) for part in record):
                raise MalformedMessage(f"peers: items left over after record {len(records)}: {error}") from None
            break
        # A short overlay address would make a reference node crash; we neither keep it nor pass it on.
        if len(overlay) == OVERLAY_ADDRESS_BYTES:
            records.append(BzzAddr.from_items([overlay, underlay, capabilities_rlp]))
    return records


@dataclass(frozen=True, slots=True, kw_only=True)
class SubPeersMsg:
    """hive message 1: tell me about peers at this proximity order or nearer.

    Attributes:
        depth: the sender's saturation depth; 0..255.
    """

    depth: Uint8


HiveMessage: TypeAlias = PeersMsg | SubPeersMsg

BZZ_MESSAGES: Final = (HandshakeMsg,)
"""Message types by code."""
HIVE_MESSAGES: Final = (PeersMsg, SubPeersMsg)
"""Message types by code."""
BZZ_LENGTH: Final = len(BZZ_MESSAGES)
HIVE_LENGTH: Final = len(HIVE_MESSAGES)
"""Message codes that a protocol takes up in a session; both sides must agree on it (spec 05 section 1.1)."""


def encode_message(message: HandshakeMsg | HiveMessage) -> tuple[int, bytes]:
    """Code within its protocol, and payload."""
    code = 1 if isinstance(message, SubPeersMsg) else 0
    return code, encode_struct(message)


def decode_bzz(code: int, payload: bytes) -> HandshakeMsg:
    """Decode a message of bzz/14.

    Raises:
        RemoteProtocolError: unknown code, too big or malformed; `reason` is SUBPROTOCOL_ERROR.
    """
    _check_envelope(BZZ_MESSAGES, code, payload)
    return _decode(HandshakeMsg, payload)


def decode_hive(code: int, payload: bytes) -> HiveMessage:
    """Decode a message of hive/11.

    Raises:
        RemoteProtocolError: unknown code, too big or malformed; `reason` is SUBPROTOCOL_ERROR.
    """
    _check_envelope(HIVE_MESSAGES, code, payload)
    return _decode(PeersMsg, payload) if code == 0 else _decode(SubPeersMsg, payload)


def _check_envelope(types: Sequence[type], code: int, payload: bytes) -> None:
    if len(payload) > MAX_MESSAGE_BYTES:
        reason = DisconnectReason.SUBPROTOCOL_ERROR
        raise MessageTooBig("message", size=len(payload), limit=MAX_MESSAGE_BYTES, reason=reason)
    if not 0 <= code < len(types):
        raise MalformedMessage(f"invalid message code: {code}", reason=DisconnectReason.SUBPROTOCOL_ERROR)


def _decode(cls: type[M], payload: bytes) -> M:
    try:
        return decode_struct(cls, payload)
    except RemoteProtocolError as error:
        error.reason = DisconnectReason.SUBPROTOCOL_ERROR
        raise
