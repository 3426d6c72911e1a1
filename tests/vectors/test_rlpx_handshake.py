"""The RLPx handshake against recorded packets, to the secrets, the MAC states and the frames behind them."""

from __future__ import annotations

import pytest

from node.crypto import ecies
from node.crypto.secp256k1 import PrivateKey, PublicKey, recover
from node.errors import RemoteProtocolError
from node.rlp.codec import encode
from node.rlpx.connection import Connection
from node.rlpx.events import HandshakeCompleted, MessageReceived
from node.rlpx.frame import FrameReader, FrameWriter
from node.rlpx.handshake import (
    PLAIN_ACK_BYTES,
    PLAIN_AUTH_BYTES,
    Initiator,
    Responder,
    decode_ack,
    decode_auth,
    encode_ack_body,
    encode_auth_body,
    open_packet,
    seal_eip8,
)
from node.rlpx.secrets import Role, Secrets, derive_secrets, xor
from tests.vectors.loader import Case, unhex

pytestmark = pytest.mark.vectors("rlpx_handshake.json")


def key(case: Case, name: str) -> PrivateKey:
    return PrivateKey(unhex(case[name]))


def secrets_of(case: Case, role: Role) -> Secrets:
    return derive_secrets(
        ecdhe_shared=unhex(case["ephemeral_shared_secret"]),
        initiator_nonce=unhex(case["initiator_nonce"]),
        responder_nonce=unhex(case["responder_nonce"]),
        auth=unhex(case["auth_packet"]),
        ack=unhex(case["ack_packet"]),
        role=role,
    )


def check_secrets(case: Case, secrets: Secrets, side: str) -> None:
    expected = case["secrets"]
    assert secrets.aes == unhex(expected["aes"])
    assert secrets.mac == unhex(expected["mac"])
    assert secrets.egress_mac.digest() == unhex(expected[f"{side}_egress_mac"])
    assert secrets.ingress_mac.digest() == unhex(expected[f"{side}_ingress_mac"])


def test_both_sides_reach_the_recorded_secrets(case_handshake: Case) -> None:
    case = case_handshake
    auth, ack = unhex(case["auth_packet"]), unhex(case["ack_packet"])
    responder = Responder(
        key(case, "responder_static_priv"),
        nonce=unhex(case["responder_nonce"]),
        ephemeral_key=key(case, "responder_ephemeral_priv"),
        # The recorded ack stands in for a fresh one: the MACs cover the very bytes.
        seal=lambda _key, _body: ack,
        seal_plain=lambda _key, _body: ack,
    )
    accepted = responder.receive_auth(auth)
    assert accepted is not None
    assert accepted.consumed == len(auth)
    assert accepted.remote == PublicKey(unhex(case["initiator_static_pub"]))
    check_secrets(case, accepted.secrets, "responder")

    initiator = Initiator(
        key(case, "initiator_static_priv"),
        PublicKey(unhex(case["responder_static_pub"])),
        nonce=unhex(case["initiator_nonce"]),
        ephemeral_key=key(case, "initiator_ephemeral_priv"),
        seal=lambda _key, _body: auth,
    )
    finished = initiator.receive_ack(ack)
    assert finished is not None
    check_secrets(case, finished[0], "initiator")
    if case.get("responder_ingress_mac_after_foo"):
        state = secrets_of(case, Role.RESPONDER).ingress_mac
        state.update(b"foo")
        assert state.digest() == unhex(case["responder_ingress_mac_after_foo"])


def test_packets_can_be_made_again(case_handshake: Case) -> None:
    case = case_handshake
    if case["auth_ecies_iv"] is None or case["format"] == "plain":
        return  # published packets do not tell their random inputs; plain auth packets are never sent
    body_end = len(encode_auth_body(decode_auth(opened(case, "auth"))))
    for name, reader in (("auth", "responder"), ("ack", "initiator")):
        plaintext = unhex(case[f"{name}_plaintext"])
        made = seal_eip8(
            PublicKey(unhex(case[f"{reader}_static_pub"])),
            plaintext,
            padding=b"",
            ephemeral_key=key(case, f"{name}_ecies_ephemeral_priv"),
            iv=unhex(case[f"{name}_ecies_iv"]),
        )
        assert made == unhex(case[f"{name}_packet"])
    if not case["auth_rest"] and case["auth_version"] == 4:
        initiator = Initiator(
            key(case, "initiator_static_priv"),
            PublicKey(unhex(case["responder_static_pub"])),
            nonce=unhex(case["initiator_nonce"]),
            ephemeral_key=key(case, "initiator_ephemeral_priv"),
            seal=lambda _key, body: body,
        )
        assert initiator.auth_packet == unhex(case["auth_plaintext"])[:body_end]
        assert xor(unhex(case["static_shared_secret"]), unhex(case["initiator_nonce"]))


def opened(case: Case, name: str):  # type: ignore[no-untyped-def]
    plain, reader = (PLAIN_AUTH_BYTES, "responder") if name == "auth" else (PLAIN_ACK_BYTES, "initiator")
    packet = open_packet(unhex(case[f"{name}_packet"]), key(case, f"{reader}_static_priv"), plain)
    assert packet is not None
    return packet


