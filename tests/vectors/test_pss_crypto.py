"""pss envelopes against the recorded ones, to the byte."""

from __future__ import annotations

import pytest

from node.crypto.secp256k1 import PrivateKey, PublicKey
from node.errors import DecryptionFailed, LocalProtocolError
from node.pss.container import Contents, build_container, parse_container
from node.pss.crypto import SymmetricKey, unwrap_asymmetric, unwrap_symmetric, wrap_asymmetric, wrap_symmetric
from node.pss.handlers import UNSIGNED_KEY_ID
from node.pss.keystore import format_pubkey_id
from tests.vectors.loader import Case, generate, unhex

pytestmark = pytest.mark.vectors("pss_crypto.json")


def payload_of(case: Case) -> bytes:
    return generate(case["payload_gen"]) if "payload_gen" in case else unhex(case["payload"])


def unwrap(case: Case) -> Contents:
    envelope = unhex(case["envelope"])
    if case["scheme"] == "asym":
        return unwrap_asymmetric(envelope, PrivateKey(unhex(case["receiver_priv"])))
    return unwrap_symmetric(envelope, SymmetricKey(unhex(case["sym_key"])))


def sender_of(case: Case) -> PublicKey | None:
    return PublicKey(unhex(case["sender_pub"])) if case["sender_pub"] else None


def test_unwrap(case_wrap: Case) -> None:
    contents = unwrap(case_wrap)
    assert contents == Contents(payload_of(case_wrap), sender_of(case_wrap))
    if "key_id" in case_wrap:
        key_id = format_pubkey_id(contents.sender) if contents.sender else UNSIGNED_KEY_ID
        assert key_id == case_wrap["key_id"]


def test_wrap_makes_the_same_bytes(case_wrap: Case) -> None:
    payload, padding = payload_of(case_wrap), unhex(case_wrap["padding"])
    sender = PrivateKey(unhex(case_wrap["sender_priv"])) if case_wrap["sender_pub"] else None
    plaintext = build_container(payload, sender=sender, padding=padding)
    signature = unhex(case_wrap["signature"]) if case_wrap["signature"] else b""
    assert plaintext == bytes([case_wrap["flags"]]) + unhex(case_wrap["size_field"]) + payload + padding + signature
    if case_wrap["scheme"] == "asym":
        envelope = wrap_asymmetric(
            payload,
            PublicKey(unhex(case_wrap["receiver_pub"])),
            sender=sender,
            padding=padding,
            ephemeral_key=PrivateKey(unhex(case_wrap["ecies_ephemeral_priv"])),
            iv=unhex(case_wrap["ecies_iv"]),
        )
    else:
        key = SymmetricKey(unhex(case_wrap["sym_key"]))
        envelope = wrap_symmetric(payload, key, sender=sender, padding=padding, salt=unhex(case_wrap["salt"]))
    assert envelope == unhex(case_wrap["envelope"])


def test_unusual_contents(case_unwrap: Case) -> None:
    expected = Contents(unhex(case_unwrap["payload"]), sender_of(case_unwrap))
    assert unwrap(case_unwrap) == expected
    assert parse_container(unhex(case_unwrap["plaintext"])) == expected


def test_refused(case_must_fail: Case) -> None:
    # A key of the wrong length is our caller's mistake; everything else is an envelope that does not open.
    error = LocalProtocolError if case_must_fail["reason"].startswith("key has") else DecryptionFailed
    with pytest.raises(error):
        unwrap(case_must_fail)
