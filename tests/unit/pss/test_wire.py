"""The devp2p protocol around messages: code, size, tracing."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.errors import MalformedMessage, MessageTooBig, RemoteProtocolError, UnexpectedMessage
from node.pss.message import MAX_MESSAGE_BYTES, PssMessage
from node.pss.topic import topic_from_text
from node.pss.wire import decode_payload, encode_payload
from node.rlp.codec import encode

MESSAGE = PssMessage(to=b"", raw=True, expire=1, topic=topic_from_text("foo"), payload=b"hello")


@pytest.mark.parametrize("tracing", [False, True])
def test_round_trip(tracing: bool) -> None:
    payload = encode_payload(MESSAGE, tracing=tracing)
    assert decode_payload(0, payload, tracing=tracing) == MESSAGE
    with pytest.raises(MalformedMessage):
        decode_payload(0, payload, tracing=not tracing)


def test_wrong_code() -> None:
    with pytest.raises(UnexpectedMessage, match="code 1"):
        decode_payload(1, MESSAGE.encode())


def test_announced_size_counts() -> None:
    assert decode_payload(0, MESSAGE.encode(), size=MAX_MESSAGE_BYTES) == MESSAGE
    with pytest.raises(MessageTooBig):
        decode_payload(0, MESSAGE.encode(), size=MAX_MESSAGE_BYTES + 1)


def test_trace_context_is_ignored() -> None:
    assert decode_payload(0, encode([b"context", MESSAGE.encode()]), tracing=True) == MESSAGE


@given(st.binary(max_size=80), st.booleans())
def test_byte_soup(data: bytes, tracing: bool) -> None:
    with contextlib.suppress(RemoteProtocolError):
        decode_payload(0, data, tracing=tracing)
