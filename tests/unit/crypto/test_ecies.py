"""node.crypto.ecies (spec 01 section 3)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.crypto import ecies
from node.crypto.secp256k1 import PrivateKey
from node.errors import AuthenticationFailed, MalformedMessage, RemoteProtocolError
from tests.support.keys import KEY_A, KEY_B, flip_bit

PLAIN = b"a plaintext of no particular length"
SEALED = ecies.encrypt(KEY_B.public, PLAIN, mac_data=b"\x01\x02")


@given(st.binary(max_size=300), st.binary(max_size=4), st.binary(max_size=4))
def test_round_trip(plaintext: bytes, mac_data: bytes, kdf_info: bytes) -> None:
    message = ecies.encrypt(KEY_B.public, plaintext, mac_data=mac_data, kdf_info=kdf_info)
    assert len(message) == ecies.OVERHEAD_BYTES + len(plaintext) == 113 + len(plaintext)
    assert message[0] == 4
    assert ecies.decrypt(KEY_B, message, mac_data=mac_data, kdf_info=kdf_info) == plaintext


def test_derived_keys() -> None:
    """Spec 01 section 8.2: z, k and km of the recorded auth."""
    z = bytes.fromhex("e12528fd3a816660883d03042689ca9c685817765b9964fe2995744c115b80c9")
    assert PrivateKey(b"\x17" * 32).ecdh(KEY_B.public) == z
    encryption, mac = ecies.derive_keys(z)
    assert encryption.hex() == "6eb0a2ba49691bc5a165d61a743a2cf1"
    assert mac.hex() == "913bc52eb01ae4a852d3e730c3411bd4f06a666c738b261e5a43421f20ec8d0e"


@given(st.integers(0, len(SEALED) * 8 - 1))
def test_one_flipped_bit_anywhere_is_refused(bit: int) -> None:
    with pytest.raises(RemoteProtocolError) as caught:
        ecies.decrypt(KEY_B, flip_bit(SEALED, bit), mac_data=b"\x01\x02")
    if bit >= ecies.POINT_BYTES * 8:
        assert caught.type is AuthenticationFailed


@given(st.integers(0, len(SEALED) - 1))
def test_every_truncation_is_refused(length: int) -> None:
    with pytest.raises(RemoteProtocolError):
        ecies.decrypt(KEY_B, SEALED[:length], mac_data=b"\x01\x02")


@given(st.binary(max_size=200))
def test_any_bytes_are_refused(message: bytes) -> None:
    with pytest.raises(RemoteProtocolError):
        ecies.decrypt(KEY_B, message)


def test_trailing_bytes_are_refused() -> None:
    with pytest.raises(AuthenticationFailed):
        ecies.decrypt(KEY_B, SEALED + b"\x00", mac_data=b"\x01\x02")


@pytest.mark.parametrize("length", [0, 97, 98, 112])
def test_too_short(length: int) -> None:
    with pytest.raises(MalformedMessage, match=f"too short: {length} < 113"):
        ecies.decrypt(KEY_B, b"\x04" * length)


@pytest.mark.parametrize("first", [0x00, 0x02, 0x03, 0x06, 0x07])
def test_the_point_is_uncompressed(first: int) -> None:
    with pytest.raises(MalformedMessage, match="ephemeral key"):
        ecies.decrypt(KEY_B, bytes([first]) + SEALED[1:], mac_data=b"\x01\x02")


@pytest.mark.parametrize("mac_data", [b"", b"\x01", b"\x01\x03", b"\x01\x02\x00"])
def test_shared_mac_data_is_authenticated(mac_data: bytes) -> None:
    with pytest.raises(AuthenticationFailed):
        ecies.decrypt(KEY_B, SEALED, mac_data=mac_data)


def test_only_the_recipient_opens_it() -> None:
    with pytest.raises(AuthenticationFailed):
        ecies.decrypt(KEY_A, SEALED, mac_data=b"\x01\x02")


def test_fresh_randomness_each_time() -> None:
    one, two = (ecies.encrypt(KEY_B.public, PLAIN) for _ in range(2))
    assert one[:65] != two[:65]
    assert one[65:81] != two[65:81]


def test_an_empty_plaintext_is_113_bytes() -> None:
    message = ecies.encrypt(KEY_B.public, b"")
    assert len(message) == ecies.MIN_CIPHERTEXT_BYTES
    assert ecies.decrypt(KEY_B, message) == b""
