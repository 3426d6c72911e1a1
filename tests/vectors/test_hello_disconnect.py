"""Messages of the base protocol and the layout of message codes."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from node.devp2p.capability import match_protocols
from node.devp2p.messages import (
    EMPTY_LIST,
    SNAPPY_VERSION,
    BaseCode,
    Capability,
    Hello,
    decode_disconnect,
    decode_hello,
    encode_disconnect,
)
from node.devp2p.session import Session
from node.disconnect import DisconnectReason, reason_text
from node.errors import PeerDisconnected, RemoteProtocolError
from node.rlp.codec import decode
from tests.vectors.loader import Case, generate, unhex

pytestmark = pytest.mark.vectors("hello_disconnect.json")


def payload_of(case: Case) -> bytes:
    return generate(case["payload_gen"]) if "payload_gen" in case else unhex(case["payload"])


def check_hello(case: Case, hello: Hello) -> None:
    assert hello.version == case["version"]
    assert hello.name == case["client"]
    assert [[cap.name, cap.version] for cap in hello.caps] == case["caps"]
    assert hello.listen_port == case["listen_port"]
    assert hello.id == unhex(case["id"])


def test_hello(case_hello: Case) -> None:
    hello = decode_hello(unhex(case_hello["payload"]))
    check_hello(case_hello, hello)
    assert list(hello.rest) == [decode(unhex(part)) for part in case_hello["rest"]]
    assert (hello.version >= SNAPPY_VERSION) == case_hello["snappy_after"]
    assert hello.encode() == unhex(case_hello["payload"])


def test_unusual_hello(case_hello_decode: Case) -> None:
    check_hello(case_hello_decode, decode_hello(unhex(case_hello_decode["payload"])))


def test_what_is_no_hello(case_hello_must_fail: Case) -> None:
    session = Session(now=0.0)
    with pytest.raises((RemoteProtocolError, PeerDisconnected)):
        session.receive(case_hello_must_fail["code"], payload_of(case_hello_must_fail), now=0.0)


def test_disconnect(case_disconnect: Case) -> None:
    assert decode_disconnect(unhex(case_disconnect["payload"])) == case_disconnect["reason"]
    assert reason_text(case_disconnect["reason"]) == case_disconnect["text"]
    assert encode_disconnect(DisconnectReason(case_disconnect["reason"])) == unhex(case_disconnect["payload"])
    assert case_disconnect["code"] == BaseCode.DISCONNECT


def test_odd_disconnects(case_disconnect_decode: Case) -> None:
    assert decode_disconnect(unhex(case_disconnect_decode["payload"])) == case_disconnect_decode["reason"]


def test_ping(case_ping: Case) -> None:
    assert (case_ping["code"], unhex(case_ping["payload"])) == (BaseCode.PING, EMPTY_LIST)


def test_pong(case_pong: Case) -> None:
    assert (case_pong["code"], unhex(case_pong["payload"])) == (BaseCode.PONG, EMPTY_LIST)


@dataclass(frozen=True)
class Offer:
    name: str
    version: int
    length: int


def test_offsets(case_offsets: Case) -> None:
    local = [Offer(*row) for row in case_offsets["local"]]
    matched = match_protocols([Capability(*row) for row in case_offsets["remote_caps"]], local)
    assert {
        m.protocol.name: {"version": m.protocol.version, "offset": m.offset, "length": m.protocol.length}
        for m in matched
    } == case_offsets["matched"]
    assert (not matched) == case_offsets["useless_peer"]