def test_ack_body(case_handshake: Case) -> None:
    ack = decode_ack(opened(case_handshake, "ack"))
    assert ack.nonce == unhex(case_handshake["responder_nonce"])
    assert ack.ephemeral_key == key(case_handshake, "responder_ephemeral_priv").public
    if case_handshake["ack_plaintext"] and case_handshake["format"] == "eip8" and not case_handshake["ack_rest"]:
        assert unhex(case_handshake["ack_plaintext"]).startswith(encode_ack_body(ack))


def test_auth_is_read(case_auth_decode: Case) -> None:
    case = case_auth_decode
    packet = open_packet(unhex(case["packet"]), key(case, "responder_static_priv"), PLAIN_AUTH_BYTES)
    assert packet is not None
    assert packet.is_plain == case["plain"]
    auth = decode_auth(packet)
    assert auth.signature == unhex(case["signature"])
    assert auth.static_key == PublicKey(unhex(case["initiator_static_pub"]))
    assert auth.nonce == unhex(case["initiator_nonce"])
    assert auth.version == case["version"]
    token = key(case, "responder_static_priv").ecdh(auth.static_key)
    assert recover(xor(token, auth.nonce), auth.signature) == PublicKey(unhex(case["initiator_ephemeral_pub"]))


def test_ack_is_read(case_ack_decode: Case) -> None:
    case = case_ack_decode
    packet = open_packet(unhex(case["packet"]), key(case, "initiator_static_priv"), PLAIN_ACK_BYTES)
    assert packet is not None
    assert packet.is_plain == case["plain"]
    ack = decode_ack(packet)
    assert ack.nonce == unhex(case["responder_nonce"])
    assert ack.ephemeral_key == PublicKey(unhex(case["responder_ephemeral_pub"]))
    assert ack.version == case["version"]


def test_refused(case_must_fail: Case) -> None:
    """Refused, or still waiting when the input ends: both are refusal (tests/vectors/README.md)."""
    case = case_must_fail
    packet = unhex(case["packet"])
    try:
        if case["stage"] == "auth":
            result: object = Responder(key(case, "static_priv")).receive_auth(packet)
        else:
            initiator = Initiator(key(case, "static_priv"), PrivateKey(bytes([7] * 32)).public)
            result = initiator.receive_ack(packet)
    except RemoteProtocolError:
        return
    assert result is None


def test_recorded_session(case_session: Case) -> None:
    """Every frame reads to its message and, where compression allows only one result, writes to the same bytes."""
    case = case_session
    sides = {
        "initiator": secrets_of(case, Role.INITIATOR),
        "responder": secrets_of(case, Role.RESPONDER),
    }
    reading = {
        "initiator": FrameReader(sides["responder"].aes, sides["responder"].mac, sides["responder"].ingress_mac),
        "responder": FrameReader(sides["initiator"].aes, sides["initiator"].mac, sides["initiator"].ingress_mac),
    }
    writing = {name: FrameWriter(s.aes, s.mac, s.egress_mac) for name, s in sides.items()}
    from node.rlpx import snappy

    for frame in case["frames"]:
        wire, payload = unhex(frame["wire"]), unhex(frame["payload"])
        reader = reading[frame["from"]]
        wanted = reader.read_header(wire[:32])
        assert wanted == len(wire) - 32
        code, body = reader.read_body(wire[32:])
        assert code == frame["code"]
        assert (snappy.decompress(body) if frame["snappy"] else body) == payload
        # The recorded compressor's own output goes back in: a block may be packed in more than one way.
        assert writing[frame["from"]].encode(code, body) == wire


def test_connection_replays_a_session_byte_by_byte(case_session: Case) -> None:
    """The whole core as initiator, fed one byte at a time."""
    case = case_session
    auth = unhex(case["auth_packet"])
    remote = PublicKey(unhex(case["responder_static_pub"]))
    initiator = Initiator(
        key(case, "initiator_static_priv"),
        remote,
        nonce=unhex(case["initiator_nonce"]),
        ephemeral_key=key(case, "initiator_ephemeral_priv"),
        seal=lambda _key, _body: auth,
    )
    connection = Connection(key(case, "initiator_static_priv"), remote, handshake=initiator)
    assert connection.data_to_send() == auth
    for byte in unhex(case["ack_packet"])[:-1]:
        assert list(connection.receive_data(bytes([byte]))) == []
    assert list(connection.receive_data(unhex(case["ack_packet"])[-1:])) == [HandshakeCompleted(remote)]
    for frame in case["frames"]:
        if frame["from"] == "initiator":
            continue
        connection.snappy = frame["snappy"]
        wire = unhex(frame["wire"])
        for at in range(len(wire) - 1):
            assert list(connection.receive_data(wire[at : at + 1])) == []
        assert list(connection.receive_data(wire[-1:])) == [MessageReceived(frame["code"], unhex(frame["payload"]))]


def test_ecies_overhead_is_what_the_packet_sizes_say() -> None:
    assert PLAIN_AUTH_BYTES == 307
    assert PLAIN_ACK_BYTES == 210
    assert ecies.OVERHEAD_BYTES == 113
    assert encode(b"") == b"\x80"
