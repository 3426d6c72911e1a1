"""ECIES against the recorded packets."""

from __future__ import annotations

import pytest

from node.crypto import ecies
from node.crypto.secp256k1 import PrivateKey, PublicKey
from node.errors import RemoteProtocolError
from tests.vectors.loader import Case, unhex

pytestmark = pytest.mark.vectors("ecies.json")


def optional(text: str | None) -> bytes:
    return unhex(text) if text is not None else b""


def test_agreement(case_shared: Case) -> None:
    ours, theirs = PrivateKey(unhex(case_shared["priv"])), PublicKey(unhex(case_shared["peer_pub"]))
    assert ours.ecdh(theirs) == unhex(case_shared["shared_x"])
    assert PrivateKey(unhex(case_shared["peer_priv"])).ecdh(ours.public) == unhex(case_shared["shared_x"])


def test_decrypt(case_decrypt: Case) -> None:
    key = PrivateKey(unhex(case_decrypt["priv"]))
    shared = {"kdf_info": optional(case_decrypt["s1"]), "mac_data": optional(case_decrypt["s2"])}
    plaintext = unhex(case_decrypt["plaintext"])
    assert ecies.decrypt(key, unhex(case_decrypt["ciphertext"]), **shared) == plaintext


def test_encrypt_makes_the_same_bytes(case_decrypt: Case) -> None:
    if case_decrypt["ephemeral_priv"] is None:
        pytest.fail("the encrypter's random inputs are recorded in every case")
    made = ecies.encrypt(
        PublicKey(unhex(case_decrypt["pub"])),
        unhex(case_decrypt["plaintext"]),
        kdf_info=optional(case_decrypt["s1"]),
        mac_data=optional(case_decrypt["s2"]),
        ephemeral_key=PrivateKey(unhex(case_decrypt["ephemeral_priv"])),
        iv=unhex(case_decrypt["iv"]),
    )
    assert made == unhex(case_decrypt["ciphertext"])
    keys = ecies.derive_keys(unhex(case_decrypt["shared_x"]), optional(case_decrypt["s1"]))
    assert keys == (unhex(case_decrypt["enc_key"]), unhex(case_decrypt["mac_key"]))


def test_refused(case_must_fail: Case) -> None:
    with pytest.raises(RemoteProtocolError):
        ecies.decrypt(
            PrivateKey(unhex(case_must_fail["priv"])),
            unhex(case_must_fail["ciphertext"]),
            kdf_info=optional(case_must_fail["s1"]),
            mac_data=optional(case_must_fail["s2"]),
        )
