"""node.devp2p.messages (spec 02 sections 1 to 5)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.devp2p.messages import (
    BASE_LENGTH,
    BASE_VERSION,
    MAX_HELLO_BYTES,
    SNAPPY_VERSION,
    BaseCode,
    Capability,
    Hello,
    decode_disconnect,
    decode_hello,
    encode_disconnect,
)
from node.disconnect import DisconnectReason
from node.errors import MalformedMessage, MessageTooBig, RemoteProtocolError
from node.rlp.codec import Encodable, decode, encode
from tests.support.keys import KEY_A, flip_bit

HELLO = Hello(version=5, name="foo/v42/linux/go1.19.8", caps=[Capability("foo", 42)], id=KEY_A.public.raw)
EXAMPLE = bytes.fromhex(
    "f8620596666f6f2f7634322f6c696e75782f676f312e31392e38c6c583666f6f2a80b840ab5d2e79cfd621b1b027ffb24e2453ed7fb5"
    "71ba9a841ff0e2473466cabd168d240d1103860d4901da953cc7021d4d62f3f95691ac7cd434cbf9fc9e8b8d871d"
)
"""Spec 02 section 2."""
identities = st.binary(min_size=64, max_size=64).filter(any)
hellos = st.builds(
    Hello,
    version=st.integers(0, 2**64 - 1),
    name=st.text(max_size=30),
    caps=st.lists(st.builds(Capability, st.text(max_size=8), st.integers(0, 2**64 - 1)), max_size=5),
    listen_port=st.integers(0, 2**64 - 1),
    id=identities,
)


def with_element(index: int, element: Encodable) -> bytes:
    fields = decode(EXAMPLE)
    assert isinstance(fields, list)
    return encode([*fields[:index], element, *fields[index + 1 :]])


def test_the_constants_of_the_base_protocol() -> None:
    assert (BASE_VERSION, SNAPPY_VERSION, BASE_LENGTH, MAX_HELLO_BYTES) == (5, 5, 16, 2048)
    assert [code.value for code in BaseCode] == [0, 1, 2, 3]


def test_hello_to_the_byte() -> None:
    assert HELLO.encode() == EXAMPLE
    assert decode_hello(EXAMPLE) == HELLO


@given(hellos)
def test_hello_round_trip(hello: Hello) -> None:
    assert decode_hello(hello.encode()) == hello


@given(st.integers(0, len(EXAMPLE) - 1))
def test_truncated_hello(length: int) -> None:
    with pytest.raises(MalformedMessage):
        decode_hello(EXAMPLE[:length])


@given(st.binary(max_size=200) | st.integers(0, len(EXAMPLE) * 8 - 1).map(lambda bit: flip_bit(EXAMPLE, bit)))
def test_any_bytes_are_a_hello_or_refused(payload: bytes) -> None:
    try:
        decode_hello(payload)
    except RemoteProtocolError:
        return


def test_further_elements_and_trailing_bytes_are_ignored() -> None:
    fields = decode(EXAMPLE)
    assert isinstance(fields, list)
    hello = decode_hello(encode([*fields, b"more", [b"x"]]) + b"\xff")
    assert hello.rest == (b"more", [b"x"])
    assert hello.id == HELLO.id


@pytest.mark.parametrize("version", [0, 1, 4, 6, 2**64 - 1])
def test_no_version_is_refused(version: int) -> None:
    hello = Hello(version=version, name="", caps=[], id=KEY_A.public.raw)
    assert decode_hello(hello.encode()).version == version


def test_the_size_limit() -> None:
    filler = MAX_HELLO_BYTES - len(EXAMPLE)
    assert decode_hello(EXAMPLE + bytes(filler)) == HELLO
    with pytest.raises(MessageTooBig) as caught:
        decode_hello(EXAMPLE + bytes(filler + 1))
    assert (caught.value.size, caught.value.limit, caught.value.reason) == (2049, 2048, None)


@pytest.mark.parametrize("identity", [b"", bytes(64), b"\x01" * 32, b"\x01" * 63, b"\x01" * 65])
def test_a_bad_id_has_its_own_reason(identity: bytes) -> None:
    with pytest.raises(RemoteProtocolError) as caught:
        decode_hello(with_element(4, identity))
    assert caught.value.reason is DisconnectReason.INVALID_IDENTITY


@pytest.mark.parametrize(
    ("index", "element"),
    [
        (0, b"\x00"),
        (0, b"\x01" * 9),
        (1, [b"name"]),
        (2, b""),
        (2, [[b"foo"]]),
        (2, [[b"foo", b"\x01", b"\x01"]]),
        (2, [[b"foo", b"\x00"]]),
        (2, [b"foo"]),
        (3, []),
        (4, [b"id"]),
    ],
)
def test_a_hello_that_does_not_decode_is_met_with_silence(index: int, element: Encodable) -> None:
    with pytest.raises(MalformedMessage) as caught:
        decode_hello(with_element(index, element))
    assert caught.value.reason is None


def test_a_name_may_be_any_bytes() -> None:
    payload = with_element(1, b"\xff\xfe\x00")
    assert decode_hello(payload).encode() == payload


@pytest.mark.parametrize("reason", DisconnectReason)
def test_disconnect_round_trip(reason: DisconnectReason) -> None:
    wire = encode_disconnect(reason)
    assert len(wire) == 2
    assert wire == encode([reason.to_bytes(1, "big") if reason else b""])
    assert decode_disconnect(wire) == reason


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        ("c104", 4),
        ("c180", 0),
        ("c0", 0),
        ("04", 0),
        ("80", 0),
        ("8104", 0),
        ("", 0),
        ("c20401", 4),
        ("c20480", 4),
        ("c104ff", 4),
        ("c100", 0),
        ("c28104", 0),
        ("c2c104", 0),
        ("c3820104", 260),
        ("c204", 4),
        ("c20483", 4),
        ("c1", 0),
    ],
)
def test_disconnect_as_the_reference_reads_it(payload: str, reason: int) -> None:
    """Spec 02 section 4.2; the last three are lists that break off behind the reason."""
    assert decode_disconnect(bytes.fromhex(payload)) == reason


@given(st.binary(max_size=30))
def test_any_bytes_are_a_reason(payload: bytes) -> None:
    assert 0 <= decode_disconnect(payload) < 2**64


def test_capability_text() -> None:
    assert str(Capability("bzz", 8)) == "bzz/8"
