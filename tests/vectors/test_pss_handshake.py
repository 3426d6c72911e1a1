"""The key exchange and protocol messages over pss, byte for byte as the reference has them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from node.crypto.secp256k1 import PrivateKey, PublicKey
from node.errors import MalformedMessage
from node.ids import OverlayAddress, Topic
from node.pss.crypto import unwrap_asymmetric
from node.pss.handshake import HandshakeController, Offer
from node.pss.handshake_message import KeyMessage, decode_key_message, encode_key_message
from node.pss.keystore import KEY_ID_BYTES, KeyStore, format_pubkey_id
from node.pss.message import PssMessage
from node.pss.ping import PING_SPEC, PingMessage
from node.pss.protocol_message import decode_protocol_message, encode_protocol_message
from node.pss.topic import protocol_topic
from tests.vectors.loader import Case, unhex

pytestmark = pytest.mark.vectors("pss_handshake.json")

NOW = 1000.0


def key_message_of(fields: Case, *, address: str) -> KeyMessage:
    return KeyMessage(
        address=unhex(fields[address]),
        limit=fields["limit"],
        keys=tuple(map(unhex, fields["keys"])),
        request=fields["request"],
        topic=Topic(unhex(fields["topic"])),
    )


# -- messages


def test_key_message(case_handshake_msg: Case) -> None:
    message, wire = key_message_of(case_handshake_msg, address="from"), unhex(case_handshake_msg["rlp"])
    assert encode_key_message(message) == wire
    assert decode_key_message(wire) == message


def test_no_key_message(case_handshake_msg_must_fail: Case) -> None:
    with pytest.raises(MalformedMessage):
        decode_key_message(unhex(case_handshake_msg_must_fail["rlp"]))


def test_protocol_message(case_protocol_msg: Case) -> None:
    code, payload, wire = case_protocol_msg["code"], unhex(case_protocol_msg["payload"]), case_protocol_msg["rlp"]
    assert encode_protocol_message(code, payload) == unhex(wire)
    message = decode_protocol_message(unhex(wire))
    assert (message.code, message.size, message.payload) == (code, case_protocol_msg["size"], payload)


def test_protocol_message_whose_size_is_wrong(case_protocol_msg_decode: Case) -> None:
    message = decode_protocol_message(unhex(case_protocol_msg_decode["rlp"]))
    assert message.code == case_protocol_msg_decode["code"]
    assert message.payload == unhex(case_protocol_msg_decode["payload"])
    # The protocol is given the size that the payload has, not the one announced.
    assert len(message.payload) == case_protocol_msg_decode["size"] != message.size


def test_no_protocol_message(case_protocol_msg_must_fail: Case) -> None:
    with pytest.raises(MalformedMessage, match="could not decode pssmsg"):
        decode_protocol_message(unhex(case_protocol_msg_must_fail["rlp"]))


def test_ping(case_ping_msg: Case) -> None:
    message = PingMessage(pong=case_ping_msg["pong"])
    code, payload = PING_SPEC.encode(message)
    assert (code, payload) == (case_ping_msg["code"], unhex(case_ping_msg["payload"]))
    assert len(payload) == case_ping_msg["size"]
    wire = encode_protocol_message(code, payload)
    assert wire == unhex(case_ping_msg["rlp"])
    assert PING_SPEC.decode(code, decode_protocol_message(wire).payload) == message
    assert protocol_topic(PING_SPEC.name, PING_SPEC.version) == unhex(case_ping_msg["topic"])


# -- a whole exchange


class Side:
    """One node of an exchange; the keys it makes are those of the recording."""

    def __init__(self, case: Case, name: str, other: str) -> None:
        self.key = PrivateKey(unhex(case[f"{name}_priv"]))
        self.made, self.got = case[f"{name}_in_keys"], case[f"{name}_out_keys"]
        self.topic, self.overlay = Topic(unhex(case["topic"])), OverlayAddress(unhex(case[f"{name}_base"]))
        self._random = self._recorded(makes_first=name == "initiator")
        self.store = KeyStore(random_bytes=self._draw)
        self.peer = self.store.set_peer_public_key(
            PublicKey(unhex(case[f"{other}_pub"])), self.topic, unhex(case[f"{name}_has_address"])
        )
        self.controller = HandshakeController(
            overlay=self.overlay, store=self.store, capacity=case["key_capacity"], limit=case["key_limit"]
        )
        self.controller.activate(self.topic)

    def _recorded(self, *, makes_first: bool) -> Iterator[bytes]:
        """The keys, each with an id behind it; ids alone for those of the other side."""
        made = [draw for n, secret in enumerate(self.made) for draw in (unhex(secret), bytes([1, n]) * 16)]
        got = [bytes([2, n]) * (KEY_ID_BYTES // 2) for n in range(len(self.got))]
        yield from made + got if makes_first else got + made

    def _draw(self, size: int) -> bytes:
        value = next(self._random)
        assert len(value) == size
        return value

    def check_sent(self, offer: Offer, recorded: Case) -> None:
        """What this side says is what was recorded, and so is where it goes."""
        assert offer.message == key_message_of(recorded, address="msg_from")
        assert encode_key_message(offer.message) == unhex(recorded["payload"])
        envelope = PssMessage.decode(unhex(recorded["pss_message"]))
        assert envelope.to == self.store.asymmetric_route(self.peer, self.topic).address
        assert envelope.topic == self.topic
        assert not envelope.raw
        assert not envelope.symmetric

    def open(self, recorded: Case) -> tuple[str, KeyMessage]:
        """Read a recorded message, as its receiver; who sent it, and what."""
        contents = unwrap_asymmetric(PssMessage.decode(unhex(recorded["pss_message"])).payload, self.key)
        assert contents.payload == unhex(recorded["payload"])
        assert contents.sender is not None
        return format_pubkey_id(contents.sender), decode_key_message(contents.payload)

    def secrets(self, *, incoming: bool) -> list[str]:
        key_ids = self.controller.keys.valid(self.peer, self.topic, incoming=incoming, now=NOW)
        return ["0x" + self.store.symmetric_key(key_id).secret.hex() for key_id in key_ids]


def test_exchange(case_exchange: Case) -> None:
    initiator = Side(case_exchange, "initiator", "responder")
    responder = Side(case_exchange, "responder", "initiator")
    asked, answered = case_exchange["messages"]

    offer = initiator.controller.request(initiator.peer, initiator.topic, flush=True, wait=True, now=NOW)
    initiator.check_sent(offer, asked)

    sender, message = responder.open(asked)
    assert sender == responder.peer
    received = responder.controller.receive(sender, message, now=NOW)
    assert received.reply is not None
    responder.check_sent(received.reply, answered)

    sender, message = initiator.open(answered)
    assert sender == initiator.peer
    last = initiator.controller.receive(sender, message, now=NOW)
    assert (last.reply, last.refusal) == (None, None)
    assert len(last.key_ids) == case_exchange["key_capacity"]

    for side in (initiator, responder):
        assert side.secrets(incoming=True) == side.made
        assert side.secrets(incoming=False) == side.got
        for key_id in side.controller.keys.valid(side.peer, side.topic, incoming=False, now=NOW):
            key = side.controller.keys.key(key_id)
            assert (key.limit, key.count) == (case_exchange["key_limit"], 0)
            # Written to in full, however little was known of the address before.
            assert side.store.symmetric_route(key_id, side.topic).address == unhex(
                case_exchange["responder_base" if side is initiator else "initiator_base"]
            )
