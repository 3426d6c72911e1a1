"""node.rlpx.handshake and node.rlpx.secrets: the worked example, and what is refused (spec 01 section 4)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.crypto import ecies
from node.crypto.secp256k1 import PrivateKey
from node.errors import MalformedMessage, RemoteProtocolError
from node.rlp.codec import Encodable, encode
from node.rlpx.handshake import (
    MAX_PADDING_BYTES,
    MIN_PADDING_BYTES,
    PLAIN_ACK_BYTES,
    PLAIN_AUTH_BYTES,
    Ack,
    Auth,
    Initiator,
    Packet,
    Responder,
    decode_ack,
    decode_auth,
    encode_ack_body,
    encode_auth_body,
    encode_plain_ack,
    open_packet,
    seal_eip8,
)
from node.rlpx.secrets import Secrets, xor
from tests.support.keys import flip_bit
from tests.unit.rlpx import worked_example as example

SIGNATURE = example.AUTH_BODY[4:69]


def states(secrets: Secrets) -> tuple[bytes, bytes]:
    return bytes(secrets.egress_mac.digest()), bytes(secrets.ingress_mac.digest())


def packet(plaintext: bytes) -> Packet:
    return Packet(plaintext, b"", is_plain=False)


# -- the worked example


def test_eip8_packets_to_the_byte() -> None:
    initiator, responder = example.initiator(), example.responder()
    assert initiator.auth_packet == example.AUTH_PACKET
    accepted = responder.receive_auth(example.AUTH_PACKET)
    assert accepted is not None
    assert accepted.ack_packet == example.ACK_PACKET
    assert accepted.remote == example.KEY_A.public
    assert accepted.consumed == 465


def test_eip8_secrets_of_both_sides() -> None:
    accepted = example.responder().receive_auth(example.AUTH_PACKET)
    finished = example.initiator().receive_ack(example.ACK_PACKET)
    assert accepted is not None
    assert finished is not None
    secrets, consumed = finished
    assert consumed == 404
    for side in (secrets, accepted.secrets):
        assert (side.aes, side.mac) == (example.AES, example.MAC)
    assert states(secrets) == (example.M1, example.M2)
    assert states(accepted.secrets) == (example.M2, example.M1)


def test_bodies_to_the_byte() -> None:
    auth = Auth(signature=SIGNATURE, static_key=example.KEY_A.public, nonce=example.NONCE_A)
    assert encode_auth_body(auth) == example.AUTH_BODY
    ack = Ack(ephemeral_key=example.EPHEMERAL_B.public, nonce=example.NONCE_B)
    assert encode_ack_body(ack) == example.ACK_BODY
    assert encode_plain_ack(ack) == example.PLAIN_ACK_PLAINTEXT


def test_plain_packets_to_the_byte() -> None:
    """Spec 01 section 8.6: a plain auth is answered in the plain format."""
    sealed = ecies.encrypt(example.KEY_B.public, example.PLAIN_AUTH_PLAINTEXT, **example.AUTH_ECIES)  # type: ignore[arg-type]
    assert sealed == example.PLAIN_AUTH_PACKET
    accepted = example.responder().receive_auth(sealed)
    assert accepted is not None
    assert accepted.ack_packet == example.PLAIN_ACK_PACKET
    assert (accepted.secrets.aes, accepted.secrets.mac) == (example.AES, example.MAC)
    assert states(accepted.secrets) == (example.PLAIN_M2, example.PLAIN_M1)


def test_a_plain_ack_is_accepted_whatever_was_sent() -> None:
    finished = example.initiator().receive_ack(example.PLAIN_ACK_PACKET)
    assert finished is not None
    assert finished[0].aes == example.AES


# -- reading


@pytest.mark.parametrize("wire", [example.AUTH_PACKET, example.PLAIN_AUTH_PACKET], ids=["eip8", "plain"])
def test_auth_byte_by_byte(wire: bytes) -> None:
    responder = example.responder()
    assert all(responder.receive_auth(wire[:length]) is None for length in range(len(wire)))
    assert responder.receive_auth(wire) is not None


@pytest.mark.parametrize("wire", [example.ACK_PACKET, example.PLAIN_ACK_PACKET], ids=["eip8", "plain"])
def test_ack_byte_by_byte(wire: bytes) -> None:
    initiator = example.initiator()
    assert all(initiator.receive_ack(wire[:length]) is None for length in range(len(wire)))
    assert initiator.receive_ack(wire) is not None


@given(st.binary(min_size=1, max_size=50))
def test_what_follows_a_packet_is_left_alone(tail: bytes) -> None:
    accepted = example.responder().receive_auth(example.AUTH_PACKET + tail)
    finished = example.initiator().receive_ack(example.ACK_PACKET + tail)
    assert accepted is not None
    assert finished is not None
    assert (accepted.consumed, finished[1]) == (465, 404)


@given(st.sampled_from([example.AUTH_PACKET, example.PLAIN_AUTH_PACKET]), st.data())
def test_one_flipped_bit_of_auth(wire: bytes, data: st.DataObject) -> None:
    """Refused, or still waiting where the size prefix grew; never accepted."""
    broken = flip_bit(wire, data.draw(st.integers(0, len(wire) * 8 - 1)))
    try:
        assert example.responder().receive_auth(broken) is None
    except RemoteProtocolError:
        return


@given(st.sampled_from([example.ACK_PACKET, example.PLAIN_ACK_PACKET]), st.data())
def test_one_flipped_bit_of_ack(wire: bytes, data: st.DataObject) -> None:
    broken = flip_bit(wire, data.draw(st.integers(0, len(wire) * 8 - 1)))
    try:
        assert example.initiator().receive_ack(broken) is None
    except RemoteProtocolError:
        return


@given(st.binary(max_size=700))
def test_any_bytes_are_refused_or_waited_on(garbage: bytes) -> None:
    for read in (example.responder().receive_auth, example.initiator().receive_ack):
        try:
            assert read(garbage) is None
        except RemoteProtocolError:
            continue


@pytest.mark.parametrize("plain_size", [PLAIN_AUTH_BYTES, PLAIN_ACK_BYTES])
def test_size_underflow(plain_size: int) -> None:
    """A size prefix below the plain packet's length can never be read; at the length it can."""
    rest = bytes(plain_size)
    with pytest.raises(MalformedMessage, match=f"size underflow, {plain_size - 1} < {plain_size}"):
        open_packet((plain_size - 1).to_bytes(2, "big") + rest, example.KEY_B, plain_size)
    assert open_packet((plain_size.to_bytes(2, "big") + rest)[:-1], example.KEY_B, plain_size) is None


