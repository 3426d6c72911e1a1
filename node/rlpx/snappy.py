"""Snappy block compression with the size checked first (spec 01 section 6)."""

from __future__ import annotations

import cramjam

from node.disconnect import DisconnectReason
from node.errors import MalformedMessage, MessageTooBig

MAX_DECOMPRESSED_BYTES = (1 << 24) - 1
"""Greatest payload before compression; the reference's maxUint24."""
_MAX_VARINT_BYTES = 5


def compress(payload: bytes) -> bytes:
    """One raw snappy block."""
    return bytes(cramjam.snappy.compress_raw(payload))


def decompress(block: bytes, limit: int = MAX_DECOMPRESSED_BYTES) -> bytes:
    """Open one raw snappy block.

    Raises:
        MessageTooBig: it says it holds more than `limit` bytes; nothing was allocated. Over a limit lower than
            MAX_DECOMPRESSED_BYTES, a protocol's own, with a reason to give.
        MalformedMessage: not a snappy block.
    """
    size = _declared_size(block)
    if size > MAX_DECOMPRESSED_BYTES:
        raise MessageTooBig("decompressed message", size=size, limit=MAX_DECOMPRESSED_BYTES)
    if size > limit:
        reason = DisconnectReason.SUBPROTOCOL_ERROR
        raise MessageTooBig("decompressed message", size=size, limit=limit, reason=reason)
    try:
        payload = bytes(cramjam.snappy.decompress_raw(block))
    except cramjam.DecompressionError as error:
        raise MalformedMessage(f"snappy: corrupt input ({error})") from None
    if len(payload) != size:
        raise MalformedMessage(f"snappy: corrupt input (declared {size} bytes, found {len(payload)})")
    return payload


def _declared_size(block: bytes) -> int:
    size = shift = 0
    for byte in block[:_MAX_VARINT_BYTES]:
        size |= (byte & 0x7F) << shift
        if byte < 0x80:
            return size
        shift += 7
    raise MalformedMessage("snappy: corrupt input (no length)")
