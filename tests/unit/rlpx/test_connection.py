"""node.rlpx.connection: bytes in, events out, limits (spec 01 sections 4 to 6)."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.errors import AuthenticationFailed, LocalProtocolError, MalformedMessage, MessageTooBig, RemoteProtocolError
from node.rlpx.connection import Connection
from node.rlpx.events import Event, HandshakeCompleted, MessageReceived
from node.rlpx.frame import MAX_FRAME_BYTES
from tests.support.keys import KEY_A, KEY_B, flip_bit
from tests.unit.rlpx import worked_example as example

HELLO_LIMIT = 2049


def example_pair() -> tuple[Connection, Connection]:
    """A and B of the worked example."""
    a = Connection(example.KEY_A, example.KEY_B.public, handshake=example.initiator())
    return a, Connection(example.KEY_B, handshake=example.responder())


def connected(*, compress: bool = False) -> tuple[Connection, Connection]:
    """Two ends with a finished handshake; recorded randomness, so that failures repeat."""
    a, b = example_pair()
    list(b.receive_data(a.data_to_send()))
    list(a.receive_data(b.data_to_send()))
    a.snappy = b.snappy = compress
    return a, b


def bytewise(connection: Connection, wire: bytes) -> Iterator[Event]:
    for at in range(len(wire)):
        yield from connection.receive_data(wire[at : at + 1])


def wire_of(connection: Connection, code: int, payload: bytes) -> bytes:
    connection.send_message(code, payload)
    return connection.data_to_send()


def test_the_worked_example_from_the_first_byte_to_disconnect() -> None:
    a, b = example_pair()
    assert a.data_to_send() == example.AUTH_PACKET
    assert list(b.receive_data(example.AUTH_PACKET)) == [HandshakeCompleted(KEY_A.public)]
    assert b.data_to_send() == example.ACK_PACKET
    assert list(a.receive_data(example.ACK_PACKET)) == [HandshakeCompleted(KEY_B.public)]
    hello_a, hello_b = example.HELLO_A[1:101], example.HELLO_B[1:102]
    assert wire_of(a, 0, hello_a) == example.HELLO_A_WIRE
    assert wire_of(b, 0, hello_b) == example.HELLO_B_WIRE
    assert list(b.receive_data(example.HELLO_A_WIRE)) == [MessageReceived(0, hello_a)]
    assert list(a.receive_data(example.HELLO_B_WIRE)) == [MessageReceived(0, hello_b)]
    a.snappy = b.snappy = True
    assert wire_of(a, 2, b"\xc0") == example.PING_WIRE
    assert wire_of(b, 3, b"\xc0") == example.PONG_WIRE
    assert wire_of(a, 16, b"\x86foobar") == example.FOOBAR_WIRE
    stream = example.PING_WIRE + example.FOOBAR_WIRE + example.ZEROS_WIRE
    zeros = b"\xb8\x64" + bytes(100)
    assert list(bytewise(b, stream)) == [
        MessageReceived(2, b"\xc0"),
        MessageReceived(16, b"\x86foobar"),
        MessageReceived(16, zeros),
    ]
    assert wire_of(b, 1, b"\xc1\x08") == example.DISCONNECT_WIRE
    stream = example.PONG_WIRE + example.DISCONNECT_WIRE
    assert list(a.receive_data(stream)) == [MessageReceived(3, b"\xc0"), MessageReceived(1, b"\xc1\x08")]


def test_plain_format_in_plain_format_out() -> None:
    _, b = example_pair()
    assert list(bytewise(b, example.PLAIN_AUTH_PACKET)) == [HandshakeCompleted(KEY_A.public)]
    assert b.data_to_send() == example.PLAIN_ACK_PACKET


def test_everything_in_one_piece() -> None:
    """What follows auth in the same bytes is frames already."""
    b = example_pair()[1]
    events = list(b.receive_data(example.AUTH_PACKET + example.HELLO_A_WIRE))
    assert events == [HandshakeCompleted(KEY_A.public), MessageReceived(0, example.HELLO_A[1:101])]


def test_byte_by_byte_nothing_before_the_last() -> None:
    b = example_pair()[1]
    assert list(bytewise(b, example.AUTH_PACKET[:-1])) == []
    assert len(list(b.receive_data(example.AUTH_PACKET[-1:]))) == 1
    assert list(bytewise(b, example.HELLO_A_WIRE[:-1])) == []
    assert len(list(b.receive_data(example.HELLO_A_WIRE[-1:]))) == 1


@given(st.lists(st.binary(max_size=60), min_size=1, max_size=4), st.booleans(), st.data())
def test_however_the_stream_is_cut(payloads: list[bytes], compress: bool, data: st.DataObject) -> None:
    a, b = connected(compress=compress)
    wire = b"".join(wire_of(a, 16 + i, payload) for i, payload in enumerate(payloads))
    events: list[Event] = []
    while wire:
        cut = data.draw(st.integers(1, len(wire)))
        events += b.receive_data(wire[:cut])
        wire = wire[cut:]
    assert events == [MessageReceived(16 + i, payload) for i, payload in enumerate(payloads)]


@given(st.binary(max_size=60), st.data())
def test_a_truncated_frame_waits(payload: bytes, data: st.DataObject) -> None:
    a, b = connected()
    wire = wire_of(a, 16, payload)
    assert list(b.receive_data(wire[: data.draw(st.integers(0, len(wire) - 1))])) == []


@given(st.binary(max_size=60), st.booleans(), st.booleans(), st.data())
def test_one_flipped_bit_in_a_frame(payload: bytes, compress: bool, slowly: bool, data: st.DataObject) -> None:
    a, b = connected(compress=compress)
    wire = wire_of(a, 16, payload)
    broken = flip_bit(wire, data.draw(st.integers(0, len(wire) * 8 - 1)))
    with pytest.raises(AuthenticationFailed):
        list(bytewise(b, broken) if slowly else b.receive_data(broken))


@given(st.integers(0, len(example.AUTH_PACKET) * 8 - 1), st.booleans())
def test_one_flipped_bit_in_auth(bit: int, slowly: bool) -> None:
    b = example_pair()[1]
    broken = flip_bit(example.AUTH_PACKET, bit)
    with contextlib.suppress(RemoteProtocolError):
        assert list(bytewise(b, broken) if slowly else b.receive_data(broken)) == []
    assert b.data_to_send() == b""


@given(st.lists(st.binary(max_size=200), max_size=4), st.booleans())
def test_garbage_from_the_start(chunks: list[bytes], dialed: bool) -> None:
    """Refused or waited on; in no case is anything said."""
    connection = example_pair()[0 if dialed else 1]
    connection.data_to_send()
    try:
        for chunk in chunks:
            assert list(connection.receive_data(chunk)) == []
    except RemoteProtocolError:
        pass
    assert connection.data_to_send() == b""


@given(st.binary(max_size=200))
def test_garbage_after_the_handshake(garbage: bytes) -> None:
    _, b = connected()
    try:
        assert list(b.receive_data(garbage)) == []
    except AuthenticationFailed:
        return
    assert len(garbage) < 32


@given(st.binary(max_size=40))
def test_any_authentic_payload_with_compression(block: bytes) -> None:
    """A peer that holds the keys and sends no snappy: its error, nothing else."""
    a, b = connected()
    b.snappy = True
    wire = wire_of(a, 16, block)
    try:
        list(b.receive_data(wire))
    except RemoteProtocolError:
        return


def test_nothing_can_be_sent_before_the_handshake_is_done() -> None:
    for connection in example_pair():
        with pytest.raises(LocalProtocolError, match="before the handshake"):
            connection.send_message(0, b"")


def test_nothing_is_written_after_a_bad_auth() -> None:
    b = Connection(KEY_B)
    with pytest.raises(RemoteProtocolError):
        list(b.receive_data(bytes(500)))
    assert b.data_to_send() == b""
    assert not b.handshake_done


# -- limits


def test_the_frame_limit_until_hello() -> None:
    """Code and 2048 bytes of payload pass, one byte more does not."""
    a, b = connected()
    b.max_frame_bytes = HELLO_LIMIT
    assert list(b.receive_data(wire_of(a, 0, bytes(2048)))) == [MessageReceived(0, bytes(2048))]
    with pytest.raises(MessageTooBig) as caught:
        list(b.receive_data(wire_of(a, 0, bytes(2049))))
    assert (caught.value.size, caught.value.limit) == (2050, 2049)


def test_the_frame_limit_is_checked_on_the_header_alone() -> None:
    a, b = connected()
    b.max_frame_bytes = HELLO_LIMIT
    with pytest.raises(MessageTooBig):
        list(b.receive_data(wire_of(a, 0, bytes(MAX_FRAME_BYTES - 1))[:32]))


def test_a_frame_of_16_mib() -> None:
    a, b = connected()
    wire = wire_of(a, 16, bytes(MAX_FRAME_BYTES - 1))
    events = [event for at in range(0, len(wire), 1 << 20) for event in b.receive_data(wire[at : at + (1 << 20)])]
    assert [len(event.payload) for event in events if isinstance(event, MessageReceived)] == [16_777_214]
    with pytest.raises(LocalProtocolError):
        a.send_message(16, bytes(MAX_FRAME_BYTES))


def test_compression_lifts_nothing_over_16_mib() -> None:
    a, b = connected(compress=True)
    with pytest.raises(LocalProtocolError, match="16MB"):
        a.send_message(16, bytes(MAX_FRAME_BYTES + 1))
    a.send_message(16, bytes(MAX_FRAME_BYTES))
    (event,) = b.receive_data(a.data_to_send())
    assert isinstance(event, MessageReceived)
    assert len(event.payload) == MAX_FRAME_BYTES


def test_a_snappy_bomb_is_refused() -> None:
    a, b = connected()
    b.snappy = True
    with pytest.raises(MessageTooBig):
        list(b.receive_data(wire_of(a, 16, bytes.fromhex("8080800800"))))


def test_no_payload_is_corrupt_once_compressed() -> None:
    a, b = connected()
    b.snappy = True
    with pytest.raises(MalformedMessage, match="snappy"):
        list(b.receive_data(wire_of(a, 16, b"")))


@pytest.mark.parametrize("payload", ["c107", "c180", "c104", "04", ""])
def test_an_uncompressed_disconnect_is_read_all_the_same(payload: str) -> None:
    """Spec 01 pitfall 10: the peer rejected our Hello before it switched compression on."""
    a, b = connected()
    b.snappy = True
    raw = bytes.fromhex(payload)
    assert list(b.receive_data(wire_of(a, 1, raw))) == [MessageReceived(1, raw)]


def test_compression_may_be_switched_on_between_two_messages_of_one_chunk() -> None:
    a, b = connected()
    wire = wire_of(a, 0, b"hello")
    a.snappy = True
    wire += wire_of(a, 16, bytes(100))
    events = b.receive_data(wire)
    assert next(events) == MessageReceived(0, b"hello")
    b.snappy = True
    assert next(events) == MessageReceived(16, bytes(100))