def test_the_longest_packet() -> None:
    """The size prefix itself is the only upper bound."""
    body = encode_auth_body(decode_auth(packet(example.AUTH_BODY)))
    padding = bytes(0xFFFF - ecies.OVERHEAD_BYTES - len(body))
    wire = seal_eip8(example.KEY_B.public, body, padding=padding)
    assert len(wire) == 2 + 0xFFFF
    assert example.responder().receive_auth(wire[:-1]) is None
    assert example.responder().receive_auth(wire) is not None


def test_an_eip8_packet_may_begin_like_a_plain_one() -> None:
    """Sizes 1024 to 1279 begin with 04, as ECIES points do."""
    padding = bytes(1100 - ecies.OVERHEAD_BYTES - len(example.AUTH_BODY))
    wire = seal_eip8(example.KEY_B.public, example.AUTH_BODY, padding=padding)
    assert wire[0] == 4
    accepted = example.responder().receive_auth(wire)
    assert accepted is not None
    assert accepted.consumed == 1102


def test_padding_as_the_reference_draws_it() -> None:
    lengths = {len(seal_eip8(example.KEY_B.public, b"")) - 2 - ecies.OVERHEAD_BYTES for _ in range(50)}
    assert len(lengths) > 1
    assert all(MIN_PADDING_BYTES <= length <= MAX_PADDING_BYTES for length in lengths)
    assert (MIN_PADDING_BYTES, MAX_PADDING_BYTES) == (100, 299)


