"""Messages of bzz/14 and hive/11, and the check of a handshake, against the recorded ones."""

from __future__ import annotations

import pytest

from node.disconnect import DisconnectReason
from node.errors import RemoteProtocolError
from node.ids import overlay_address
from node.rlp.codec import decode_first, encode
from node.swarm.address import BzzAddr
from node.swarm.capability import Capabilities, decode_capabilities, parse_capabilities, parse_capability
from node.swarm.handshake import check_handshake
from node.swarm.messages import HandshakeMsg, PeersMsg, SubPeersMsg, decode_bzz, decode_hive, encode_message
from tests.vectors.loader import Case, unhex

pytestmark = pytest.mark.vectors("bzz_handshake.json")


def capabilities_of(case: Case) -> Capabilities:
    caps = (parse_capability(f"{cap['id']}:{cap['bits']}") for cap in case["capabilities"])
    return Capabilities(caps=tuple(caps))


def address_of(case: Case) -> BzzAddr:
    return BzzAddr(
        overlay=overlay_address(unhex(case["oaddr"])),
        underlay=unhex(case["uaddr"]),
        capabilities_rlp=capabilities_of(case).encode(),
    )


def test_capabilities(case_capabilities: Case) -> None:
    capabilities = capabilities_of(case_capabilities)
    assert capabilities.encode() == unhex(case_capabilities["rlp"])
    assert decode_capabilities(unhex(case_capabilities["rlp"])) == capabilities
    assert str(capabilities) == case_capabilities["text"]
    assert parse_capabilities(case_capabilities["text"]) == capabilities


def test_address(case_bzzaddr: Case) -> None:
    address, rlp = address_of(case_bzzaddr), unhex(case_bzzaddr["rlp"])
    assert b"".join(encode(item) for item in address.to_items()) == rlp
    items, at = [], 0
    while at < len(rlp):
        item, at = decode_first(rlp, at)
        items.append(item)
    assert BzzAddr.from_items(items) == address
    assert address.dialable


def test_handshake(case_handshake: Case) -> None:
    message = HandshakeMsg(
        version=case_handshake["version"],
        network_id=case_handshake["network_id"],
        address=address_of(case_handshake["addr"]),
    )
    payload = unhex(case_handshake["payload"])
    assert encode_message(message) == (case_handshake["code"], payload)
    assert decode_bzz(case_handshake["code"], payload) == message
    assert message.address.capabilities.is_light == case_handshake["light_node"]


def test_handshake_check(case_handshake_check: Case) -> None:
    message = decode_bzz(0, unhex(case_handshake_check["payload"]))
    if case_handshake_check["accepted"]:
        check_handshake(message, network_id=case_handshake_check["local_network_id"])
        return
    with pytest.raises(RemoteProtocolError) as caught:
        check_handshake(message, network_id=case_handshake_check["local_network_id"])
    assert str(caught.value) == case_handshake_check["go_error"]
    assert caught.value.reason is DisconnectReason.SUBPROTOCOL_ERROR


def test_handshake_refused(case_handshake_must_fail: Case) -> None:
    with pytest.raises(RemoteProtocolError) as caught:
        decode_bzz(0, unhex(case_handshake_must_fail["payload"]))
    assert caught.value.reason is DisconnectReason.SUBPROTOCOL_ERROR


def test_peers(case_peers: Case) -> None:
    message = PeersMsg(peers=tuple(address_of(peer) for peer in case_peers["peers"]))
    payload = unhex(case_peers["payload"])
    assert encode_message(message) == (case_peers["code"], payload)
    assert decode_hive(case_peers["code"], payload) == message


def test_peers_before_a_break_are_kept(case_peers_odd: Case) -> None:
    expected = tuple(address_of(peer) for peer in case_peers_odd["peers"])
    assert decode_hive(0, unhex(case_peers_odd["payload"])) == PeersMsg(peers=expected)


def test_peers_refused(case_peers_must_fail: Case) -> None:
    with pytest.raises(RemoteProtocolError):
        decode_hive(0, unhex(case_peers_must_fail["payload"]))


def test_sub_peers(case_sub_peers: Case) -> None:
    message = SubPeersMsg(depth=case_sub_peers["depth"])
    payload = unhex(case_sub_peers["payload"])
    assert encode_message(message) == (case_sub_peers["code"], payload)
    assert decode_hive(case_sub_peers["code"], payload) == message


def test_sub_peers_refused(case_sub_peers_must_fail: Case) -> None:
    with pytest.raises(RemoteProtocolError):
        decode_hive(1, unhex(case_sub_peers_must_fail["payload"]))
