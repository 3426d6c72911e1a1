"""The plaintext inside both kinds of envelope: flags, size, payload, padding, signature (spec 06 section 7.1).

Knows nothing of encryption, and nothing of who a sender is: a signature only gives a public key back, whose owner may
be anybody.
"""

from __future__ import annotations

import os
from typing import NamedTuple

from node.crypto.keccak import keccak256
from node.crypto.secp256k1 import SIGNATURE_BYTES, InvalidKey, PrivateKey, PublicKey, recover
from node.errors import DecryptionFailed, LocalProtocolError

PADDING_BYTES = 16
"""What a sender puts in (spec 06 section 1); a receiver takes any amount."""
MAX_PAYLOAD_BYTES = 0xFFFFFF
"""What three size bytes can say."""
_SIZE_MASK = 0x03
_SIGNED = 0x04


class Contents(NamedTuple):
    """What was in an envelope; `sender` is None if nobody signed."""

    payload: bytes
    sender: PublicKey | None


def build_container(payload: bytes, *, sender: PrivateKey | None, padding: bytes | None = None) -> bytes:
    """Lay out and sign a plaintext.

    Args:
        sender: signs; None leaves the container unsigned, which receivers accept and no Go node sends.
        padding: random by default; given to make a recorded plaintext again.

    Raises:
        LocalProtocolError: the payload does not fit three size bytes.
    """
    if len(payload) > MAX_PAYLOAD_BYTES:
        raise LocalProtocolError(f"payload of {len(payload)} bytes is over {MAX_PAYLOAD_BYTES}")
    size_bytes = max(1, (len(payload).bit_length() + 7) // 8)
    # The flag that says "signed" is itself under the signature.
    flags = size_bytes | (_SIGNED if sender else 0)
    size = len(payload).to_bytes(size_bytes, "little")
    body = bytes([flags]) + size + payload + (os.urandom(PADDING_BYTES) if padding is None else padding)
    return body + sender.sign(keccak256(body)) if sender else body


def parse_container(plaintext: bytes) -> Contents:
    """Take a plaintext apart. Padding of any length, unknown flag bits and a missing signature are accepted.

    Raises:
        DecryptionFailed: not well formed, or the signature gives no key; the texts are the reference's.
    """
    if not plaintext:
        raise DecryptionFailed("empty message")
    flags, end = plaintext[0], len(plaintext)
    sender = None
    if flags & _SIGNED:
        end -= SIGNATURE_BYTES
        if end <= 1:
            raise DecryptionFailed("empty expected signature")
        try:
            sender = recover(keccak256(plaintext[:end]), plaintext[end:])
        except InvalidKey as error:
            raise DecryptionFailed("incorrect signature") from error
    begin = 1 + (flags & _SIZE_MASK)
    size = int.from_bytes(plaintext[1:begin], "little")
    # Also where the size bytes themselves are cut off; the reference dies on some of these (spec 06 section 7.1).
    if begin + size > end:
        raise DecryptionFailed("incorrect payload size")
    return Contents(plaintext[begin : begin + size], sender)
