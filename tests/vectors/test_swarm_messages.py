"""Messages of bzz and hive inside their protocols: codes, limits, what ends the connection."""

from __future__ import annotations

from pathlib import Path

import pytest

from node.disconnect import DisconnectReason
from node.errors import RemoteProtocolError
from node.rlp.codec import encode
from node.swarm import messages
from node.swarm.messages import HandshakeMsg, PeersMsg, SubPeersMsg, decode_bzz, decode_hive, encode_message
from tests.vectors.loader import Case, load_cases, unhex
from tests.vectors.test_bzz_handshake import address_of

FILE = "protocols_wrapped.json"
PROTOCOLS = {
    "bzz": (messages.BZZ_VERSION, messages.BZZ_LENGTH, decode_bzz),
    "hive": (messages.HIVE_VERSION, messages.HIVE_LENGTH, decode_hive),
}


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Like the `case_` fixtures, but only with the cases of our two protocols; the others have modules of their own."""
    path = Path(metafunc.config.getoption("--vectors")) / FILE
    for kind in {"spec", "send", "receive"}.intersection(metafunc.fixturenames):
        cases = [case for case in load_cases(path) if case["kind"] == kind and case["spec"] in PROTOCOLS]
        metafunc.parametrize(kind, cases, ids=[case["name"] for case in cases])


def message_of(case: Case) -> HandshakeMsg | PeersMsg | SubPeersMsg:
    fields = case["message"]
    match case["type"]:
        case "handshake":
            address = address_of(fields["addr"])
            return HandshakeMsg(version=fields["version"], network_id=fields["network_id"], address=address)
        case "peers":
            return PeersMsg(peers=tuple(address_of(peer) for peer in fields["peers"]))
        case "sub_peers":
            return SubPeersMsg(depth=fields["depth"])
    raise AssertionError(case["type"])


def test_spec(spec: Case) -> None:
    version, length, _ = PROTOCOLS[spec["spec"]]
    assert (version, length) == (spec["version"], spec["length"])
    assert spec["max_message_size"] == messages.MAX_MESSAGE_BYTES


def test_send(send: Case) -> None:
    code, payload = encode_message(message_of(send))
    assert code == send["code"]
    # With tracing on, which no node has by default, the reference wraps: [trace context, message].
    assert (encode([b"", payload]) if send["tracing"] else payload) == unhex(send["payload"])


def test_wrapped_messages_are_refused(send: Case) -> None:
    _, _, decode = PROTOCOLS[send["spec"]]
    if send["tracing"]:
        with pytest.raises(RemoteProtocolError):
            decode(send["code"], unhex(send["payload"]))
    else:
        assert decode(send["code"], unhex(send["payload"])) == message_of(send)


def test_receive(receive: Case) -> None:
    _, _, decode = PROTOCOLS[receive["spec"]]
    assert not receive["tracing"]
    if receive["handled"]:
        decode(receive["code"], unhex(receive["payload"]))
        return
    with pytest.raises(RemoteProtocolError) as caught:
        decode(receive["code"], unhex(receive["payload"]))
    assert receive["drops_peer"]
    assert caught.value.reason is DisconnectReason.SUBPROTOCOL_ERROR
