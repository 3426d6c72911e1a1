"""Frames: encryption and authentication of messages, one object per direction (spec 01 section 5).

Wire form: header (16) ``||`` header MAC (16) ``||`` body padded to 16 ``||`` body MAC (16). The ciphers and MACs run
on from frame to frame, so a frame may be written or read only once and in order.
"""

from __future__ import annotations

import hmac

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CTR, ECB

from node.crypto.keccak import RunningKeccak256
from node.errors import AuthenticationFailed, LocalProtocolError, MalformedMessage
from node.rlp.codec import encode_uint

HEADER_BYTES = 16
MAC_BYTES = 16
BLOCK_BYTES = 16
MAX_FRAME_BYTES = (1 << 24) - 1
"""Code and payload together; the header has 24 bits for it."""
MAX_CODE_BITS = 64
_HEADER_TAIL = b"\xc2\x80\x80" + bytes(10)
"""Capability id and context id, always zero; written, never required on reading."""
_ZERO_IV = bytes(16)


class FrameMac:
    """A running frame MAC: Keccak-256 with an AES-256 block in between."""

    __slots__ = ("_encrypt_block", "_last", "_state")

    def __init__(self, mac_key: bytes, state: RunningKeccak256) -> None:
        self._state = state
        # ECB on single blocks is how the specification builds this MAC, not a mode of encryption here.
        self._encrypt_block = Cipher(AES(mac_key), ECB()).encryptor().update  # noqa: S305
        # digest(state)[0:16]. Nothing is absorbed between two frames, so the last digest of a frame is also the
        # first of the next: of the five digests a frame asks for, three are computed.
        self._last = bytes(state.digest()[:MAC_BYTES])

    def header(self, header_ciphertext: bytes) -> bytes:
        """MAC of a header; 16 bytes."""
        return self._update(header_ciphertext)

    def body(self, body_ciphertext: bytes) -> bytes:
        """MAC of a body, padding included; 16 bytes."""
        self._state.update(body_ciphertext)
        self._last = self._state.digest()[:MAC_BYTES]
        return self._update(self._last)

    def _update(self, seed: bytes) -> bytes:
        # t = AES256_ECB(mac, digest(state)[0:16]) ^ seed
        block = int.from_bytes(self._encrypt_block(self._last), "big") ^ int.from_bytes(seed, "big")
        self._state.update(block.to_bytes(BLOCK_BYTES, "big"))
        self._last = self._state.digest()[:MAC_BYTES]
        return self._last

    def digest(self) -> bytes:
        """The whole running digest, 32 bytes: for comparison with recorded sessions."""
        return bytes(self._state.digest())


class FrameWriter:
    """Turns (code, payload) into wire bytes."""

    __slots__ = ("_encrypt", "mac")

    def __init__(self, aes_key: bytes, mac_key: bytes, mac_state: RunningKeccak256) -> None:
        # A zero IV is safe only because the key is fresh for every session (spec 01 section 5).
        self._encrypt = Cipher(AES(aes_key), CTR(_ZERO_IV)).encryptor().update
        self.mac = FrameMac(mac_key, mac_state)

    def encode(self, code: int, payload: bytes) -> bytes:
        """One frame.

        Raises:
            LocalProtocolError: longer than 24 bits can say; nothing was written and the stream is intact.
        """
        head = encode_uint(code)
        size = len(head) + len(payload)
        if size > MAX_FRAME_BYTES:
            raise LocalProtocolError(f"message size overflows uint24: {size} > {MAX_FRAME_BYTES} bytes")
        header = self._encrypt(size.to_bytes(3, "big") + _HEADER_TAIL)
        header_mac = self.mac.header(header)
        body = self._encrypt(head + payload + bytes(-size % BLOCK_BYTES))
        return b"".join((header, header_mac, body, self.mac.body(body)))


class FrameReader:
    """Turns wire bytes into (code, payload). Give it whole headers and whole bodies."""

    __slots__ = ("_decrypt", "mac", "size")

    def __init__(self, aes_key: bytes, mac_key: bytes, mac_state: RunningKeccak256) -> None:
        self._decrypt = Cipher(AES(aes_key), CTR(_ZERO_IV)).decryptor().update
        self.mac = FrameMac(mac_key, mac_state)
        self.size = 0
        """Bytes of code and payload in the frame whose header was read last."""

    def read_header(self, data: bytes) -> int:
        """Open a header with its MAC (32 bytes).

        Returns:
            How many bytes :meth:`read_body` wants: the padded body and its MAC.

        Raises:
            AuthenticationFailed: bad header MAC.
        """
        header, mac = data[:HEADER_BYTES], data[HEADER_BYTES:]
        if not hmac.compare_digest(self.mac.header(header), mac):
            raise AuthenticationFailed("bad header MAC")
        self.size = size = int.from_bytes(self._decrypt(header)[:3], "big")
        return size + -size % BLOCK_BYTES + MAC_BYTES

    def read_body(self, data: bytes) -> tuple[int, bytes]:
        """Open a body with its MAC.

        Returns:
            Message code and payload (still compressed, if the session compresses).

        Raises:
            AuthenticationFailed: bad frame MAC.
            MalformedMessage: the message code is missing or not canonical.
        """
        body, mac = data[:-MAC_BYTES], data[-MAC_BYTES:]
        if not hmac.compare_digest(self.mac.body(body), mac):
            raise AuthenticationFailed("bad frame MAC")
        plain = self._decrypt(body)[: self.size]
        return _split_code(plain)


def _split_code(plain: bytes) -> tuple[int, bytes]:
    """The message code in front of a payload: an RLP integer of up to 64 bits."""
    if not plain:
        raise MalformedMessage("empty frame: no message code")
    first = plain[0]
    if 0 < first < 0x80:
        return first, plain[1:]
    if first == 0x80:
        return 0, plain[1:]
    length = first - 0x80
    if not 1 <= length <= MAX_CODE_BITS // 8 or len(plain) <= length:
        raise MalformedMessage(f"message code is no integer of at most {MAX_CODE_BITS} bits")
    digits = plain[1 : 1 + length]
    if digits[0] == 0 or (length == 1 and digits[0] < 0x80):
        raise MalformedMessage("message code is not in its minimal form")
    return int.from_bytes(digits, "big"), plain[1 + length :]