# -- bodies

AUTH_FIELDS: list[Encodable] = [SIGNATURE, example.KEY_A.public.raw, example.NONCE_A, b"\x04"]
ACK_FIELDS: list[Encodable] = [example.EPHEMERAL_B.public.raw, example.NONCE_B, b"\x04"]


@pytest.mark.parametrize("extra", [[], [b"more"], [[b"a", []], b""]])
def test_further_elements_and_bytes_are_ignored(extra: list[Encodable]) -> None:
    auth = decode_auth(packet(encode([*AUTH_FIELDS, *extra]) + b"\xff\x00trailing"))
    assert (auth.nonce, auth.version) == (example.NONCE_A, 4)
    ack = decode_ack(packet(encode([*ACK_FIELDS, *extra]) + b"\xff"))
    assert (ack.nonce, ack.version) == (example.NONCE_B, 4)


@pytest.mark.parametrize("version", [b"", b"\x03", b"\x05", b"\xff" * 8])
def test_the_version_is_not_checked(version: bytes) -> None:
    assert decode_auth(packet(encode([*AUTH_FIELDS[:-1], version]))).version == int.from_bytes(version, "big")
    assert decode_ack(packet(encode([*ACK_FIELDS[:-1], version]))).version == int.from_bytes(version, "big")


@pytest.mark.parametrize("index", range(4))
@pytest.mark.parametrize("replacement", [b"", b"\x00", b"\x01" * 31, b"\x01" * 66, [], [b"x"]])
def test_auth_fields_of_another_shape(index: int, replacement: Encodable) -> None:
    if index == 3 and replacement == b"":
        return  # version 0 is a version
    fields = [*AUTH_FIELDS[:index], replacement, *AUTH_FIELDS[index + 1 :]]
    with pytest.raises(MalformedMessage):
        decode_auth(packet(encode(fields)))


@pytest.mark.parametrize("index", range(2))
@pytest.mark.parametrize("replacement", [b"", b"\x01" * 31, b"\x01" * 64, []])
def test_ack_fields_of_another_shape(index: int, replacement: Encodable) -> None:
    with pytest.raises(MalformedMessage):
        decode_ack(packet(encode([*ACK_FIELDS[:index], replacement, *ACK_FIELDS[index + 1 :]])))


@given(st.binary(max_size=300))
def test_bodies_of_any_bytes(plaintext: bytes) -> None:
    for decode in (decode_auth, decode_ack):
        with pytest.raises(MalformedMessage):
            decode(packet(plaintext))


@pytest.mark.parametrize("count", range(4))
def test_missing_elements(count: int) -> None:
    with pytest.raises(MalformedMessage, match=f"expected 4 elements, got {count}"):
        decode_auth(packet(encode(AUTH_FIELDS[:count])))


def test_a_signature_that_recovers_nothing() -> None:
    body = encode([bytes(65), *AUTH_FIELDS[1:]])
    with pytest.raises(RemoteProtocolError, match="auth signature"):
        example.responder().receive_auth(seal_eip8(example.KEY_B.public, body))


def test_a_packet_for_somebody_else() -> None:
    with pytest.raises(RemoteProtocolError):
        Responder(PrivateKey(b"\x77" * 32)).receive_auth(example.AUTH_PACKET)


def test_two_fresh_sides_agree() -> None:
    responder = Responder(example.KEY_B)
    initiator = Initiator(example.KEY_A, example.KEY_B.public)
    accepted = responder.receive_auth(initiator.auth_packet)
    assert accepted is not None
    finished = initiator.receive_ack(accepted.ack_packet)
    assert finished is not None
    assert states(finished[0]) == states(accepted.secrets)[::-1]
    assert finished[0].aes == accepted.secrets.aes


@given(st.binary(min_size=32, max_size=32))
def test_xor(a: bytes) -> None:
    assert xor(a, a) == bytes(32)
    assert xor(xor(a, example.NONCE_A), example.NONCE_A) == a
