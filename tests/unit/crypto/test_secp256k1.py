"""node.crypto.secp256k1: keys, signatures, agreement (spec 01 sections 2.1, 3 and 8.1)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.crypto.keccak import keccak256
from node.crypto.secp256k1 import InvalidKey, PrivateKey, PublicKey, recover
from tests.support.keys import KEY_A, KEY_B, flip_bit, make_key

ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
A_PUBLIC = (
    "ab5d2e79cfd621b1b027ffb24e2453ed7fb571ba9a841ff0e2473466cabd168d"
    "240d1103860d4901da953cc7021d4d62f3f95691ac7cd434cbf9fc9e8b8d871d"
)
DIGEST = keccak256(b"a message")


def scalar(number: int) -> bytes:
    return number.to_bytes(32, "big")


def test_the_forms_of_a_public_key() -> None:
    key = KEY_A.public
    assert key.raw.hex() == A_PUBLIC
    assert key.uncompressed.hex() == "04" + A_PUBLIC
    assert key.compressed.hex() == "03" + A_PUBLIC[:64]
    assert key.node_id.hex() == "79785eea3239730ae9f90e355d5c99edf529335160ff180fa141dd4967fc00d2"
    assert key.node_id == keccak256(key.raw)
    assert key.overlay == keccak256(key.uncompressed)


def test_every_form_reads_to_the_same_key() -> None:
    key = KEY_A.public
    same = {PublicKey(key.raw), PublicKey(key.uncompressed), PublicKey(key.compressed), key}
    assert len(same) == 1
    assert key != KEY_B.public
    assert key != key.raw


@pytest.mark.parametrize("length", [0, 1, 31, 33, 63, 64, 65])
def test_private_keys_of_another_length_are_refused(length: int) -> None:
    with pytest.raises(InvalidKey, match=f"must be 32 bytes, got {length}"):
        PrivateKey(b"\x01" * length)


@pytest.mark.parametrize("number", [0, ORDER, ORDER + 1, 2**256 - 1])
def test_private_keys_out_of_range_are_refused(number: int) -> None:
    with pytest.raises(InvalidKey, match="out of range"):
        PrivateKey(scalar(number))


@pytest.mark.parametrize("number", [1, ORDER - 1])
def test_the_ends_of_the_range_are_keys(number: int) -> None:
    assert PrivateKey(scalar(number)).secret == scalar(number)


@pytest.mark.parametrize("length", [0, 32, 33, 63, 65, 66])
def test_public_keys_of_another_length_are_refused(length: int) -> None:
    with pytest.raises(InvalidKey):
        PublicKey(b"\x01" * length)


@pytest.mark.parametrize("first", [0x00, 0x02, 0x05, 0x06, 0x07])
def test_only_04_leads_65_bytes(first: int) -> None:
    """06 and 07, the hybrid forms, would pass libsecp256k1."""
    with pytest.raises(InvalidKey):
        PublicKey(bytes([first]) + KEY_A.public.raw)


@pytest.mark.parametrize("raw", [bytes(64), b"\xff" * 64, b"\x02" + b"\xff" * 32], ids=["zero", "ff", "compressed"])
def test_points_off_the_curve_are_refused(raw: bytes) -> None:
    with pytest.raises(InvalidKey, match="not on the curve"):
        PublicKey(raw)


@given(st.integers(0, 511))
def test_one_flipped_bit_is_off_the_curve(bit: int) -> None:
    with pytest.raises(InvalidKey):
        PublicKey(flip_bit(KEY_A.public.raw, bit))


@given(st.binary(max_size=70))
def test_public_key_of_any_bytes(raw: bytes) -> None:
    try:
        PublicKey(raw)
    except InvalidKey:
        return
    assert len(raw) in (33, 64, 65)


def test_repr_and_errors_show_no_secret() -> None:
    key = PrivateKey.generate()
    texts = [repr(key), str(key), f"{key!s}"]
    with pytest.raises(InvalidKey) as caught:
        PrivateKey(b"\xee" * 31)
    texts.append(str(caught.value))
    for text in texts:
        assert key.secret.hex() not in text
        assert key.secret.hex()[:16] not in text
        assert "ee" * 4 not in text
    assert key.public.raw.hex()[:16] in repr(key)


def test_generated_keys_differ() -> None:
    assert PrivateKey.generate().secret != PrivateKey.generate().secret


def test_agreement_is_the_padded_x_coordinate() -> None:
    """Spec 01 section 8.2, "token"."""
    assert KEY_A.ecdh(KEY_B.public).hex() == "23e3bd398a3a4fdb90f0ab60a783a84e6bb8078090887ec2a46b8347b8aad75d"


@given(st.integers(1, ORDER - 1), st.integers(1, ORDER - 1))
def test_both_sides_agree(a: int, b: int) -> None:
    one, two = PrivateKey(scalar(a)), PrivateKey(scalar(b))
    assert one.ecdh(two.public) == two.ecdh(one.public)
    assert len(one.ecdh(two.public)) == 32


def test_agreement_keeps_leading_zeros() -> None:
    """Spec 01 pitfall 2: find a key whose agreement with G begins with 00 and look at its length."""
    generator = make_key(1).public
    key = next(key for key in map(make_key, range(1, 5_000)) if key.public.raw[0] == 0)
    assert key.ecdh(generator) == key.public.raw[:32]
    assert len(key.ecdh(generator)) == 32


@given(st.binary(min_size=32, max_size=32))
def test_recover_gives_the_signer(digest: bytes) -> None:
    signature = KEY_A.sign(digest)
    assert len(signature) == 65
    assert signature[-1] < 4
    assert recover(digest, signature) == KEY_A.public


def test_signatures_are_deterministic_with_low_s() -> None:
    assert KEY_A.sign(DIGEST) == KEY_A.sign(DIGEST)
    assert int.from_bytes(KEY_A.sign(DIGEST)[32:64], "big") <= ORDER // 2


def test_high_s_is_accepted_when_recovering() -> None:
    signature = KEY_A.sign(DIGEST)
    high = ORDER - int.from_bytes(signature[32:64], "big")
    assert recover(DIGEST, signature[:32] + scalar(high) + bytes([signature[64] ^ 1])) == KEY_A.public


@pytest.mark.parametrize("length", [0, 64, 66])
def test_recover_wants_65_bytes(length: int) -> None:
    with pytest.raises(InvalidKey, match="65 bytes"):
        recover(DIGEST, bytes(length))


@pytest.mark.parametrize("v", [4, 27, 28, 255])
def test_recover_wants_a_recovery_id_below_4(v: int) -> None:
    with pytest.raises(InvalidKey, match=r"recovery id of 0\.\.3"):
        recover(DIGEST, KEY_A.sign(DIGEST)[:64] + bytes([v]))


@pytest.mark.parametrize(("r", "s"), [(0, 1), (1, 0), (0, 0), (ORDER, 1), (1, ORDER), (2**256 - 1, 2**256 - 1)])
def test_recover_refuses_r_and_s_out_of_range(r: int, s: int) -> None:
    with pytest.raises(InvalidKey, match="no public key can be recovered"):
        recover(DIGEST, scalar(r) + scalar(s) + b"\x00")


@given(st.binary(min_size=64, max_size=64), st.integers(0, 255))
def test_recover_from_any_bytes(rs: bytes, v: int) -> None:
    """A key or InvalidKey, nothing else."""
    try:
        assert isinstance(recover(DIGEST, rs + bytes([v])), PublicKey)
    except InvalidKey:
        return
