"""ECIES as RLPx and pss use it: secp256k1, AES-128-CTR, HMAC-SHA-256 (spec 01 section 3, spec 06 section 7.3).

Wire form: ``R (65) || IV (16) || ciphertext || tag (32)``.
"""

from __future__ import annotations

import hashlib
import hmac
import os

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CTR

from node.crypto.secp256k1 import InvalidKey, PrivateKey, PublicKey
from node.errors import AuthenticationFailed, MalformedMessage, RemoteProtocolError

POINT_BYTES = 65
IV_BYTES = 16
TAG_BYTES = 32
OVERHEAD_BYTES = POINT_BYTES + IV_BYTES + TAG_BYTES
"""113: what encryption adds to a plaintext."""
MIN_CIPHERTEXT_BYTES = OVERHEAD_BYTES
"""An empty plaintext; spec 01 says 98, but with a 65-byte point nothing shorter than this can carry a tag."""


def derive_keys(shared_x: bytes, kdf_info: bytes = b"") -> tuple[bytes, bytes]:
    """Encryption key (16 bytes) and MAC key (32 bytes) from the agreement; one round of the NIST 800-56 KDF."""
    # k = SHA256(00000001 || z || s1); ke = k[0:16]; km = SHA256(k[16:32])
    key = hashlib.sha256(b"\x00\x00\x00\x01" + shared_x + kdf_info).digest()
    return key[:16], hashlib.sha256(key[16:]).digest()


def encrypt(
    recipient: PublicKey,
    plaintext: bytes,
    *,
    mac_data: bytes = b"",
    kdf_info: bytes = b"",
    ephemeral_key: PrivateKey | None = None,
    iv: bytes | None = None,
) -> bytes:
    """Encrypt for the holder of `recipient`'s private key.

    Args:
        mac_data: shared data behind the ciphertext in the tag (s2); not part of the output.
        kdf_info: shared data in the key derivation (s1); empty everywhere in these protocols.
        ephemeral_key, iv: given only to make a recorded packet again.
    """
    ephemeral = ephemeral_key or PrivateKey.generate()
    iv = iv or os.urandom(IV_BYTES)
    enc_key, mac_key = derive_keys(ephemeral.ecdh(recipient), kdf_info)
    ciphertext = Cipher(AES(enc_key), CTR(iv)).encryptor().update(plaintext)
    tag = hmac.digest(mac_key, iv + ciphertext + mac_data, "sha256")
    return ephemeral.public.uncompressed + iv + ciphertext + tag


def decrypt(private: PrivateKey, message: bytes, *, mac_data: bytes = b"", kdf_info: bytes = b"") -> bytes:
    """Open a message encrypted to `private`'s public key.

    Raises:
        MalformedMessage: too short, or the ephemeral key is no point of the curve.
        AuthenticationFailed: the tag does not match: not for us, or tampered with.
    """
    if len(message) < MIN_CIPHERTEXT_BYTES:
        raise MalformedMessage(f"ECIES message too short: {len(message)} < {MIN_CIPHERTEXT_BYTES} bytes")
    try:
        ephemeral = PublicKey(message[:POINT_BYTES])
    except InvalidKey as error:
        raise MalformedMessage(f"ECIES ephemeral key: {error}") from error
    enc_key, mac_key = derive_keys(private.ecdh(ephemeral), kdf_info)
    body, tag = message[POINT_BYTES:-TAG_BYTES], message[-TAG_BYTES:]
    if not hmac.compare_digest(hmac.digest(mac_key, body + mac_data, "sha256"), tag):
        raise AuthenticationFailed("ECIES tag does not match")
    return Cipher(AES(enc_key), CTR(body[:IV_BYTES])).decryptor().update(body[IV_BYTES:])


DecryptError = RemoteProtocolError
"""What :func:`decrypt` may raise, for callers that try several keys."""
