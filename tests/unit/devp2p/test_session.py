"""node.devp2p.session: Hello, keep-alive, time limits on a plain clock (spec 02 sections 2 to 5, spec 01 section 7)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.devp2p import session as limits
from node.devp2p.messages import EMPTY_LIST, BaseCode, Capability, Hello, encode_disconnect
from node.devp2p.session import Phase, Session, check_identity
from node.disconnect import DisconnectReason
from node.errors import HandshakeTimeout, MessageTooBig, PeerDisconnected, RemoteProtocolError, UnexpectedMessage
from tests.support.keys import KEY_A, KEY_B

HELLO = Hello(version=5, name="raw", caps=[Capability("foo", 1)], id=KEY_A.public.raw)
PING = (BaseCode.PING, EMPTY_LIST)
PONG = (BaseCode.PONG, EMPTY_LIST)


def live(now: float = 0.0) -> Session:
    """A session whose Hello came at `now`."""
    session = Session(now=now)
    session.receive(BaseCode.HELLO, HELLO.encode(), now=now)
    return session


def run(session: Session, until: float) -> list[float]:
    """Follow the deadlines up to `until`; the times at which a Ping was queued."""
    pings = []
    while (at := session.next_deadline()) <= until:
        session.handle_deadline(now=at)
        if session.outgoing:
            assert session.outgoing == [PING]
            session.outgoing.clear()
            pings.append(at)
    return pings


def test_the_time_limits_are_those_of_the_reference() -> None:
    assert (limits.HANDSHAKE_TIMEOUT_S, limits.READ_TIMEOUT_S, limits.PING_INTERVAL_S) == (5.0, 30.0, 15.0)


# -- Hello


def test_hello_brings_the_session_to_life() -> None:
    session = Session(now=0.0)
    assert session.phase is Phase.HELLO
    assert session.receive(BaseCode.HELLO, HELLO.encode(), now=1.0) == HELLO
    assert session.phase is Phase.LIVE


def test_our_hello_is_queued_once_asked_for() -> None:
    session = Session(now=0.0)
    assert session.outgoing == []
    session.send_hello(HELLO)
    assert session.outgoing == [(0, HELLO.encode())]


@pytest.mark.parametrize("code", [2, 3, 4, 15, 16, 2**64 - 1])
def test_anything_else_first_is_met_with_silence(code: int) -> None:
    with pytest.raises(UnexpectedMessage, match=f"expected Hello, got message code {code:#x}") as caught:
        Session(now=0.0).receive(code, EMPTY_LIST, now=0.0)
    assert caught.value.reason is None


@pytest.mark.parametrize("reason", [4, 5, 8, 12, 17, 260])
def test_disconnect_in_place_of_hello(reason: int) -> None:
    payload = b"\xc1" + bytes([reason]) if reason < 128 else b"\xc3\x82" + reason.to_bytes(2, "big")
    with pytest.raises(PeerDisconnected) as caught:
        Session(now=0.0).receive(BaseCode.DISCONNECT, payload, now=0.0)
    assert (caught.value.reason, caught.value.by_remote) == (reason, True)


def test_a_hello_too_long() -> None:
    with pytest.raises(MessageTooBig):
        Session(now=0.0).receive(BaseCode.HELLO, HELLO.encode() + bytes(2048), now=0.0)


@given(st.integers(0, 2**64 - 1), st.binary(max_size=100))
def test_any_first_message(code: int, payload: bytes) -> None:
    session = Session(now=0.0)
    try:
        session.receive(code, payload, now=0.0)
    except (RemoteProtocolError, PeerDisconnected):
        assert session.phase is Phase.HELLO


# -- the handshake's time limit


def test_five_seconds_for_the_handshake() -> None:
    session = Session(now=100.0)
    assert session.next_deadline() == 105.0
    session.handle_deadline(now=104.999)
    with pytest.raises(HandshakeTimeout, match="within 5 s") as caught:
        session.handle_deadline(now=105.0)
    assert caught.value.reason is None


def test_no_ping_before_hello() -> None:
    session = Session(now=0.0)
    session.handle_deadline(now=4.0)
    assert session.outgoing == []


# -- keep-alive


def test_a_ping_each_15_s_and_the_end_after_30_s_of_silence() -> None:
    """As measured with the reference: one Ping at 15.0 s, dropped at 30.0 s without Disconnect."""
    session = live(100.0)
    assert run(session, 129.9) == [115.0]
    assert session.next_deadline() == 130.0
    with pytest.raises(PeerDisconnected, match="nothing read for 30 s") as caught:
        session.handle_deadline(now=130.0)
    assert (caught.value.reason, caught.value.by_remote) == (None, False)


def test_pings_do_not_depend_on_other_traffic() -> None:
    session = live()
    pings = []
    for second in range(1, 61):
        session.message_read(float(second))
        pings += run(session, float(second))
    assert pings == [15.0, 30.0, 45.0, 60.0]


@pytest.mark.parametrize("code", [BaseCode.PING, BaseCode.PONG, BaseCode.HELLO, 4, 15])
def test_any_message_counts_as_life(code: int) -> None:
    session = live()
    session.receive(code, EMPTY_LIST, now=29.0)
    session.outgoing.clear()
    run(session, 58.9)
    with pytest.raises(PeerDisconnected):
        session.handle_deadline(now=59.0)


def test_ping_is_answered() -> None:
    session = live()
    session.receive(BaseCode.PING, b"whatever", now=1.0)
    assert session.outgoing == [PONG]


@pytest.mark.parametrize("code", [BaseCode.HELLO, BaseCode.PONG, *range(4, 16)])
def test_what_is_ignored_in_a_live_session(code: int) -> None:
    session = live()
    assert session.receive(code, b"\xff\x00", now=1.0) is None
    assert session.outgoing == []


@pytest.mark.parametrize("reason", DisconnectReason)
def test_disconnect_ends_a_live_session(reason: DisconnectReason) -> None:
    with pytest.raises(PeerDisconnected) as caught:
        live().receive(BaseCode.DISCONNECT, encode_disconnect(reason), now=1.0)
    assert (caught.value.reason, str(caught.value)) == (reason, reason.text)


def test_silence_is_not_held_against_the_peer_while_we_do_not_read() -> None:
    session = live()
    session.pause_reading(True, now=1.0)
    assert run(session, 100.0) == [15.0, 30.0, 45.0, 60.0, 75.0, 90.0]


def test_the_idle_limit_starts_anew_when_reading_resumes() -> None:
    session = live()
    session.pause_reading(True, now=1.0)
    run(session, 99.0)
    session.pause_reading(False, now=100.0)
    run(session, 129.9)
    with pytest.raises(PeerDisconnected):
        session.handle_deadline(now=130.0)


# -- identity


def test_the_identity_in_hello_must_be_the_encrypted_one() -> None:
    check_identity(HELLO, KEY_A.public)
    with pytest.raises(RemoteProtocolError) as caught:
        check_identity(HELLO, KEY_B.public)
    assert caught.value.reason is DisconnectReason.UNEXPECTED_IDENTITY


def test_an_identity_that_is_no_key() -> None:
    hello = Hello(version=5, name="", caps=[], id=b"\x01" * 64)
    with pytest.raises(RemoteProtocolError) as caught:
        check_identity(hello, KEY_A.public)
    assert caught.value.reason is DisconnectReason.UNEXPECTED_IDENTITY
