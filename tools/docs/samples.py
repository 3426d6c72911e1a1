"""Names that the ```pycon blocks and the byte checks of all pages can use without importing them.

Keys are of one byte thirty-two times, as in the specification and its recorded sessions, so that figures never change.
"""

from __future__ import annotations

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CTR

from node.crypto.keccak import RunningKeccak256
from node.crypto.secp256k1 import PrivateKey
from node.rlpx.frame import HEADER_BYTES, MAC_BYTES, FrameWriter

ALICE = PrivateKey(b"\xa1" * 32)
"""Whoever dials, unless the page says otherwise."""
BOB = PrivateKey(b"\xb2" * 32)


def inside_frame(code: int, payload: bytes) -> bytes:
    """What a frame of ours has inside: 16 bytes of header, then code and payload, filled up to whole blocks.

    Written by the node's own encoder and decrypted again, so that a figure of it shows what is really sent.
    """
    key = bytes(32)
    wire = FrameWriter(key, key, RunningKeccak256()).encode(code, payload)
    # Header and body are one stream; the two MACs are not part of it.
    stream = wire[:HEADER_BYTES] + wire[HEADER_BYTES + MAC_BYTES : -MAC_BYTES]
    return Cipher(AES(key), CTR(bytes(16))).decryptor().update(stream)
