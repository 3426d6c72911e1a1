"""secp256k1 keys, recoverable signatures and the raw ECDH agreement (spec 01 sections 2.1 and 3).

Public keys are handled as 64 bytes ``X || Y``, the form of enode URLs and RLPx bodies. libsecp256k1 does the work.
"""

from __future__ import annotations

from functools import cached_property

import coincurve

from node.crypto.keccak import keccak256
from node.ids import NodeId, OverlayAddress

PRIVATE_KEY_BYTES = 32
PUBLIC_KEY_BYTES = 64
SIGNATURE_BYTES = 65
RECOVERY_IDS = 4
"""r, s and a recovery id of 0..3 (never 27/28)."""


class InvalidKey(ValueError):
    """Not a key on this curve."""


class PublicKey:
    """A point on the curve."""

    __slots__ = ("__dict__", "_point")

    def __init__(self, raw: bytes) -> None:
        """Take 64 bytes ``X || Y``, 65 with the leading 04, or 33 compressed.

        Raises:
            InvalidKey: another length, or not on the curve.
        """
        if len(raw) == PUBLIC_KEY_BYTES:
            raw = b"\x04" + raw
        # 65-byte "hybrid" forms 06/07 pass libsecp256k1 but are no form of the specification.
        if not ((len(raw) == 65 and raw[0] == 4) or (len(raw) == 33 and raw[0] in (2, 3))):
            raise InvalidKey(f"public key must be 64 bytes, 65 with a leading 04, or 33 compressed; got {len(raw)}")
        try:
            self._point = coincurve.PublicKey(raw)
        except ValueError as error:
            raise InvalidKey("public key is not on the curve") from error

    @classmethod
    def _of(cls, point: coincurve.PublicKey) -> PublicKey:
        key = cls.__new__(cls)
        key._point = point
        return key

    @cached_property
    def uncompressed(self) -> bytes:
        """65 bytes: ``04 || X || Y``."""
        return self._point.format(compressed=False)

    @property
    def raw(self) -> bytes:
        """64 bytes: ``X || Y``."""
        return self.uncompressed[1:]

    @property
    def compressed(self) -> bytes:
        """33 bytes, as in an ENR."""
        return self._point.format(compressed=True)

    @cached_property
    def node_id(self) -> NodeId:
        """Keccak-256 of the 64-byte form."""
        return NodeId(keccak256(self.raw))

    @cached_property
    def overlay(self) -> OverlayAddress:
        """Keccak-256 of the 65-byte form, 04 included (spec 05 section 2)."""
        return OverlayAddress(keccak256(self.uncompressed))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, PublicKey) and self.uncompressed == other.uncompressed

    def __hash__(self) -> int:
        return hash(self.uncompressed)

    def __repr__(self) -> str:
        return f"PublicKey({self.raw[:8].hex()}…)"


class PrivateKey:
    """A secret scalar. Its repr shows the public key only."""

    __slots__ = ("__dict__", "_key")

    def __init__(self, secret: bytes) -> None:
        """Take 32 bytes, big-endian, 0 < d < n.

        Raises:
            InvalidKey: another length or out of range. The text never contains the bytes.
        """
        if len(secret) != PRIVATE_KEY_BYTES:
            raise InvalidKey(f"private key must be {PRIVATE_KEY_BYTES} bytes, got {len(secret)}")
        try:
            self._key = coincurve.PrivateKey(secret)
        except ValueError:
            raise InvalidKey("private key is out of range") from None

    @classmethod
    def generate(cls) -> PrivateKey:
        """A fresh key from the system's randomness."""
        key = cls.__new__(cls)
        key._key = coincurve.PrivateKey()
        return key

    @property
    def secret(self) -> bytes:
        """32 bytes. For files of mode 0600, never for logs."""
        return self._key.secret

    @cached_property
    def public(self) -> PublicKey:
        return PublicKey._of(self._key.public_key)

    def ecdh(self, remote: PublicKey) -> bytes:
        """X coordinate of our scalar times `remote`; 32 bytes, not hashed."""
        return remote._point.multiply(self._key.secret).format(compressed=True)[1:]

    def sign(self, digest: bytes) -> bytes:
        """Sign a 32-byte value as it stands (RFC 6979, low s); 65 bytes ``r || s || v`` with v in 0..3."""
        return self._key.sign_recoverable(digest, hasher=None)

    def __repr__(self) -> str:
        return f"PrivateKey(of {self.public!r})"


def recover(digest: bytes, signature: bytes) -> PublicKey:
    """The public key that signed `digest` (32 bytes). High s is accepted.

    Raises:
        InvalidKey: wrong length, recovery id over 3, or nothing to recover.
    """
    if len(signature) != SIGNATURE_BYTES or signature[-1] >= RECOVERY_IDS:
        raise InvalidKey("signature must be 65 bytes with a recovery id of 0..3")
    try:
        return PublicKey._of(coincurve.PublicKey.from_signature_and_message(signature, digest, hasher=None))
    except Exception as error:  # coincurve raises a bare Exception where recovery fails
        raise InvalidKey("no public key can be recovered from the signature") from error
