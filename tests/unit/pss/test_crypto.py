"""Envelopes: the worked examples of spec 06 sections 7.4 to 7.6, sizes, and damage."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.crypto import ecies
from node.crypto.secp256k1 import PrivateKey
from node.errors import DecryptionFailed, LocalProtocolError
from node.pss.container import Contents
from node.pss.crypto import SymmetricKey, unwrap_asymmetric, unwrap_symmetric, wrap_asymmetric, wrap_symmetric
from node.pss.message import PssMessage
from node.pss.topic import topic_from_text
from tests.unit.pss.keys import NODE_1, NODE_2, NODE_3

KEY = SymmetricKey(b"\x33" * 32)
NODE_2_OVERLAY = bytes.fromhex("7b4c0e63c35f91f7633bc4dbfc8c3f631b82f20e54ae5f3547054f63c7f97db5")

ASYMMETRIC_WIRE = bytes.fromhex(
    "f8f5a07b4c0e63c35f91f7633bc4dbfc8c3f631b82f20e54ae5f3547054f63c7f97db500845e0be100842c26b46bb8c704bb6825e7c20f8be8"
    "a3bb11c7e0cb6c0c05cade2f6c2e906bc2e84850482469c86bf5f384cf2193def7b339a5aa9179a4ecc597021edb669d6f4d30c87c08965740"
    "4142434445464748494a4b4c4d4e4fc32198b40f5f06042b28178f26585348b3ad2724f768c4ab7ce754fc886c54b62404cd3062ea930e46f8"
    "ff458305834b11ed7fc54102a3ce72d5508a1197959578da66a63f81703ffb1c4c189888fbc83810f904a7aa784461cd4573c47a565e5540f2"
    "a6c52920a97c27874276e2eed0a7663052838b"
)
SYMMETRIC_ENVELOPE = bytes.fromhex(
    "8b916e8518592281e789c898ff47c8390e8ce3c685cecec5a7ec4be8dafb6604c8ddae4dd93c2872f48f34e0d288f0e42620025178b1fe5578"
    "987ce0f11709461ed664851b6cbc5b8d45480ef3bdb966cb0e593d079926ab267c6a628420d3ec9c13a167795fe6b08b7d64731f5ea30ffeb9"
)


def test_worked_asymmetric_example() -> None:
    """Section 7.4. The scalar of R is not printed, so this one is only opened."""
    message = PssMessage.decode(ASYMMETRIC_WIRE)
    assert message.digest.hex() == "8a11f7c456a980fa900deffd649667ae289757814a38117d7ee7cb79527d5526"
    assert message.to == NODE_2_OVERLAY == NODE_2.public.overlay
    assert unwrap_asymmetric(message.payload, NODE_2) == Contents(b"bar", NODE_1.public)
    with pytest.raises(DecryptionFailed):
        unwrap_asymmetric(message.payload, NODE_3)


def test_worked_symmetric_example() -> None:
    """Section 7.5, both ways."""
    envelope = wrap_symmetric(
        b"bar",
        KEY,
        sender=NODE_1,
        padding=bytes.fromhex("1d2ae9575384b49111d8df0184354352"),
        salt=bytes.fromhex("e6b08b7d64731f5ea30ffeb9"),
    )
    assert envelope == SYMMETRIC_ENVELOPE
    assert unwrap_symmetric(envelope, KEY) == Contents(b"bar", NODE_1.public)
    message = PssMessage(
        to=NODE_2_OVERLAY, symmetric=True, expire=0x5E0BE100, topic=topic_from_text("foo"), payload=envelope
    )
    prefix = bytes.fromhex("f8a0a0") + NODE_2_OVERLAY + bytes.fromhex("01845e0be100842c26b46bb872")
    assert message.encode() == prefix + envelope
    assert message.digest.hex() == "023d8cc113f869404b1894b2d04608507d616e81ab74793dbb5b19e7c1e12e30"


def test_external_ecies_example() -> None:
    """Section 7.6: a raw payload that the application encrypted; no container in it."""
    payload = bytes.fromhex(
        "040d9991f4bca99979119e7fe9c0d351337b6080cd17f9837ee80ca4f77cc82694bb9c6ab1423faae41a7ebb724bd49a3d4711e1fef397e253"
        "c56bcee860663553b0b1b2b3b4b5b6b7b8b9babbbcbdbebf0181e0135491cfa827bb0ebe22c6146040645fd4ee919619920ad36258d6b3b83e"
        "01c37efb"
    )
    assert ecies.decrypt(NODE_2, payload) == b"xyzzy"


@pytest.mark.parametrize(
    ("size", "symmetric", "asymmetric"),
    [
        (0, 111, 196),
        (1, 112, 197),
        (255, 366, 451),
        (256, 368, 453),
        (65_535, 65_647, 65_732),
        (65_536, 65_649, 65_734),
    ],
)
def test_sizes_of_the_specification(size: int, symmetric: int, asymmetric: int) -> None:
    assert len(wrap_symmetric(bytes(size), KEY, sender=NODE_1)) == symmetric
    assert len(wrap_asymmetric(bytes(size), NODE_2.public, sender=NODE_1)) == asymmetric


def test_randomness_can_be_given() -> None:
    inputs = {"padding": bytes(16), "ephemeral_key": PrivateKey(b"\x07" * 32), "iv": bytes(range(16))}
    one, two = (wrap_asymmetric(b"bar", NODE_2.public, sender=NODE_1, **inputs) for _ in range(2))  # type: ignore[arg-type]
    assert one == two
    assert wrap_asymmetric(b"bar", NODE_2.public, sender=NODE_1) != wrap_asymmetric(
        b"bar", NODE_2.public, sender=NODE_1
    )
    assert wrap_symmetric(b"bar", KEY, sender=NODE_1) != wrap_symmetric(b"bar", KEY, sender=NODE_1)


@given(st.binary(max_size=300), st.booleans())
def test_round_trip(payload: bytes, sign: bool) -> None:
    sender = NODE_1 if sign else None
    expected = Contents(payload, NODE_1.public if sign else None)
    assert unwrap_symmetric(wrap_symmetric(payload, KEY, sender=sender), KEY) == expected
    assert unwrap_asymmetric(wrap_asymmetric(payload, NODE_2.public, sender=sender), NODE_2) == expected


@given(st.integers(0, 8 * len(SYMMETRIC_ENVELOPE) - 1))
def test_flipped_bit_symmetric(bit: int) -> None:
    damaged = bytearray(SYMMETRIC_ENVELOPE)
    damaged[bit // 8] ^= 1 << bit % 8
    with pytest.raises(DecryptionFailed):
        unwrap_symmetric(bytes(damaged), KEY)


@given(st.integers(0, 8 * 199 - 1))
def test_flipped_bit_asymmetric(bit: int) -> None:
    damaged = bytearray(PssMessage.decode(ASYMMETRIC_WIRE).payload)
    damaged[bit // 8] ^= 1 << bit % 8
    with pytest.raises(DecryptionFailed):
        unwrap_asymmetric(bytes(damaged), NODE_2)


def test_truncated() -> None:
    for end in range(len(SYMMETRIC_ENVELOPE)):
        with pytest.raises(DecryptionFailed):
            unwrap_symmetric(SYMMETRIC_ENVELOPE[:end], KEY)
    envelope = PssMessage.decode(ASYMMETRIC_WIRE).payload
    for end in range(len(envelope)):
        with pytest.raises(DecryptionFailed):
            unwrap_asymmetric(envelope[:end], NODE_2)


@given(st.binary(max_size=250))
def test_byte_soup(envelope: bytes) -> None:
    with pytest.raises(DecryptionFailed):
        unwrap_symmetric(envelope, KEY)
    with pytest.raises(DecryptionFailed):
        unwrap_asymmetric(envelope, NODE_2)


@pytest.mark.parametrize("size", [0, 16, 31, 33])
def test_key_length(size: int) -> None:
    with pytest.raises(LocalProtocolError, match=f"wrong key size: {size}"):
        SymmetricKey(b"k" * size)


def test_zero_key_does_not_encrypt() -> None:
    with pytest.raises(LocalProtocolError, match="invalid key provided for symmetric encryption"):
        wrap_symmetric(b"bar", SymmetricKey(bytes(32)), sender=NODE_1)


def test_repr_shows_no_key() -> None:
    assert repr(SymmetricKey(b"\x33" * 32)) == "SymmetricKey(…)"
    assert SymmetricKey.generate(lambda size: b"\x01" * size).secret == b"\x01" * 32
