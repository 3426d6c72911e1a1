"""node.devp2p.protocol: typed messages (spec 02 section 10)."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.devp2p.protocol import DEFAULT_MAX_MESSAGE_BYTES, ProtocolSpec, Wrapping
from node.disconnect import DisconnectReason
from node.errors import LocalProtocolError, MalformedMessage, MessageTooBig, RemoteProtocolError
from node.rlp.structure import Uint64


@dataclass(frozen=True)
class Number:
    v: Uint64


@dataclass(frozen=True)
class Words:
    s: str
    numbers: list[int]


@dataclass(frozen=True)
class Stranger:
    v: Uint64


WORDS = Words("hello", [1, 0, 300])


def make_spec(wrapping: Wrapping = Wrapping.PLAIN, limit: int = DEFAULT_MAX_MESSAGE_BYTES) -> ProtocolSpec:
    return ProtocolSpec(name="foo", version=1, messages=(Number, Words), max_message_bytes=limit, wrapping=wrapping)


@pytest.mark.parametrize(
    ("wrapping", "number", "words"),
    [
        (Wrapping.PLAIN, "c12a", "cc8568656c6c6fc5018082012c"),
        (Wrapping.CONTEXT, "c48082c12a", "cf808dcc8568656c6c6fc5018082012c"),
        (Wrapping.LEGACY, "c5800282c12a", "d0800d8dcc8568656c6c6fc5018082012c"),
    ],
)
def test_the_three_forms_to_the_byte(wrapping: Wrapping, number: str, words: str) -> None:
    """Spec 02 section 10.2."""
    spec = make_spec(wrapping)
    assert spec.encode(Number(42)) == (0, bytes.fromhex(number))
    assert spec.encode(WORDS) == (1, bytes.fromhex(words))
    assert spec.decode(0, bytes.fromhex(number)) == Number(42)
    assert spec.decode(1, bytes.fromhex(words)) == WORDS


@given(st.sampled_from(Wrapping), st.builds(Words, st.text(), st.lists(st.integers(0, 2**64 - 1), max_size=5)))
def test_round_trip(wrapping: Wrapping, message: Words) -> None:
    spec = make_spec(wrapping)
    assert spec.decode(*spec.encode(message)) == message


@given(st.sampled_from(Wrapping), st.integers(-1, 3), st.binary(max_size=40))
def test_any_bytes_decode_or_end_with_reason_16(wrapping: Wrapping, code: int, payload: bytes) -> None:
    raised = None
    try:
        make_spec(wrapping).decode(code, payload)
    except RemoteProtocolError as error:
        raised = error
    assert raised is None or raised.reason is DisconnectReason.SUBPROTOCOL_ERROR


def test_codes_are_places_in_the_list() -> None:
    spec = make_spec()
    assert spec.length == 2
    assert [spec.encode(message)[0] for message in (Number(0), WORDS)] == [0, 1]


def test_a_type_that_is_not_declared_is_not_sent() -> None:
    with pytest.raises(LocalProtocolError, match="invalid message type Stranger"):
        make_spec().encode(Stranger(1))


def test_no_type_twice() -> None:
    with pytest.raises(ValueError, match="declared twice"):
        ProtocolSpec(name="foo", version=1, messages=(Number, Number))


@pytest.mark.parametrize("code", [-1, 2, 100])
def test_unknown_codes(code: int) -> None:
    with pytest.raises(MalformedMessage, match=f"invalid message code: {code}"):
        make_spec().decode(code, b"\xc12a")


def test_the_size_limit_counts_the_whole_payload() -> None:
    payload = bytes.fromhex("c48082c12a")
    assert make_spec(Wrapping.CONTEXT, limit=5).decode(0, payload) == Number(42)
    with pytest.raises(MessageTooBig) as caught:
        make_spec(Wrapping.CONTEXT, limit=4).decode(0, payload)
    assert (caught.value.size, caught.value.limit) == (5, 4)
    assert caught.value.reason is DisconnectReason.SUBPROTOCOL_ERROR


@pytest.mark.parametrize("payload", ["", "c0", "c22a2a", "c12a00", "2a", "c100"])
def test_payloads_that_do_not_fit_the_type(payload: str) -> None:
    with pytest.raises(MalformedMessage, match="foo: invalid message #0"):
        make_spec().decode(0, bytes.fromhex(payload))


@pytest.mark.parametrize(
    ("wrapping", "payload"),
    [
        (Wrapping.CONTEXT, "c12a"),
        (Wrapping.CONTEXT, "c5800282c12a"),
        (Wrapping.CONTEXT, "c380c12a"),
        (Wrapping.CONTEXT, "c48082c12aff"),
        (Wrapping.LEGACY, "c48082c12a"),
        (Wrapping.LEGACY, "80"),
    ],
)
def test_the_forms_exclude_each_other(wrapping: Wrapping, payload: str) -> None:
    with pytest.raises(MalformedMessage):
        make_spec(wrapping).decode(0, bytes.fromhex(payload))


def test_the_size_in_a_legacy_wrapper_is_not_verified() -> None:
    assert make_spec(Wrapping.LEGACY).decode(0, bytes.fromhex("c5800982c12a")) == Number(42)
