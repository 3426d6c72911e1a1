"""The bzz handshake: order of checks, one message each way."""

from __future__ import annotations

import dataclasses

import pytest

from node.disconnect import DisconnectReason
from node.errors import MalformedMessage, RemoteProtocolError, UnexpectedMessage
from node.swarm.address import MAX_UNDERLAY_BYTES, BzzAddr
from node.swarm.capability import FULL_CAPABILITIES, LIGHT_CAPABILITIES, Capabilities, parse_capabilities
from node.swarm.handshake import BzzHandshake, HandshakeState, check_handshake
from node.swarm.messages import HandshakeMsg, encode_message
from tests.unit.swarm.samples import overlay_of, record

OURS, THEIRS = record("0"), record("1")
GOOD = HandshakeMsg(network_id=4, address=THEIRS)


def fresh() -> BzzHandshake:
    return BzzHandshake(address=OURS, network_id=4)


def test_both_ends_learn_each_other() -> None:
    here, there = fresh(), BzzHandshake(address=THEIRS, network_id=4)
    assert here.receive(*encode_message(there.local)) == THEIRS == here.remote
    assert there.receive(*encode_message(here.local)) == OURS == there.remote
    assert here.state is there.state is HandshakeState.DONE


def test_checks_come_in_the_order_of_the_reference() -> None:
    address = BzzAddr.of(THEIRS.overlay, "xx", parse_capabilities("1:11"))
    for network_id, version, text in (
        (5, 13, "network id mismatch 5 (!= 4)"),
        (4, 13, "version mismatch 13 (!= 14)"),
        (4, 14, "invalid capabilities setting: 1:11"),
    ):
        message = HandshakeMsg(version=version, network_id=network_id, address=address)
        with pytest.raises(RemoteProtocolError) as caught:
            check_handshake(message, network_id=4)
        assert (str(caught.value), caught.value.reason) == (text, DisconnectReason.SUBPROTOCOL_ERROR)


@pytest.mark.parametrize("capabilities", [FULL_CAPABILITIES, LIGHT_CAPABILITIES])
def test_full_and_light_nodes_are_welcome(capabilities: Capabilities) -> None:
    address = dataclasses.replace(THEIRS, capabilities_rlp=capabilities.encode())
    check_handshake(HandshakeMsg(network_id=4, address=address), network_id=4)


def test_an_address_too_long_to_pass_on_is_refused() -> None:
    for size in (MAX_UNDERLAY_BYTES, MAX_UNDERLAY_BYTES + 1):
        address = BzzAddr.of(overlay_of("1"), "x" * size, FULL_CAPABILITIES)
        message = HandshakeMsg(network_id=4, address=address)
        if size == MAX_UNDERLAY_BYTES:
            check_handshake(message, network_id=4)
        else:
            with pytest.raises(MalformedMessage):
                check_handshake(message, network_id=4)


def test_a_second_message_is_an_offence() -> None:
    handshake = fresh()
    handshake.receive(*encode_message(GOOD))
    with pytest.raises(UnexpectedMessage) as caught:
        handshake.receive(*encode_message(GOOD))
    assert caught.value.reason is DisconnectReason.SUBPROTOCOL_ERROR
    assert handshake.remote == THEIRS


@pytest.mark.parametrize("payload", [b"", b"\xc0", encode_message(dataclasses.replace(GOOD, network_id=5))[1]])
def test_a_bad_handshake_is_final(payload: bytes) -> None:
    handshake = fresh()
    with pytest.raises(RemoteProtocolError):
        handshake.receive(0, payload)
    assert handshake.state is HandshakeState.FAILED
    with pytest.raises(ValueError, match="not done"):
        _ = handshake.remote
    with pytest.raises(UnexpectedMessage):
        handshake.receive(*encode_message(GOOD))
