"""The two packets of the RLPx encryption handshake, as initiator and as responder (spec 01 section 4).

EIP-8 packets are sent; the plain format from before EIP-8 is read, and answered in kind. Knows packets, keys and
nonces; the stream they travel on is :mod:`node.rlpx.connection`. Randomness can be given, to make recorded packets
again.
"""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from dataclasses import dataclass

from node.crypto import ecies
from node.crypto.secp256k1 import PUBLIC_KEY_BYTES, SIGNATURE_BYTES, InvalidKey, PrivateKey, PublicKey, recover
from node.errors import MalformedMessage, RemoteProtocolError
from node.rlp.codec import decode_first, encode, encode_list, encode_uint
from node.rlp.structure import bytes_from, list_from, uint_from
from node.rlpx.secrets import Role, Secrets, derive_secrets, xor

NONCE_BYTES = 32
VERSION = 4
"""Written into both bodies, never checked on reading (spec 01 section 4.1)."""
SIZE_PREFIX_BYTES = 2
MIN_PADDING_BYTES, MAX_PADDING_BYTES = 100, 299
"""EIP-8 padding as the reference draws it. Less than 100 could not be read: see PLAIN_AUTH_BYTES."""
PLAIN_AUTH_PLAINTEXT_BYTES = 194
PLAIN_ACK_PLAINTEXT_BYTES = 97
PLAIN_AUTH_BYTES = PLAIN_AUTH_PLAINTEXT_BYTES + ecies.OVERHEAD_BYTES
PLAIN_ACK_BYTES = PLAIN_ACK_PLAINTEXT_BYTES + ecies.OVERHEAD_BYTES
"""307 and 210: a reader takes this many bytes before it can tell the formats apart (spec 01 section 4.4)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Auth:
    """What the initiator says."""

    signature: bytes
    static_key: PublicKey
    nonce: bytes
    version: int = VERSION


@dataclass(frozen=True, slots=True, kw_only=True)
class Ack:
    """What the responder says."""

    ephemeral_key: PublicKey
    nonce: bytes
    version: int = VERSION


@dataclass(frozen=True, slots=True)
class Packet:
    """A handshake packet that was opened."""

    plaintext: bytes
    wire: bytes
    """As it was on the stream, EIP-8 size prefix included: the MACs are seeded with it."""
    is_plain: bool
    """In the format from before EIP-8."""


def open_packet(buffer: bytes, private: PrivateKey, plain_size: int) -> Packet | None:
    """Open the handshake packet at the start of `buffer`.

    Args:
        plain_size: PLAIN_AUTH_BYTES or PLAIN_ACK_BYTES.

    Returns:
        None as long as `buffer` is too short to tell.

    Raises:
        RemoteProtocolError: no packet for `private` in either format.
    """
    if len(buffer) < plain_size:
        return None
    if buffer[0] == 4:
        # An EIP-8 packet may begin with 04 as well (sizes 1024..1279), so failing here proves nothing yet.
        try:
            wire = buffer[:plain_size]
            return Packet(ecies.decrypt(private, wire), wire, is_plain=True)
        except ecies.DecryptError:
            pass
    size = int.from_bytes(buffer[:SIZE_PREFIX_BYTES], "big")
    if size < plain_size:
        raise MalformedMessage(f"handshake packet: size underflow, {size} < {plain_size} bytes")
    end = SIZE_PREFIX_BYTES + size
    if len(buffer) < end:
        return None
    prefix, body = buffer[:SIZE_PREFIX_BYTES], buffer[SIZE_PREFIX_BYTES:end]
    return Packet(ecies.decrypt(private, body, mac_data=prefix), buffer[:end], is_plain=False)


def seal_eip8(
    recipient: PublicKey,
    body: bytes,
    *,
    padding: bytes | None = None,
    ephemeral_key: PrivateKey | None = None,
    iv: bytes | None = None,
) -> bytes:
    """Encrypt an RLP body in the EIP-8 envelope: size prefix, then ECIES of body and padding."""
    if padding is None:
        # The count only blurs the packet length; predictable numbers are good enough for that.
        padding = bytes(random.randint(MIN_PADDING_BYTES, MAX_PADDING_BYTES))  # noqa: S311
    prefix = (ecies.OVERHEAD_BYTES + len(body) + len(padding)).to_bytes(SIZE_PREFIX_BYTES, "big")
    return prefix + ecies.encrypt(recipient, body + padding, mac_data=prefix, ephemeral_key=ephemeral_key, iv=iv)


def encode_auth_body(auth: Auth) -> bytes:
    """``[signature, static key, nonce, version]``."""
    return encode_list(
        [encode(auth.signature), encode(auth.static_key.raw), encode(auth.nonce), encode_uint(auth.version)]
    )


def encode_ack_body(ack: Ack) -> bytes:
    """``[ephemeral key, nonce, version]``."""
    return encode_list([encode(ack.ephemeral_key.raw), encode(ack.nonce), encode_uint(ack.version)])


def encode_plain_ack(ack: Ack) -> bytes:
    """The 97 bytes from before EIP-8; the last is the token flag, ignored by readers."""
    return ack.ephemeral_key.raw + ack.nonce + b"\x00"


def decode_auth(packet: Packet) -> Auth:
    """Fields of an auth packet; further list elements and bytes behind the list are ignored.

    Raises:
        MalformedMessage: wrong shape, or a static key that is not on the curve.
    """
    if packet.is_plain:
        plain = packet.plaintext
        # signature 65 | keccak of the ephemeral key 32, ignored | static key 64 | nonce 32 | token flag, ignored
        return Auth(signature=plain[:65], static_key=_public_key(plain[97:161]), nonce=plain[161:193])
    signature, static_key, nonce, version = _fields(packet, SIGNATURE_BYTES, PUBLIC_KEY_BYTES, NONCE_BYTES)
    return Auth(signature=signature, static_key=_public_key(static_key), nonce=nonce, version=uint_from(version))


def decode_ack(packet: Packet) -> Ack:
    """Fields of an ack packet, as tolerant as :func:`decode_auth`.

    Raises:
        MalformedMessage: wrong shape, or an ephemeral key that is not on the curve.
    """
    if packet.is_plain:
        return Ack(ephemeral_key=_public_key(packet.plaintext[:64]), nonce=packet.plaintext[64:96])
    ephemeral_key, nonce, version = _fields(packet, PUBLIC_KEY_BYTES, NONCE_BYTES)
    return Ack(ephemeral_key=_public_key(ephemeral_key), nonce=nonce, version=uint_from(version))


def _fields(packet: Packet, *lengths: int) -> list[bytes]:
    """The byte strings of `lengths`, then the version, still encoded."""
    items = list_from(decode_first(packet.plaintext)[0])
    if len(items) < len(lengths) + 1:
        raise MalformedMessage(f"handshake body: expected {len(lengths) + 1} elements, got {len(items)}")
    fields = [bytes_from(item) for item in items[: len(lengths) + 1]]
    for field, length in zip(fields, lengths, strict=False):
        if len(field) != length:
            raise MalformedMessage(f"handshake body: expected a field of {length} bytes, got {len(field)}")
    return fields


def _public_key(raw: bytes) -> PublicKey:
    try:
        return PublicKey(raw)
    except InvalidKey as error:
        raise MalformedMessage(f"handshake: {error}") from error


class Initiator:
    """Our side of a handshake that we began: :attr:`auth_packet` goes out, :meth:`receive_ack` ends it."""

    def __init__(
        self,
        static_key: PrivateKey,
        remote: PublicKey,
        *,
        nonce: bytes | None = None,
        ephemeral_key: PrivateKey | None = None,
        seal: Callable[[PublicKey, bytes], bytes] = seal_eip8,
    ) -> None:
        self._static, self.remote = static_key, remote
        self._nonce = nonce or os.urandom(NONCE_BYTES)
        self._ephemeral = ephemeral_key or PrivateKey.generate()
        # token = ECDH(a, B); S = SIGN(token ^ Ni, ei): signed by the ephemeral key
        token = static_key.ecdh(remote)
        auth = Auth(
            signature=self._ephemeral.sign(xor(token, self._nonce)), static_key=static_key.public, nonce=self._nonce
        )
        self.auth_packet = seal(remote, encode_auth_body(auth))
        """What to send; :meth:`receive_ack` binds the secrets to it."""

    def receive_ack(self, buffer: bytes) -> tuple[Secrets, int] | None:
        """Finish with the ack at the start of `buffer`.

        Returns:
            The secrets and how many bytes the ack took, or None if more bytes are needed.

        Raises:
            RemoteProtocolError: not a valid ack.
        """
        packet = open_packet(buffer, self._static, PLAIN_ACK_BYTES)
        if packet is None:
            return None
        ack = decode_ack(packet)
        secrets = derive_secrets(
            ecdhe_shared=self._ephemeral.ecdh(ack.ephemeral_key),
            initiator_nonce=self._nonce,
            responder_nonce=ack.nonce,
            auth=self.auth_packet,
            ack=packet.wire,
            role=Role.INITIATOR,
        )
        return secrets, len(packet.wire)


@dataclass(frozen=True, slots=True)
class Accepted:
    """A handshake that the responder finished."""

    secrets: Secrets
    remote: PublicKey
    """Static key of the initiator; authentic once the first frame's MAC verifies."""
    ack_packet: bytes
    consumed: int
    """Bytes of the buffer that auth took."""


