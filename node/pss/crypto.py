"""Envelopes: the payload of pss messages that are not raw (spec 06 sections 7.2 and 7.3).

Symmetric: AES-256-GCM, nonce behind the tag. Asymmetric: ECIES to the receiver's bzz key. Knows nothing of which key
is for whom; that is :mod:`node.pss.keystore`. What cannot be opened raises DecryptionFailed, whatever the cause.
"""

from __future__ import annotations

import os
from collections.abc import Callable

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from node.crypto import ecies
from node.crypto.secp256k1 import PrivateKey, PublicKey
from node.errors import DecryptionFailed, LocalProtocolError
from node.pss.container import Contents, build_container, parse_container

SYMMETRIC_KEY_BYTES = 32
NONCE_BYTES = 12
TAG_BYTES = 16


class SymmetricKey:
    """An AES-256 key with its cipher set up once. Its repr shows nothing of it."""

    __slots__ = ("_cipher", "_secret")

    def __init__(self, secret: bytes) -> None:
        """Take 32 bytes; all zeros can decrypt but not encrypt (spec 06 section 7.2).

        Raises:
            LocalProtocolError: another length, in the reference's words.
        """
        if len(secret) != SYMMETRIC_KEY_BYTES:
            raise LocalProtocolError(f"wrong key size: {len(secret)}")
        self._secret = bytes(secret)
        self._cipher = AESGCM(self._secret)

    @classmethod
    def generate(cls, random_bytes: Callable[[int], bytes] = os.urandom) -> SymmetricKey:
        """A fresh key."""
        return cls(random_bytes(SYMMETRIC_KEY_BYTES))

    @property
    def secret(self) -> bytes:
        """32 bytes. For pss_getSymmetricKey and handshakes, never for logs."""
        return self._secret

    def seal(self, plaintext: bytes, nonce: bytes) -> bytes:
        """``ciphertext || tag || nonce``.

        Raises:
            LocalProtocolError: the key is all zeros.
        """
        if not any(self._secret):
            raise LocalProtocolError("invalid key provided for symmetric encryption")
        return self._cipher.encrypt(nonce, plaintext, None) + nonce

    def open(self, envelope: bytes) -> bytes | None:
        """The plaintext, or None if this is not the key: trying keys is not exceptional."""
        if len(envelope) < TAG_BYTES + NONCE_BYTES:
            return None
        try:
            return self._cipher.decrypt(envelope[-NONCE_BYTES:], envelope[:-NONCE_BYTES], None)
        except InvalidTag:
            return None

    def __repr__(self) -> str:
        return "SymmetricKey(…)"


def wrap_symmetric(
    payload: bytes,
    key: SymmetricKey,
    *,
    sender: PrivateKey | None,
    padding: bytes | None = None,
    salt: bytes | None = None,
) -> bytes:
    """Sign and encrypt with a shared key.

    Args:
        padding, salt: given only to make a recorded envelope again; `salt` is the nonce, 12 bytes.

    Raises:
        LocalProtocolError: the key is all zeros, or the payload over 16 MiB.
    """
    plaintext = build_container(payload, sender=sender, padding=padding)
    return key.seal(plaintext, os.urandom(NONCE_BYTES) if salt is None else salt)


def unwrap_symmetric(envelope: bytes, key: SymmetricKey) -> Contents:
    """Open with one key.

    Raises:
        DecryptionFailed: another key, tampered with, or contents that are not well formed.
    """
    plaintext = key.open(envelope)
    if plaintext is None:
        raise DecryptionFailed("unable to open envelope, decrypt failed: authentication failed")
    return parse_container(plaintext)


def wrap_asymmetric(
    payload: bytes,
    recipient: PublicKey,
    *,
    sender: PrivateKey | None,
    padding: bytes | None = None,
    ephemeral_key: PrivateKey | None = None,
    iv: bytes | None = None,
) -> bytes:
    """Sign, and encrypt for the holder of `recipient`'s private key.

    Args:
        padding, ephemeral_key, iv: given only to make a recorded envelope again.

    Raises:
        LocalProtocolError: the payload is over 16 MiB.
    """
    plaintext = build_container(payload, sender=sender, padding=padding)
    return ecies.encrypt(recipient, plaintext, ephemeral_key=ephemeral_key, iv=iv)


def unwrap_asymmetric(envelope: bytes, private_key: PrivateKey) -> Contents:
    """Open with our own key.

    Raises:
        DecryptionFailed: for somebody else, tampered with, or contents that are not well formed.
    """
    try:
        plaintext = ecies.decrypt(private_key, envelope)
    except ecies.DecryptError as error:
        raise DecryptionFailed(f"unable to open envelope, decrypt failed: {error}") from error
    return parse_container(plaintext)