class Responder:
    """Our side of a handshake that the peer began."""

    def __init__(
        self,
        static_key: PrivateKey,
        *,
        nonce: bytes | None = None,
        ephemeral_key: PrivateKey | None = None,
        seal: Callable[[PublicKey, bytes], bytes] = seal_eip8,
        seal_plain: Callable[[PublicKey, bytes], bytes] = ecies.encrypt,
    ) -> None:
        self._static = static_key
        self._nonce = nonce or os.urandom(NONCE_BYTES)
        self._ephemeral = ephemeral_key or PrivateKey.generate()
        self._seal, self._seal_plain = seal, seal_plain

    def receive_auth(self, buffer: bytes) -> Accepted | None:
        """Answer the auth at the start of `buffer`; None if more bytes are needed.

        Raises:
            RemoteProtocolError: not a valid auth. Nothing may be sent then.
        """
        packet = open_packet(buffer, self._static, PLAIN_AUTH_BYTES)
        if packet is None:
            return None
        auth = decode_auth(packet)
        token = self._static.ecdh(auth.static_key)
        try:
            remote_ephemeral = recover(xor(token, auth.nonce), auth.signature)
        except InvalidKey as error:
            raise RemoteProtocolError(f"auth signature: {error}") from error
        ack = Ack(ephemeral_key=self._ephemeral.public, nonce=self._nonce)
        if packet.is_plain:
            ack_packet = self._seal_plain(auth.static_key, encode_plain_ack(ack))
        else:
            ack_packet = self._seal(auth.static_key, encode_ack_body(ack))
        secrets = derive_secrets(
            ecdhe_shared=self._ephemeral.ecdh(remote_ephemeral),
            initiator_nonce=auth.nonce,
            responder_nonce=self._nonce,
            auth=packet.wire,
            ack=ack_packet,
            role=Role.RESPONDER,
        )
        return Accepted(secrets, auth.static_key, ack_packet, len(packet.wire))
